//! Latency: how much longer a node takes than it does otherwise.

use super::measure::{Rows, weights};
use super::{Depth, Examine};
use crate::evidence::{Case, Findings, Prior};
use crate::statistics::{Spread, quantile, spread};
use crate::telemetry::{Metric, Signal};

/// Standard deviation of one request's latency over its mean, assumed without a baseline: that of an exponential distribution.
const REQUEST_VARIATION: f64 = 1.0;
/// What varies even with many requests, as a share of the level.
const SHARED_VARIATION: f64 = 0.05;
/// The least spread to believe in, as a share of the level.
const VARIATION_MIN: f64 = 0.01;

/// How long requests take.
pub(super) struct Latency;

impl Examine for Latency {
    fn name(&self) -> &'static str {
        "latency"
    }

    fn capability(&self) -> &'static str {
        "investigate.latency"
    }

    fn depth(&self) -> Depth {
        Depth::Wide
    }

    fn reads(&self) -> Option<Metric> {
        Some(Metric::Latency)
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        case.nodes_with(&Signal::LATENCIES)
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        observe(case, nodes, findings);
    }
}

/// Compares the latency of the nodes with its reference.
fn observe(case: &Case, nodes: &[usize], findings: &mut Findings) {
    let rows = case.incident.telemetry.starts().len();
    let mut scratch = Vec::new();
    for node in nodes.iter().map(|node| &case.nodes[*node]) {
        let Some((values, baseline)) = case.series(node, &Signal::LATENCIES) else {
            continue;
        };
        let weights = weights(case, node, rows);
        let rows = Rows {
            node,
            metric: Metric::Latency,
            values,
            weights: &weights,
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
        let requests = rows
            .mean(&case.telling)
            .map_or(1.0, |(_, requests, _)| requests);
        let prior = Prior {
            before: before.map(|(level, _, count)| (level, count)),
            baseline: usual.map(|usual| thinned(case, node, usual, requests, &mut scratch)),
            sigma_without_baseline: level
                * (REQUEST_VARIATION * REQUEST_VARIATION / requests.max(1.0)
                    + SHARED_VARIATION * SHARED_VARIATION)
                    .sqrt(),
            sigma_min: level * VARIATION_MIN,
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

/// A mean over fewer requests than in the baseline varies more, by the root of their ratio.
fn thinned(
    case: &Case,
    node: &str,
    usual: Spread,
    requests: f64,
    scratch: &mut Vec<f64>,
) -> Spread {
    let baseline = case.incident.baseline.as_ref();
    let Some(counts) = baseline.and_then(|baseline| baseline.series(node, Signal::Requests)) else {
        return usual;
    };
    scratch.clear();
    scratch.extend(counts.iter().copied().filter(|count| *count > 0.0));
    let Some(usual_requests) = quantile(scratch, 0.5) else {
        return usual;
    };
    Spread {
        sigma: usual.sigma * (usual_requests / requests.max(1.0)).max(1.0).sqrt(),
        ..usual
    }
}
