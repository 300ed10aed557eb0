//! What speaks for a node as the cause, in numbers that compare between nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Case, Observation};
use crate::statistics::saturate;
use crate::telemetry::Metric;

/// The deviation at which an observation is half convincing, in standard deviations.
const HALF_CONVINCING: f64 = 3.0;
/// The deviation at which half of an excess is passed on to the callers' account.
const HALF_EXPLAINING: f64 = 2.0;

/// What the deviations of a whole system amount to at least, so that a single chance deviation does not cover all of it.
const COVERAGE_FLOOR: f64 = 0.5;

/// What speaks for one node. Every number is between 0 and 1 unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CandidateFeatures {
    /// How far the node is from its reference in the metric of the symptom.
    pub deviation: f64,
    /// The share of the target's excess that the node's excess would explain.
    pub explained: f64,
    /// The part of its own excess that the node's callees do not explain in turn.
    pub own: f64,
    /// Its excess over the largest excess among its callers, at most 1: whether it is enough for what they show.
    pub carried: f64,
    /// How far the nodes that it calls are from their references, on average.
    pub callees: f64,
    /// Of all deviations in the system, the share at the node and at its callers: what would follow if it were the cause.
    pub coverage: f64,
    /// How well the node's rows follow the target's, as a cosine.
    pub pattern: f64,
    /// How far the node is from its reference in the other metric, latency for errors and errors for latency.
    pub other_metric: f64,
    /// How far its requests rose beyond those of its callers.
    pub surge: f64,
    /// Whether it is the target itself: 0 or 1.
    pub is_target: f64,
    /// Whether no chain of calls leads from the target to it: 0 or 1.
    pub unreachable: f64,
}

/// The observations of all specialists, a place for each node of the case.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) latency: Vec<Option<Observation>>,
    pub(crate) errors: Vec<Option<Observation>>,
    pub(crate) traffic: Vec<Option<Observation>>,
}

impl Evidence {
    pub(crate) fn of(case: &Case, observations: impl IntoIterator<Item = Observation>) -> Self {
        let mut evidence = Self {
            latency: vec![None; case.nodes.len()],
            errors: vec![None; case.nodes.len()],
            traffic: vec![None; case.nodes.len()],
        };
        for observation in observations {
            if let Some(node) = case.place(&observation.node) {
                let place = match observation.metric {
                    Metric::Latency => &mut evidence.latency[node],
                    Metric::Availability => &mut evidence.errors[node],
                    Metric::Requests => &mut evidence.traffic[node],
                };
                *place = Some(observation);
            }
        }
        evidence
    }

    /// The observations in one metric, a place for each node.
    pub(crate) fn in_metric(&self, metric: Metric) -> &[Option<Observation>] {
        match metric {
            Metric::Latency => &self.latency,
            Metric::Availability => &self.errors,
            Metric::Requests => &self.traffic,
        }
    }

    /// The observations of one node.
    pub(crate) fn of_node(&self, case: &Case, node: &str) -> Vec<Observation> {
        let Some(node) = case.place(node) else {
            return Vec::new();
        };
        let all = [&self.latency[node], &self.errors[node], &self.traffic[node]];
        all.into_iter().flatten().cloned().collect()
    }

    /// The observations in the metric of the symptom, and those in the other.
    fn primary(&self, metric: Metric) -> (&[Option<Observation>], &[Option<Observation>]) {
        match metric {
            Metric::Availability => (&self.errors, &self.latency),
            _ => (&self.latency, &self.errors),
        }
    }
}

fn deviation(observation: Option<&Observation>) -> f64 {
    observation.map_or(0.0, |observation| observation.deviation.max(0.0))
}

