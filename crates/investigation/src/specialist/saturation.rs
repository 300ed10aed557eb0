//! Saturation: what a node has used up, against what it uses otherwise and against documented bounds.

use super::{Depth, Examine};
use crate::evidence::weights::{SATURATED, USED_MORE, WAITING};
use crate::evidence::{Case, Category, Fact, FactKind, Findings, Prior, Source, Span, Unknown};
use crate::statistics::{quantile, spread};
use crate::telemetry::{Resource, Statistic};

/// How far a resource is used up.
pub(super) struct Saturation;

impl Examine for Saturation {
    fn name(&self) -> &'static str {
        "saturation"
    }

    fn capability(&self) -> &'static str {
        "investigate.saturation"
    }

    fn depth(&self) -> Depth {
        Depth::Wide
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        let nodes = case.nodes.iter().enumerate();
        let has = |node: &str| !case.incident.telemetry.resources(node).is_empty();
        nodes
            .filter_map(|(place, node)| has(node).then_some(place))
            .collect()
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        for node in nodes {
            let mut found = None;
            for ((resource, statistic), values) in
                case.incident.telemetry.resources(&case.nodes[*node])
            {
                // A further statistic of what is news already says the same again.
                if found == Some(*resource) {
                    continue;
                }
                if let Some(rule) = rule(*resource) {
                    let before = findings.facts.len();
                    Series {
                        case,
                        node: *node,
                        rule,
                        resource: *resource,
                        statistic: *statistic,
                        values,
                    }
                    .judge(findings);
                    found = (findings.facts.len() > before)
                        .then_some(*resource)
                        .or(found);
                }
            }
        }
    }
}

/// How a resource is judged. The bounds are the defaults that `docs/investigation.md` lists with their sources.
#[derive(Clone, Copy)]
struct Rule {
    /// From this value on it is used up, whatever its level is otherwise.
    bound: Option<f64>,
    /// A smaller difference is no news, in the unit of the metric.
    least: f64,
    /// Below the bound, it is news from this many times the reference on.
    ratio: f64,
    /// Whether more requests use more of it.
    grows_with_load: bool,
    beyond: f64,
    below: f64,
    words: &'static str,
}

const RULE: Rule = Rule {
    bound: None,
    least: 0.0,
    ratio: 2.0,
    grows_with_load: true,
    beyond: SATURATED,
    below: USED_MORE,
    words: "",
};

/// `None` for what says nothing by itself.
fn rule(resource: Resource) -> Option<Rule> {
    Some(match resource {
        Resource::CpuUtilization => Rule {
            bound: Some(80.0),
            least: 10.0,
            words: "processor use in percent",
            ..RULE
        },
        Resource::MemoryUtilization => Rule {
            bound: Some(90.0),
            least: 5.0,
            ratio: 1.5,
            grows_with_load: false,
            words: "memory use in percent",
            ..RULE
        },
        Resource::MemoryBytes => Rule {
            least: 16e6,
            ratio: 1.5,
            grows_with_load: false,
            words: "memory in bytes",
            ..RULE
        },
        Resource::DiskUtilization => Rule {
            bound: Some(90.0),
            least: 5.0,
            ratio: 1.5,
            grows_with_load: false,
            words: "disk use in percent",
            ..RULE
        },
        Resource::ConnectionsInUse => Rule {
            least: 2.0,
            below: WAITING,
            words: "connections in use",
            ..RULE
        },
        Resource::ConnectionWait => Rule {
            least: 0.005,
            beyond: WAITING,
            below: WAITING,
            words: "seconds that a request waits for a connection",
            ..RULE
        },
        Resource::LockWait => Rule {
            least: 0.5,
            words: "seconds of waiting for locks",
            ..RULE
        },
        Resource::LocksWaiting => Rule {
            least: 0.5,
            words: "sessions that wait for a lock",
            ..RULE
        },
        Resource::RowsScanned => Rule {
            least: 1_000.0,
            ratio: 3.0,
            words: "rows read",
            ..RULE
        },
        Resource::QueueDepth => Rule {
            bound: Some(100.0),
            least: 10.0,
            words: "entries in the queue",
            ..RULE
        },
        _ => return None,
    })
}

/// From how many standard deviations on a rise is no chance.
const DEVIATION_MIN: f64 = 5.0;
/// A pool whose connections are in use to this share is used up.
const POOL_SHARE: f64 = 0.9;
/// The least spread to believe in, as a share of the level.
const VARIATION_MIN: f64 = 0.05;
/// What varies without a baseline, as a share of the level.
const VARIATION_ASSUMED: f64 = 0.2;

/// One series under judgement.
struct Series<'a> {
    case: &'a Case,
    node: usize,
    rule: Rule,
    resource: Resource,
    statistic: Statistic,
    values: &'a [f64],
}

