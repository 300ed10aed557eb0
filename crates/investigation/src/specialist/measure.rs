//! What the specialists share: from rows and a reference to an observation.

use crate::evidence::{Case, Observation, Reference, Unknown};
use crate::telemetry::Metric;

/// The rows of one series of a node, as the specialist understands them.
pub(super) struct Rows<'a> {
    pub(super) node: &'a str,
    pub(super) metric: Metric,
    /// The value of each row, larger is worse; missing values are NaN.
    pub(super) values: &'a [f64],
    /// What a value counts for: the requests of the row, or one.
    pub(super) weights: &'a [f64],
}

impl Rows<'_> {
    /// Weighted mean of the given rows that have a value, their mean weight, and how many they are.
    pub(super) fn mean(&self, rows: &[usize]) -> Option<(f64, f64, usize)> {
        let (mut sum, mut weight, mut count) = (0.0, 0.0, 0_usize);
        for row in rows {
            let (value, requests) = (self.values[*row], self.weights[*row]);
            if !value.is_nan() && requests > 0.0 {
                sum += value * requests;
                weight += requests;
                count += 1;
            }
        }
        (count > 0).then(|| (sum / weight, weight / count as f64, count))
    }

    /// Compares the telling rows with the reference.
    pub(super) fn against(
        &self,
        case: &Case,
        reference: &Reference,
    ) -> Result<Observation, Unknown> {
        let Some((value, weight, count)) = self.mean(&case.telling) else {
            return Err(self.unknown("no value in the telling rows"));
        };
        let sigma = reference.contrast_sigma(count);
        let distance = value - reference.level;
        let deviation = if sigma > 0.0 { distance / sigma } else { 0.0 };
        let row = |(value, weight): (&f64, &f64)| {
            (!value.is_nan()).then(|| (value - reference.level) * weight)
        };
        // Rows in which the node did nothing add nothing, but count.
        let active = count as f64 / case.telling.len().max(1) as f64;
        Ok(Observation {
            node: self.node.to_owned(),
            metric: self.metric,
            reference_source: reference.source,
            reference: reference.level,
            value,
            sigma,
            deviation: deviation.clamp(-Observation::DEVIATION_MAX, Observation::DEVIATION_MAX),
            excess: distance * weight * active,
            excess_sigma: sigma * weight * active,
            rows: self.values.iter().zip(self.weights).map(row).collect(),
            query: case.query(self.node, self.metric).map(str::to_owned),
        })
    }

    pub(super) fn unknown(&self, reason: &str) -> Unknown {
        Unknown {
            node: self.node.to_owned(),
            what: self.metric.to_string(),
            reason: reason.to_owned(),
        }
    }
}

/// The requests of each row; where they are not recorded, one, so that the node still counts.
pub(super) fn weights(case: &Case, node: &str, rows: usize) -> Vec<f64> {
    match case.requests(node) {
        Some(requests) => requests
            .iter()
            .map(|count| if count.is_nan() { 1.0 } else { *count })
            .collect(),
        None => vec![1.0; rows],
    }
}
