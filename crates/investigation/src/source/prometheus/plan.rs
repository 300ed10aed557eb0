//! Which queries are asked, and the series that their answers make.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Answer, QueryData, Series};
use super::client::AskError;
use super::discover::{Discovered, Group};
use super::gather::note_warnings;
use super::resources::Used;
use super::rows::{Rows, duration, series_of};
use crate::evidence::Unknown;
use crate::incident::Gathered;
use crate::logs::clean;
use crate::telemetry::{Signal, Telemetry};

/// Which queries are asked, and what becomes of their answers.
pub(super) struct Plan<'a> {
    pub(super) queries: Vec<String>,
    steps: Vec<Step<'a>>,
}

enum Step<'a> {
    /// The next two answers are seconds and requests.
    Mean(&'a Group),
    /// The next answer is a quantile.
    Quantile(&'a Group, Signal),
    /// The next answer is requests, and the one after it failures if the group tells them.
    Requests(&'a Group),
    /// The next answer is the use of a resource.
    Resource(&'a Used),
}

impl<'a> Plan<'a> {
    pub(super) fn of(
        discovered: &'a Discovered,
        used: &'a [Used],
        signal: Signal,
        step: f64,
    ) -> Self {
        let over = duration(step);
        let mut plan = Self {
            queries: Vec::new(),
            steps: Vec::new(),
        };
        for group in &discovered.durations {
            let (metric, label, count) = (group.metric, group.label, &group.count);
            plan.queries.extend([
                format!("sum by ({label}) (increase({metric}_sum[{over}]))"),
                format!("sum by ({label}) (increase({count}[{over}]))"),
            ]);
            plan.steps.push(Step::Mean(group));
            if let Some(share) = share(signal) {
                plan.queries.push(format!(
                    "histogram_quantile({share}, sum by ({label}, le) (increase({metric}_bucket[{over}])))"
                ));
                plan.steps.push(Step::Quantile(group, signal));
            }
        }
        for group in &discovered.requests {
            let (label, count) = (group.label, &group.count);
            plan.queries
                .push(format!("sum by ({label}) (increase({count}[{over}]))"));
            if let Some((failure, values)) = group.failures {
                plan.queries.push(format!(
                    "sum by ({label}) (increase({count}{{{failure}=~\"{values}\"}}[{over}]))"
                ));
            }
            plan.steps.push(Step::Requests(group));
        }
        for used in used {
            plan.queries.push(used.query(&over));
            plan.steps.push(Step::Resource(used));
        }
        plan
    }

    /// Takes the next answers of its queries.
    pub(super) fn telemetry(
        &self,
        rows: Rows,
        answers: &mut impl Iterator<Item = Result<Answer<QueryData>, AskError>>,
        gathered: &mut Gathered,
    ) -> Telemetry {
        let mut telemetry = Telemetry::over(rows.starts());
        let mut queries = self.queries.iter();
        let mut next = |nodes: &Nodes<'_>, what: &str, gathered: &mut Gathered| {
            let query = queries.next().map_or("", String::as_str);
            let series = match answers.next()? {
                Ok(answer) => {
                    note_warnings(&answer, &mut gathered.notes);
                    nodes.series(rows, &series_of(answer.data))
                }
                Err(error) => {
                    gathered.unknown.extend(nodes.unknown(what, query, &error));
                    return None;
                }
            };
            Some(Read {
                query: query.to_owned(),
                series,
            })
        };
        for step in &self.steps {
            match step {
                Step::Mean(group) => {
                    let sums = next(&Nodes::of(group), "latency", gathered);
                    let counts = next(&Nodes::of(group), "latency", gathered);
                    let (Some(sums), Some(counts)) = (sums, counts) else {
                        continue;
                    };
                    let factor = group.to_seconds;
                    sums.against(
                        &counts,
                        Signal::LatencyAverage,
                        &mut telemetry,
                        |sum, count| {
                            if count > 0.0 {
                                sum * factor / count
                            } else {
                                f64::NAN
                            }
                        },
                    );
                }
                Step::Quantile(group, signal) => {
                    if let Some(quantiles) = next(&Nodes::of(group), "latency", gathered) {
                        quantiles.insert(*signal, &mut telemetry, group.to_seconds);
                    }
                }
                Step::Resource(used) => {
                    let nodes = Nodes {
                        label: used.label,
                        names: &used.nodes,
                    };
                    let (resource, statistic) = (used.known.resource, used.known.statistic);
                    let Some(read) = next(&nodes, resource.name(), gathered) else {
                        continue;
                    };
                    for (node, values) in read.series {
                        telemetry.insert_resource(&node, resource, statistic, values);
                    }
                }
                Step::Requests(group) => {
                    let requests = next(&Nodes::of(group), "requests", gathered);
                    if let Some(requests) = &requests {
                        requests.insert(Signal::Requests, &mut telemetry, 1.0);
                    }
                    if group.failures.is_none() {
                        continue;
                    }
                    let failures = next(&Nodes::of(group), "availability", gathered);
                    let (Some(requests), Some(failures)) = (requests, failures) else {
                        continue;
                    };
                    // A service that never failed has no series of failures.
                    requests.against(
                        &failures.or_zero(&requests),
                        Signal::Availability,
                        &mut telemetry,
                        availability,
                    );
                }
            }
        }
        telemetry
    }
}

/// Percent of requests that did not fail. Extrapolated increases may say a little more failures than requests.
fn availability(requests: f64, failures: f64) -> f64 {
    if requests > 0.0 {
        let failed = if failures.is_nan() { 0.0 } else { failures };
        100.0 * (1.0 - (failed / requests).clamp(0.0, 1.0))
    } else {
        f64::NAN
    }
}

/// The answer to one query, by service.
struct Read {
    query: String,
    series: BTreeMap<String, Vec<f64>>,
}

impl Read {
    fn insert(&self, signal: Signal, telemetry: &mut Telemetry, factor: f64) {
        for (service, values) in &self.series {
            let values = values.iter().map(|value| value * factor).collect();
            telemetry.insert(service, signal, values);
            telemetry.set_query(service, signal, &self.query);
        }
    }

    fn against(
        &self,
        other: &Self,
        signal: Signal,
        telemetry: &mut Telemetry,
        of: impl Fn(f64, f64) -> f64,
    ) {
        let query = format!("{} against {}", self.query, other.query);
        for (service, values) in &self.series {
            let Some(others) = other.series.get(service) else {
                continue;
            };
            let values = values.iter().zip(others).map(|(a, b)| of(*a, *b)).collect();
            telemetry.insert(service, signal, values);
            telemetry.set_query(service, signal, &query);
        }
    }

    /// The same, with zeros for the services of `all` that it lacks.
    fn or_zero(mut self, all: &Self) -> Self {
        for (service, values) in &all.series {
            let zeros = || vec![0.0; values.len()];
            self.series.entry(service.clone()).or_insert_with(zeros);
        }
        self
    }
}

fn share(signal: Signal) -> Option<&'static str> {
    Some(match signal {
        Signal::LatencyP50 => "0.5",
        Signal::LatencyP90 => "0.9",
        Signal::LatencyP95 => "0.95",
        Signal::LatencyP99 => "0.99",
        _ => return None,
    })
}

/// Nodes that an answer is about, and the label that names them.
struct Nodes<'a> {
    label: &'a str,
    names: &'a BTreeSet<String>,
}

impl<'a> Nodes<'a> {
    fn of(group: &'a Group) -> Self {
        Self {
            label: group.label,
            names: &group.services,
        }
    }

    fn series(&self, rows: Rows, series: &[Series]) -> BTreeMap<String, Vec<f64>> {
        series
            .iter()
            .filter_map(|series| {
                let node = series.metric.get(self.label)?;
                let known = self.names.contains(node);
                known.then(|| (node.clone(), rows.values(series)))
            })
            .collect()
    }

    fn unknown(&self, what: &str, query: &str, error: &AskError) -> Vec<Unknown> {
        let of = |node: &String| Unknown {
            node: node.clone(),
            what: what.to_owned(),
            reason: clean(&format!("{query}: {error}"), 1_000),
        };
        self.names.iter().map(of).collect()
    }
}