/// The features of every node of the case, in their order; `None` when the target itself could not be judged.
pub(crate) fn candidates(case: &Case, evidence: &Evidence) -> Option<Vec<CandidateFeatures>> {
    let (target_place, metric) = case.symptom_at()?;
    let (primary, other) = evidence.primary(metric);
    let target = primary[target_place].as_ref()?;
    let distances = case.topology.distances(target_place);
    let sure: Vec<f64> = primary
        .iter()
        .map(|node| sure_excess(node.as_ref()))
        .collect();
    let convincing: Vec<f64> = primary
        .iter()
        .map(|node| saturate(deviation(node.as_ref()), HALF_CONVINCING))
        .collect();
    let total: f64 = convincing.iter().map(|share| share * share).sum();
    let features = (0..case.nodes.len()).map(|node| {
        let passed_on: f64 = case
            .topology
            .deeper_callees(node)
            .map(|callee| sure[callee])
            .sum();
        let demanded = case.topology.callers[node]
            .iter()
            .map(|caller| sure[*caller])
            .fold(0.0, f64::max);
        let is_target = node == target_place;
        let would_follow: f64 = case
            .topology
            .callers_and_self(node)
            .iter()
            .zip(&convincing)
            .filter(|(distance, _)| distance.is_some())
            .map(|(_, share)| share * share)
            .sum();
        let active = |callee: &&usize| primary[**callee].is_some();
        let callees: Vec<f64> = case.topology.callees[node]
            .iter()
            .filter(active)
            .map(|c| convincing[*c])
            .collect();
        CandidateFeatures {
            deviation: convincing[node],
            explained: if is_target {
                1.0
            } else {
                explained(primary[node].as_ref(), sure[node], target)
            },
            own: if sure[node] > 0.0 {
                (1.0 - passed_on / sure[node]).max(0.0)
            } else {
                0.0
            },
            carried: if is_target || demanded <= sure[node] {
                1.0
            } else {
                sure[node] / demanded
            },
            callees: if callees.is_empty() {
                0.0
            } else {
                callees.iter().sum::<f64>() / callees.len() as f64
            },
            coverage: would_follow / (total + COVERAGE_FLOOR),
            pattern: primary[node]
                .as_ref()
                .map_or(0.0, |node| pattern(case, node, target)),
            other_metric: saturate(deviation(other[node].as_ref()), HALF_CONVINCING),
            surge: surge(case, &evidence.traffic, node),
            is_target: f64::from(u8::from(is_target)),
            unreachable: f64::from(u8::from(distances[node].is_none())),
        }
    });
    Some(features.collect())
}

/// The node's excess, as far as it stands out of the node's own noise.
fn sure_excess(node: Option<&Observation>) -> f64 {
    let Some(node) = node.filter(|node| node.excess > 0.0) else {
        return 0.0;
    };
    let squared = node.deviation * node.deviation;
    node.excess * squared / (squared + HALF_EXPLAINING * HALF_EXPLAINING)
}

/// The share of the target's excess that the node's would explain.
///
/// What a node adds to the target cannot vary more than the target does in normal operation:
/// a callee that varies more is not waited for, so its excess counts in the ratio of the two.
fn explained(node: Option<&Observation>, sure: f64, target: &Observation) -> f64 {
    let passed = match node {
        Some(node) if node.excess_sigma > 0.0 => (target.excess_sigma / node.excess_sigma).min(1.0),
        _ => 1.0,
    };
    let whole = target.excess.max(2.0 * target.excess_sigma);
    if whole > 0.0 {
        (sure * passed / whole).min(1.0)
    } else {
        0.0
    }
}

/// The cosine between the excess of two nodes over the rows after the onset; rows that one of them lacks are left out.
fn pattern(case: &Case, node: &Observation, target: &Observation) -> f64 {
    let (mut product, mut of_node, mut of_target) = (0.0, 0.0, 0.0);
    for row in &case.after {
        if let (Some(a), Some(b)) = (node.rows[*row], target.rows[*row]) {
            product += a * b;
            of_node += a * a;
            of_target += b * b;
        }
    }
    let lengths = (of_node * of_target).sqrt();
    if lengths > 0.0 {
        (product / lengths).max(0.0)
    } else {
        0.0
    }
}