impl Series<'_> {
    fn judge(&self, findings: &mut Findings) {
        let node = &*self.case.nodes[self.node];
        let unknown = |reason: &str| Unknown {
            node: node.to_owned(),
            what: self.resource.to_string(),
            reason: reason.to_owned(),
        };
        let Some((value, count)) = average(self.values, &self.case.telling) else {
            let reason = "no value in the telling rows";
            findings.unknown.push(unknown(reason));
            return;
        };
        let baseline = self.case.incident.baseline.as_ref();
        let baseline = baseline.and_then(|all| all.resource(node, self.resource, self.statistic));
        let usual = baseline.and_then(|values| spread(&mut values.to_vec()));
        let before = average(self.values, &self.case.before);
        let level = before
            .map(|(level, _)| level)
            .or(usual.map(|usual| usual.level))
            .unwrap_or(0.0);
        let sigma_min = (level * VARIATION_MIN).max(self.rule.least / DEVIATION_MIN);
        let reference = Prior {
            before,
            baseline: usual,
            sigma_without_baseline: level * VARIATION_ASSUMED,
            sigma_min,
        }
        .reference();
        let Some(reference) = reference else {
            let reason = "no value before the onset and none in the baseline";
            findings.unknown.push(unknown(reason));
            return;
        };
        let growth = if self.rule.grows_with_load {
            self.case.load_growth(self.node)
        } else {
            1.0
        };
        // What the same use of every request amounts to at the load of the telling rows.
        let expected = reference.level * growth;
        let sigma = reference.contrast_sigma(count) * growth;
        let deviation = ((value - expected) / sigma).clamp(-1_000.0, 1_000.0);
        // A single wild row moves the mean, but not the median.
        let middle = median(self.values, &self.case.telling).unwrap_or(value);
        let is_news = deviation >= DEVIATION_MIN
            && value - expected >= self.rule.least
            && middle >= f64::midpoint(value, expected);
        let bound = self
            .bound()
            .filter(|bound| value >= *bound && expected < *bound);
        let weight = match bound {
            _ if !is_news => return,
            Some(_) => self.rule.beyond,
            None if value >= expected * self.rule.ratio => self.rule.below,
            None => return,
        };
        findings
            .facts
            .push(self.fact(weight, expected, value, deviation, bound));
    }

    /// The bound of the rule; of a pool, a share of its size.
    fn bound(&self) -> Option<f64> {
        if self.resource != Resource::ConnectionsInUse {
            return self.rule.bound;
        }
        let telemetry = &self.case.incident.telemetry;
        let node = &self.case.nodes[self.node];
        let sizes = telemetry.resources(node).iter();
        let mut sizes = sizes.filter(|((resource, _), _)| *resource == Resource::ConnectionsMax);
        let (size, _) = average(&sizes.next()?.1, &self.case.telling)?;
        Some(size * POOL_SHARE)
    }

    fn fact(
        &self,
        weight: f64,
        reference: f64,
        value: f64,
        deviation: f64,
        bound: Option<f64>,
    ) -> Fact {
        let starts = self.case.incident.telemetry.starts();
        let telling = &self.case.telling;
        let at = telling
            .first()
            .zip(telling.last())
            .map(|(first, last)| Span {
                from: starts[*first],
                to: starts[*last] + self.case.incident.telemetry.step().unwrap_or(0.0),
            });
        let node = &*self.case.nodes[self.node];
        let beyond = match bound {
            Some(bound) => format!(", beyond the bound of {}", short(bound)),
            None => String::new(),
        };
        Fact {
            node: node.to_owned(),
            kind: FactKind::Saturation {
                metric: self.resource.to_string(),
                reference,
                value,
                deviation,
                bound,
                rows: self
                    .values
                    .iter()
                    .map(|value| (!value.is_nan()).then_some(*value))
                    .collect(),
            },
            category: Category::Saturation,
            weight,
            at,
            text: format!(
                "{} went from {} to {}{beyond}",
                self.rule.words,
                short(reference),
                short(value)
            ),
            source: Source::new("metrics", format!("{node}, {}", self.resource)),
        }
    }
}

/// The mean of the rows that have a value, and how many they are.
fn average(values: &[f64], rows: &[usize]) -> Option<(f64, usize)> {
    let present = rows
        .iter()
        .map(|row| values[*row])
        .filter(|value| !value.is_nan());
    let (sum, count) = present.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| (sum / f64::from(count), count as usize))
}

/// The median of the rows that have a value.
fn median(values: &[f64], rows: &[usize]) -> Option<f64> {
    let mut present: Vec<f64> = rows
        .iter()
        .map(|row| values[*row])
        .filter(|value| !value.is_nan())
        .collect();
    quantile(&mut present, 0.5)
}

