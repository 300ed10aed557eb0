//! Finds the node that caused an incident, from recorded telemetry and the call graph, and says how sure it is.

mod assess;
mod evidence;
mod graph;
mod incident;
mod ranking;
mod specialist;
mod statistics;
mod telemetry;

pub use assess::{Assessment, Ranked, assess_with};
pub use evidence::{Findings, Observation, ReferenceSource, Symptom, Unknown};
pub use graph::CallGraph;
pub use incident::{
    Incident, IncidentFiles, READ_LIMITS, ReadError, ReadErrorKind, ReadLimits, Target,
};
pub use ranking::{CandidateFeatures, FEATURE_NAMES, Weights};
pub use telemetry::{Metric, Signal, Statistic, Telemetry};
