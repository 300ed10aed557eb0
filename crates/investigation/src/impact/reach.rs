//! The blast radius: who is reached by trouble of a node.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Case, Observation};
use crate::ranking::Evidence;
use crate::telemetry::Metric;

/// Callers that are listed at most.
pub const CALLERS_MAX: usize = 50;

/// Who is reached by trouble of the first node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlastRadius {
    /// The node that the trouble comes from.
    pub node: String,
    /// Its direct and indirect callers, the nearest first; at most [`CALLERS_MAX`].
    pub callers: Vec<ReachedCaller>,
    /// How many callers there are in all.
    pub callers_total: usize,
    /// How many of them are affected, of those that could be judged.
    pub callers_affected: usize,
    /// Nodes that nobody calls, from which calls lead to the node.
    pub entries: Vec<String>,
    /// The share of all entry requests in the telling rows that arrive at these entries; `null` when entries have no requests.
    pub entry_requests_share: Option<f64>,
}

/// One caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReachedCaller {
    /// Its name.
    pub node: String,
    /// Calls between it and the node.
    pub distance: u32,
    /// Whether it is slower or fails more often than usual; `null` when that could not be judged.
    pub affected: Option<bool>,
}

/// From how many standard deviations on a caller counts as affected.
const AFFECTED: f64 = 3.0;

pub(crate) fn reach(case: &Case, evidence: &Evidence, place: usize) -> BlastRadius {
    let distances = case.topology.callers_and_self(place);
    let affected = |caller: usize| {
        let observed = [Metric::Latency, Metric::Availability]
            .into_iter()
            .filter_map(|metric| evidence.in_metric(metric)[caller].as_ref());
        let largest = observed.map(|o: &Observation| o.deviation).reduce(f64::max);
        largest.map(|deviation| deviation >= AFFECTED)
    };
    let mut callers: Vec<(u32, usize, Option<bool>)> = distances
        .iter()
        .enumerate()
        .filter(|(caller, _)| *caller != place)
        .filter_map(|(caller, distance)| Some(((*distance)?, caller, affected(caller))))
        .collect();
    // Places are in the order of names.
    callers.sort_unstable();
    let entry = |node: usize| case.topology.callers[node].is_empty();
    let entries: Vec<usize> = distances
        .iter()
        .enumerate()
        .filter(|(node, distance)| distance.is_some() && entry(*node))
        .map(|(node, _)| node)
        .collect();
    let requests = |node: usize| -> f64 {
        let Some(requests) = case.requests(&case.nodes[node]) else {
            return 0.0;
        };
        let rows = case.telling.iter().map(|row| requests[*row]);
        rows.filter(|count| !count.is_nan()).sum()
    };
    let all: f64 = (0..case.nodes.len())
        .filter(|node| entry(*node) && !case.topology.callees[*node].is_empty())
        .map(requests)
        .sum();
    let reached: f64 = entries.iter().map(|node| requests(*node)).sum();
    BlastRadius {
        node: case.nodes[place].to_string(),
        callers_total: callers.len(),
        callers_affected: callers
            .iter()
            .filter(|(_, _, affected)| *affected == Some(true))
            .count(),
        callers: callers
            .iter()
            .take(CALLERS_MAX)
            .map(|(distance, caller, affected)| ReachedCaller {
                node: case.nodes[*caller].to_string(),
                distance: *distance,
                affected: *affected,
            })
            .collect(),
        entries: entries
            .iter()
            .take(CALLERS_MAX)
            .map(|node| case.nodes[*node].to_string())
            .collect(),
        entry_requests_share: (all > 0.0).then(|| (reached / all).min(1.0)),
    }
}
