//! Errors: which share of a node's requests fails, against what fails otherwise.

use super::measure::{Rows, weights};
use super::{Depth, Examine};
use crate::evidence::{Case, Findings, Prior};
use crate::statistics::spread;
use crate::telemetry::{Metric, Signal};

/// Which share of requests fails.
pub(super) struct Errors;

impl Examine for Errors {
    fn name(&self) -> &'static str {
        "errors"
    }

    fn capability(&self) -> &'static str {
        "investigate.errors"
    }

    fn depth(&self) -> Depth {
        Depth::Wide
    }

    fn reads(&self) -> Option<Metric> {
        Some(Metric::Availability)
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        case.nodes_with(&[Signal::Availability])
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        observe(case, nodes, findings);
    }
}

/// Compares the share of failed requests of the nodes with its reference.
fn observe(case: &Case, nodes: &[usize], findings: &mut Findings) {
    let mut scratch = Vec::new();
    for node in nodes.iter().map(|node| &case.nodes[*node]) {
        let Some((values, baseline)) = case.series(node, &[Signal::Availability]) else {
            continue;
        };
        let values: Vec<f64> = values.iter().map(|percent| failed(*percent)).collect();
        let weights = weights(case, node, values.len());
        let rows = Rows {
            node,
            metric: Metric::Availability,
            values: &values,
            weights: &weights,
        };
        let usual = baseline.and_then(|values| {
            scratch.clear();
            scratch.extend(values.iter().map(|percent| failed(*percent)));
            spread(&mut scratch)
        });
        let before = rows.mean(&case.before);
        let level = before
            .map(|(level, _, _)| level)
            .or(usual.map(|usual| usual.level))
            .unwrap_or(0.0);
        let requests = rows
            .mean(&case.telling)
            .map_or(1.0, |(_, requests, _)| requests)
            .max(1.0);
        // One request more or less: what a binomial share varies by, with one success and one failure added
        // so that a share of 0 or 1 is not taken for certain (Agresti and Coull 1998).
        let share = (level * requests + 1.0) / (requests + 2.0);
        let counting = (share * (1.0 - share) / requests).sqrt();
        let prior = Prior {
            before: before.map(|(level, _, count)| (level, count)),
            baseline: usual.map(|usual| crate::statistics::Spread {
                sigma: usual.sigma.hypot(counting),
                ..usual
            }),
            sigma_without_baseline: counting,
            sigma_min: counting,
        };
        let Some(reference) = prior.reference() else {
            findings
                .unknown
                .push(rows.unknown("no request before the onset and none in the baseline"));
            continue;
        };
        match rows.against(case, &reference) {
            Ok(observation) => findings.observations.push(observation),
            Err(unknown) => findings.unknown.push(unknown),
        }
    }
}

fn failed(percent: f64) -> f64 {
    (100.0 - percent) / 100.0
}