/// A number for people: three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e9 => format!("{:.2}e9", value / 1e9),
        size if size >= 1e6 => format!("{:.2}e6", value / 1e6),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::Incident;
    use crate::telemetry::{Signal, Telemetry};
    use crate::test_data::slow_incident;

    const ROWS: usize = 5;

    /// What is found when `back` has one series of the resource, over the rows of a slow incident.
    fn found(resource: Resource, values: [f64; ROWS], change: impl Fn(&mut Incident)) -> Findings {
        let mut incident = slow_incident(&[("front", 0.4)]);
        incident
            .telemetry
            .insert_resource("back", resource, Statistic::Average, values.to_vec());
        change(&mut incident);
        Saturation.examine_all(&Case::of(incident))
    }

    fn check(resource: Resource, values: [f64; ROWS], weight: Option<f64>) {
        let facts = found(resource, values, |_| ()).facts;
        let weights: Vec<f64> = facts.iter().map(|fact| fact.weight).collect();
        assert_eq!(
            weights,
            Vec::from_iter(weight),
            "{resource} {values:?} {facts:?}"
        );
    }

    #[test]
    fn bounds_and_rises_make_facts() {
        use Resource as R;
        check(
            R::CpuUtilization,
            [20.0, 20.0, 95.0, 97.0, 20.0],
            Some(SATURATED),
        );
        check(
            R::CpuUtilization,
            [20.0, 20.0, 60.0, 60.0, 20.0],
            Some(USED_MORE),
        );
        check(R::CpuUtilization, [20.0, 20.0, 24.0, 22.0, 20.0], None);
        check(R::CpuUtilization, [95.0, 95.0, 95.0, 96.0, 95.0], None);
        check(
            R::DiskUtilization,
            [40.0, 40.0, 99.0, 99.0, 99.0],
            Some(SATURATED),
        );
        check(R::MemoryBytes, [1e8, 1e8, 2e8, 3e8, 4e8], Some(USED_MORE));
        check(R::MemoryBytes, [1e8, 1e8, 1.1e8, 1.2e8, 1.2e8], None);
        check(R::LocksWaiting, [0.0, 0.0, 7.0, 8.0, 0.0], Some(USED_MORE));
        check(R::ConnectionWait, [0.0, 0.0, 0.5, 0.5, 0.0], Some(WAITING));
        check(R::ConnectionsMax, [5.0, 5.0, 50.0, 50.0, 5.0], None);
    }

    #[test]
    fn a_pool_is_used_up_by_its_size() {
        let sized = |size: f64| {
            let used = [2.0, 2.0, 10.0, 10.0, 2.0];
            let found = found(Resource::ConnectionsInUse, used, |incident| {
                let sizes = vec![size; ROWS];
                let average = Statistic::Average;
                let telemetry = &mut incident.telemetry;
                telemetry.insert_resource("back", Resource::ConnectionsMax, average, sizes);
            });
            found.facts[0].weight
        };
        assert_eq!(sized(10.0), SATURATED);
        assert_eq!(sized(100.0), WAITING);
    }

    #[test]
    fn a_single_wild_row_is_no_fact() {
        let mut incident = slow_incident(&[("front", 0.4)]);
        let starts = (0..11).map(|row| f64::from(row) * 300.0).collect();
        let mut telemetry = Telemetry::over(starts);
        let slow = |row: u32| if row > 1 { 0.7 } else { 0.3 };
        telemetry.insert("front", Signal::LatencyAverage, (0..11).map(slow).collect());
        let wild = |row: u32| if row == 3 { 900.0 } else { 0.0 };
        let values = (0..11).map(wild).collect();
        telemetry.insert_resource("back", Resource::LocksWaiting, Statistic::Average, values);
        incident.telemetry = telemetry;
        assert!(Saturation.examine_all(&Case::of(incident)).facts.is_empty());
    }

    #[test]
    fn what_the_load_explains_is_no_fact() {
        let busy = |requests: f64| {
            let used = [20.0, 20.0, 60.0, 60.0, 20.0];
            let found = found(Resource::CpuUtilization, used, |incident| {
                let counts = vec![500.0, 500.0, requests, requests, 500.0];
                incident.telemetry.insert("back", Signal::Requests, counts);
            });
            found.facts.len()
        };
        assert_eq!((busy(500.0), busy(1_500.0)), (1, 0));
    }

    #[test]
    fn a_level_that_is_usual_in_the_baseline_is_no_fact() {
        let used = [20.0, 20.0, 60.0, 60.0, 20.0];
        let found = found(Resource::CpuUtilization, used, |incident| {
            let mut baseline = Telemetry::over((0..100).map(f64::from).collect());
            let values = (0..100).map(|row| f64::from(row % 9) * 10.0).collect();
            let average = Statistic::Average;
            baseline.insert_resource("back", Resource::CpuUtilization, average, values);
            incident.baseline = Some(baseline);
        });
        assert!(found.facts.is_empty(), "{found:?}");
    }

    #[test]
    fn what_is_missing_is_unknown() {
        let gone = [20.0, 20.0, f64::NAN, f64::NAN, f64::NAN];
        let found = found(Resource::CpuUtilization, gone, |_| ());
        assert!(found.facts.is_empty());
        assert_eq!(found.unknown[0].what, "cpu_utilization");
    }
}
