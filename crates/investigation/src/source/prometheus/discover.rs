//! Which services a server knows, and by which of their metrics they can be judged.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::Labels;
use super::catalog::{CALLS, DURATIONS, FAILURES, REQUESTS, labels, names};

/// The query that tells which of the known metrics are there, with the labels that matter.
pub(super) fn query(window: &str) -> String {
    format!(
        "count by (__name__, {}) (last_over_time({{__name__=~\"{}\"}}[{window}]))",
        labels().join(", "),
        names().join("|"),
    )
}

/// Services that are measured by one metric and named by one label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// The metric; of durations without its suffix.
    pub(super) metric: &'static str,
    /// The counter of requests.
    pub(super) count: String,
    /// The label that names the service.
    pub(super) label: &'static str,
    /// What makes the metric's unit a second.
    pub(super) to_seconds: f64,
    /// The label that tells failures, and the values that do.
    pub(super) failures: Option<(&'static str, &'static str)>,
    pub(super) services: BTreeSet<String>,
}

/// A metric with both ends of calls.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ends {
    pub(super) metric: &'static str,
    pub(super) caller: &'static str,
    pub(super) callee: &'static str,
    pub(super) callee_known: bool,
}

/// What a server knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Discovered {
    /// How long requests take; a service is in one of them at most.
    pub(super) durations: Vec<Group>,
    /// How many requests there are and fail; a service is in one of them at most.
    pub(super) requests: Vec<Group>,
    pub(super) calls: Vec<Ends>,
}

impl Discovered {
    /// Sorts the answer to [`query`].
    pub(super) fn of<'a>(found: impl Iterator<Item = &'a Labels>) -> Self {
        let mut by_name: BTreeMap<&str, Vec<&Labels>> = BTreeMap::new();
        for labels in found {
            if let Some(name) = labels.get("__name__") {
                by_name.entry(name).or_default().push(labels);
            }
        }
        let mut durations = Vec::new();
        let mut assigned = BTreeSet::new();
        for known in DURATIONS {
            let count = format!("{}_count", known.name);
            let series = by_name.get(count.as_str()).map_or(&[][..], Vec::as_slice);
            let mut groups = groups(known.name, known.services, known.to_seconds, series);
            groups
                .iter_mut()
                .for_each(|group| group.count.clone_from(&count));
            take(groups, &mut assigned, &mut durations);
        }
        let mut requests = Vec::new();
        let mut assigned = BTreeSet::new();
        // What tells failures comes first, then what does not: a share of failures is worth more.
        for with_failures in [true, false] {
            for known in REQUESTS {
                let series = by_name.get(known.name).map_or(&[][..], Vec::as_slice);
                let mut groups = groups(known.name, known.services, 1.0, series);
                groups.retain(|group| group.failures.is_some() == with_failures);
                take(groups, &mut assigned, &mut requests);
            }
            let told = durations
                .iter()
                .filter(|group| group.failures.is_some() == with_failures);
            take(told.cloned(), &mut assigned, &mut requests);
        }
        let calls = CALLS
            .iter()
            .filter_map(|known| {
                let series = by_name.get(known.name)?;
                Some(Ends {
                    metric: known.name,
                    caller: present(known.callers, series)?,
                    callee: present(known.callees, series)?,
                    callee_known: known.callee_known,
                })
            })
            .collect();
        Self {
            durations,
            requests,
            calls,
        }
    }

    /// All services, by name.
    pub(super) fn services(&self) -> BTreeSet<&str> {
        let groups = self.durations.iter().chain(&self.requests);
        groups
            .flat_map(|group| group.services.iter().map(String::as_str))
            .collect()
    }
}

/// Keeps the services of each group that are not assigned yet, and assigns them.
fn take(
    groups: impl IntoIterator<Item = Group>,
    assigned: &mut BTreeSet<String>,
    kept: &mut Vec<Group>,
) {
    for mut group in groups {
        group.services.retain(|service| !assigned.contains(service));
        if !group.services.is_empty() {
            assigned.extend(group.services.iter().cloned());
            kept.push(group);
        }
    }
}

