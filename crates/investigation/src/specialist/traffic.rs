//! Traffic: how many requests a node gets, against what it gets otherwise.

use super::measure::Rows;
use super::{Depth, Examine};
use crate::evidence::{Case, Findings, Prior};
use crate::statistics::spread;
use crate::telemetry::{Metric, Signal};

/// What the number of requests varies by without a baseline, as a share of the level, beside the root of the number.
const SHARED_VARIATION: f64 = 0.1;

/// How many requests arrive.
pub(super) struct Traffic;

impl Examine for Traffic {
    fn name(&self) -> &'static str {
        "traffic"
    }

    fn capability(&self) -> &'static str {
        "investigate.traffic"
    }

    fn depth(&self) -> Depth {
        Depth::Wide
    }

    fn reads(&self) -> Option<Metric> {
        Some(Metric::Requests)
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        case.nodes_with(&[Signal::Requests])
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        observe(case, nodes, findings);
    }
}

/// Compares the requests of the nodes with their reference.
fn observe(case: &Case, nodes: &[usize], findings: &mut Findings) {
    let mut scratch = Vec::new();
    for node in nodes.iter().map(|node| &case.nodes[*node]) {
        let Some((values, baseline)) = case.series(node, &[Signal::Requests]) else {
            continue;
        };
        let ones = vec![1.0; values.len()];
        let rows = Rows {
            node,
            metric: Metric::Requests,
            values,
            weights: &ones,
        };
        let usual = baseline.and_then(|values| {
            scratch.clear();
            scratch.extend_from_slice(values);
            spread(&mut scratch)
        });
        let before = rows.mean(&case.before);
        let level = before
            .map(|(level, _, _)| level)
            .or(usual.map(|usual| usual.level))
            .unwrap_or(0.0);
        // Arrivals are counted: their variance is at least their number (Poisson).
        let counting = (level + 1.0).sqrt();
        let prior = Prior {
            before: before.map(|(level, _, count)| (level, count)),
            baseline: usual,
            sigma_without_baseline: counting.hypot(level * SHARED_VARIATION),
            sigma_min: counting,
        };
        let Some(reference) = prior.reference() else {
            findings
                .unknown
                .push(rows.unknown("no value before the onset and none in the baseline"));
            continue;
        };
        match rows.against(case, &reference) {
            Ok(observation) => findings.observations.push(observation),
            Err(unknown) => findings.unknown.push(unknown),
        }
    }
}