/// How far the node's requests rose, less what those of its callers rose: traffic that is merely passed on is no surge here.
fn surge(case: &Case, traffic: &[Option<Observation>], node: usize) -> f64 {
    let own = deviation(traffic[node].as_ref());
    let callers = case.topology.callers[node].iter();
    let passed_on = callers
        .map(|caller| deviation(traffic[*caller].as_ref()))
        .fold(0.0, f64::max);
    saturate(own - passed_on, 2.0 * HALF_CONVINCING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::assess;
    use crate::incident::Incident;
    use crate::telemetry::Signal;
    use crate::test_data::{calm_incident, slow_incident};

    /// The features of the chain `front -> middle -> back`, in this order.
    fn chain(incident: Incident) -> [CandidateFeatures; 3] {
        let assessed = assess(incident).unwrap();
        ["front", "middle", "back"].map(|name| {
            let place = assessed.nodes.iter().position(|node| node == name).unwrap();
            assessed.features[place].clone()
        })
    }

    #[test]
    fn what_callees_have_is_not_own() {
        let [front, middle, back] = chain(slow_incident(&[
            ("front", 0.4),
            ("middle", 0.4),
            ("back", 0.4),
        ]));
        assert_eq!((front.own, middle.own, back.own), (0.0, 0.0, 1.0));
        assert!(back.explained > 0.99, "{back:?}");
        let [_, middle, _] = chain(slow_incident(&[
            ("front", 0.8),
            ("middle", 0.8),
            ("back", 0.4),
        ]));
        assert!((0.4..0.6).contains(&middle.own), "{middle:?}");
    }

    #[test]
    fn a_node_with_less_than_its_caller_does_not_carry_it() {
        let [front, middle, back] = chain(slow_incident(&[
            ("front", 0.8),
            ("middle", 0.8),
            ("back", 0.2),
        ]));
        assert_eq!((front.carried, middle.carried), (1.0, 1.0));
        assert!((0.2..0.3).contains(&back.carried), "{back:?}");
        assert!((0.2..0.3).contains(&back.explained), "{back:?}");
    }

    #[test]
    fn coverage_is_what_would_follow_from_the_node() {
        let [front, middle, back] = chain(slow_incident(&[("front", 0.4), ("middle", 0.4)]));
        assert!(front.coverage < middle.coverage, "{front:?} {middle:?}");
        assert_eq!(middle.coverage, back.coverage);
        assert!(
            chain(calm_incident())
                .iter()
                .all(|node| node.coverage == 0.0)
        );
    }

    #[test]
    fn a_pattern_follows_the_target() {
        let mut incident = slow_incident(&[("front", 0.4), ("middle", 0.4)]);
        incident.telemetry.insert(
            "back",
            Signal::LatencyAverage,
            vec![0.1, 0.5, 0.1, 0.1, 0.5],
        );
        let [_, middle, back] = chain(incident);
        assert!(middle.pattern > 0.99, "{middle:?}");
        assert!(back.pattern < 0.01, "{back:?}");
    }

    #[test]
    fn traffic_that_is_passed_on_is_no_surge() {
        let mut incident = calm_incident();
        for node in ["middle", "back"] {
            incident.telemetry.insert(
                node,
                Signal::Requests,
                vec![500.0, 500.0, 2_000.0, 2_000.0, 500.0],
            );
        }
        let [front, middle, back] = chain(incident);
        assert_eq!((front.surge, back.surge), (0.0, 0.0));
        assert!(middle.surge > 0.5, "{middle:?}");
    }

    #[test]
    fn failures_of_a_slow_node_are_the_other_metric() {
        let mut incident = slow_incident(&[("front", 0.4)]);
        incident.telemetry.insert(
            "back",
            Signal::Availability,
            vec![100.0, 100.0, 50.0, 50.0, 100.0],
        );
        let [front, _, back] = chain(incident);
        assert_eq!(front.other_metric, 0.0);
        assert!(back.other_metric > 0.8, "{back:?}");
    }

    #[test]
    fn a_callee_that_varies_more_than_the_target_explains_less() {
        let rows = |incident: &mut Incident, node: &str, spread: f64| {
            let baseline = incident.baseline.as_mut().unwrap();
            let values = (0..100)
                .map(|row| 0.5 + spread * f64::from(row % 5))
                .collect();
            baseline.insert(node, Signal::LatencyAverage, values);
        };
        let explained = |spread: f64| {
            let mut incident = slow_incident(&[("front", 0.4), ("back", 0.4)]);
            incident.baseline = Some(crate::telemetry::Telemetry::over(
                (0..100).map(f64::from).collect(),
            ));
            for node in ["front", "middle"] {
                rows(&mut incident, node, 0.01);
            }
            rows(&mut incident, "back", spread);
            let [_, _, back] = chain(incident);
            back.explained
        };
        assert!(explained(0.01) > 0.9);
        assert!(explained(0.1) < 0.2, "{}", explained(0.1));
    }
}