/// The series of one metric by the label that names their service.
fn groups(
    metric: &'static str,
    services: &'static [&'static str],
    to_seconds: f64,
    series: &[&Labels],
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for labels in series {
        let named = services
            .iter()
            .find_map(|label| Some((*label, named(labels, label)?)));
        let Some((label, service)) = named else {
            continue;
        };
        let place = match groups.iter().position(|group| group.label == label) {
            Some(place) => place,
            None => {
                groups.push(Group {
                    metric,
                    count: metric.to_owned(),
                    label,
                    to_seconds,
                    failures: None,
                    services: BTreeSet::new(),
                });
                groups.len() - 1
            }
        };
        let group = &mut groups[place];
        group.services.insert(service.to_owned());
        if group.failures.is_none() {
            let told = FAILURES.iter().find(|(label, _)| named_any(labels, label));
            group.failures = told.copied();
        }
    }
    groups
}

fn named<'a>(labels: &'a Labels, label: &str) -> Option<&'a str> {
    let value = labels.get(label)?.trim();
    (!value.is_empty()).then_some(value)
}

fn named_any(labels: &Labels, label: &str) -> bool {
    named(labels, label).is_some()
}

fn present(labels: &[&'static str], series: &[&Labels]) -> Option<&'static str> {
    let has = |label: &&&str| series.iter().any(|known| named_any(known, label));
    labels.iter().find(has).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_service_is_measured_by_the_most_telling_metric_that_it_has() {
        let found = [
            labels(&[
                ("__name__", "http_request_duration_seconds_count"),
                ("job", "pay"),
                ("code", "200"),
            ]),
            labels(&[
                ("__name__", "http_server_request_duration_seconds_count"),
                ("service", "pay"),
                ("job", "otel"),
                ("http_response_status_code", "200"),
            ]),
            labels(&[
                ("__name__", "http_requests_total"),
                ("job", "shop"),
                ("instance", "i"),
            ]),
            labels(&[
                ("__name__", "grpc_server_handling_seconds_count"),
                ("app", "fraud"),
            ]),
            labels(&[
                ("__name__", "grpc_server_handled_total"),
                ("app", "fraud"),
                ("grpc_code", "OK"),
            ]),
            labels(&[("__name__", "up"), ("job", "pay")]),
        ];
        let known = Discovered::of(found.iter());
        let told = |groups: &[Group]| -> Vec<(String, String, bool, Vec<String>)> {
            let of = |group: &Group| {
                (
                    group.metric.to_owned(),
                    group.label.to_owned(),
                    group.failures.is_some(),
                    group.services.iter().cloned().collect(),
                )
            };
            groups.iter().map(of).collect()
        };
        let one = |metric: &str, label: &str, failures: bool, service: &str| {
            (
                metric.to_owned(),
                label.to_owned(),
                failures,
                vec![service.to_owned()],
            )
        };
        assert_eq!(
            told(&known.durations),
            [
                one(
                    "http_server_request_duration_seconds",
                    "service",
                    true,
                    "pay"
                ),
                one("grpc_server_handling_seconds", "app", false, "fraud"),
            ]
        );
        assert_eq!(
            told(&known.requests),
            [
                one("grpc_server_handled_total", "app", true, "fraud"),
                one(
                    "http_server_request_duration_seconds",
                    "service",
                    true,
                    "pay"
                ),
                one("http_requests_total", "job", false, "shop"),
            ]
        );
        let services: Vec<&str> = known.services().into_iter().collect();
        assert_eq!(services, ["fraud", "pay", "shop"]);
    }

    #[test]
    fn calls_need_both_ends() {
        let found = [
            labels(&[
                ("__name__", "traces_service_graph_request_total"),
                ("client", "shop"),
                ("server", "pay"),
            ]),
            labels(&[("__name__", "http_client_requests_total"), ("job", "shop")]),
        ];
        let known = Discovered::of(found.iter());
        assert_eq!(known.calls.len(), 1);
        assert_eq!(
            (known.calls[0].caller, known.calls[0].callee),
            ("client", "server")
        );
    }
}
