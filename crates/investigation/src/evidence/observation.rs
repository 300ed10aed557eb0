//! What a specialist hands on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fact;
use crate::telemetry::Metric;

/// What a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceSource {
    /// The baseline alone.
    Baseline,
    /// The incident's rows before the onset alone.
    BeforeOnset,
    /// Both, weighted by how well they agree.
    Both,
}

/// One series of one node in the telling rows, against its reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// The node.
    pub node: String,
    /// What was measured.
    pub metric: Metric,
    /// What the reference is made of.
    pub reference_source: ReferenceSource,
    /// The level to compare with: seconds, requests of an interval, or the share of requests that failed.
    pub reference: f64,
    /// The level in the telling rows, in the unit of `reference`.
    pub value: f64,
    /// How much `value - reference` varies in normal operation, as a standard deviation.
    pub sigma: f64,
    /// `value - reference` in units of `sigma`, cut to ±1000.
    pub deviation: f64,
    /// What came on top in an interval: seconds spent by all requests together, failed requests, or requests.
    pub excess: f64,
    /// The standard deviation of `excess` in normal operation.
    pub excess_sigma: f64,
    /// What came on top in each interval of the incident; `null` where the value is missing.
    pub rows: Vec<Option<f64>>,
    /// The exact question that a server answered with these values; `null` when they were recorded.
    pub query: Option<String>,
}

impl Observation {
    /// Largest absolute value of [`deviation`](Self::deviation).
    pub const DEVIATION_MAX: f64 = 1_000.0;
}

/// A failed or impossible read. It is no fact: it speaks neither for a node nor against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unknown {
    /// The node.
    pub node: String,
    /// What would have been read, for example `latency` or `its logs`.
    pub what: String,
    /// Why it could not be read or judged.
    pub reason: String,
}

/// All that one specialist found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// Series that were judged, in the order of nodes.
    pub observations: Vec<Observation>,
    /// What was really read about nodes.
    pub facts: Vec<Fact>,
    /// What could not be read or judged.
    pub unknown: Vec<Unknown>,
}
