//! The report: what was found, how sure it is, and what could not be known.

mod actions;
mod build;
mod compare;
mod explain;
mod html;
mod markdown;
mod probe;
mod resource;
mod terminal;
mod told;
mod words;

pub use compare::compare;
pub use explain::{Contribution, EXPLAINED_FACTS_MAX, Explanation};
pub use html::html;
pub use markdown::post_mortem;
pub use probe::Probe;
pub use resource::{Asked, RESOURCES_SHOWN_MAX, ReportResource};
pub use terminal::{Style, render};

pub(crate) use build::{build, verdict};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Fact, Observation, Symptom, Unknown};
use crate::hypothesis::Hypothesis;
use crate::impact::{BlastRadius, Factor, Severity, TimelineEntry};
use crate::ranking::CandidateFeatures;
use crate::telemetry::{Metric, Statistic};
use crate::verdict::Verdict;
use crate::wave::{CostSummary, SpecialistRun};

/// Version of the report's form; it changes when a key changes its meaning or goes away.
pub const REPORT_VERSION: u32 = 2;

/// All that an investigation says. As JSON it follows `docs/investigation.schema.json`.
///
/// Two reports on the same data are equal but for [`run`](Self::run) and the times in [`specialists`](Self::specialists).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub report_version: u32,
    /// The answer.
    pub verdict: Verdict,
    /// Probability that there is a fault at all, 0 to 1.
    pub fault_probability: f64,
    /// Probability that there is a fault whose cause is not in the data, 0 to 1.
    pub elsewhere_probability: f64,
    /// Where the symptom shows; `null` without a metric target.
    pub target: Option<ReportTarget>,
    /// How strong the symptom is; `null` when the target could not be judged.
    pub symptom: Option<Symptom>,
    /// How much users were hit.
    pub severity: Severity,
    /// The nodes that may have caused it.
    pub root_cause: RootCause,
    /// Who is reached by the trouble of the first node; `null` unless diagnosed.
    pub blast_radius: Option<BlastRadius>,
    /// What happened when, from data; at most [`TIMELINE_MAX`](crate::TIMELINE_MAX) entries.
    pub timeline: Vec<TimelineEntry>,
    /// The observations of the nodes that the ranking begins with, and of the target.
    pub evidence: Vec<Observation>,
    /// Why one node has its confidence, if that was asked for.
    pub explanation: Option<Explanation>,
    /// What was really read about nodes, the weightiest first; at most [`FACTS_MAX`].
    pub facts: Vec<Fact>,
    /// How many facts there are in all.
    pub facts_total: usize,
    /// What may have happened, the likeliest first, with every attempt to disprove it; at most [`HYPOTHESES_MAX`](crate::HYPOTHESES_MAX).
    pub hypotheses: Vec<Hypothesis>,
    /// What to look at next, the most valuable first; empty when diagnosed.
    pub next_probes: Vec<Probe>,
    /// What could not be read or judged, at most [`UNKNOWN_MAX`].
    pub unknown: Vec<Unknown>,
    /// How many could not be read or judged in all.
    pub unknown_total: usize,
    /// What the reader met and worked around, and what limits the answer.
    pub notes: Vec<String>,
    /// What was read in requests, and how surely.
    #[serde(default)]
    pub asked: Vec<Asked>,
    /// The resources that the sources name, at most [`RESOURCES_SHOWN_MAX`].
    #[serde(default)]
    pub resources: Vec<ReportResource>,
    /// How many resources there are in all.
    #[serde(default)]
    pub resources_total: usize,
    /// What was read.
    pub data: DataSummary,
    /// What became of each specialist.
    pub specialists: Vec<SpecialistRun>,
    /// What they cost together.
    pub costs: CostSummary,
    /// When this report was made.
    pub run: RunSummary,
}

/// Entries of [`Report::unknown`] at most.
pub const UNKNOWN_MAX: usize = 50;
/// Entries of [`Report::facts`] at most.
pub const FACTS_MAX: usize = 200;
/// Entries of [`RootCause::ranking`] at most.
pub const RANKING_MAX: usize = 100;
/// Nodes of the ranking whose observations are reported.
pub const EVIDENCE_NODES_MAX: usize = 3;

/// The symptom's place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportTarget {
    /// The node.
    pub node: String,
    /// The metric.
    pub metric: Metric,
    /// The statistic of the metric.
    pub statistic: Statistic,
    /// When it was noticed, in seconds since 1970.
    pub at: Option<f64>,
    /// Starts of the intervals in which the symptom is strongest, in seconds since 1970.
    pub telling: Vec<f64>,
}

/// The ranking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RootCause {
    /// Nodes in total order, the likeliest first; empty unless diagnosed. At most [`RANKING_MAX`].
    pub ranking: Vec<RankedNode>,
    /// What contributed beside the likeliest cause; empty when there is no fault. At most [`FACTORS_MAX`](crate::FACTORS_MAX).
    pub contributing: Vec<Factor>,
}

/// One place of the ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RankedNode {
    /// The node.
    pub node: String,
    /// Probability that it is the cause, 0 to 1.
    pub confidence: f64,
    /// Calls between the target, or where all traces begin, and the node; `null` when no chain of calls leads there.
    pub distance: Option<u32>,
    /// Its confidence before facts were weighed.
    pub prior: f64,
    /// The sum of weights of its facts, in nats.
    pub weight: f64,
    /// What the prior rests on; `null` when there is no metric to judge by.
    pub features: Option<CandidateFeatures>,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataSummary {
    /// Nodes of metrics and graph.
    pub nodes: usize,
    /// Calls of the graph.
    pub calls: usize,
    /// Series of the incident.
    pub series: usize,
    /// Intervals of the incident.
    pub intervals: usize,
    /// Intervals before the onset.
    pub intervals_before: usize,
    /// Intervals of the baseline; 0 when there is none.
    pub baseline_intervals: usize,
}

/// When the investigation ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSummary {
    /// Its end, in milliseconds since 1970.
    pub ended_at_unix_ms: u64,
    /// From the case to the report, in microseconds.
    pub elapsed_us: u64,
}

/// The JSON schema of a report.
#[must_use]
pub fn report_schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}
