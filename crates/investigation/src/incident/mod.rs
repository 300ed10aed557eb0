//! An incident: the symptom, what was measured and read, and who calls whom.

mod gathered;
mod read;
mod resources;
mod write;

pub use gathered::Gathered;
pub use read::{
    IncidentFiles, READ_LIMITS, ReadError, ReadErrorKind, ReadLimits, read_graph, read_resources,
};
pub use write::SaveError;

use std::sync::Arc;

use crate::events::Event;
use crate::evidence::Unknown;
use crate::graph::CallGraph;
use crate::logs::LogSummary;
use crate::request::Request;
use crate::resource::{Inventory, Thresholds};
use crate::source::host::HostReading;
use crate::telemetry::{Signal, Telemetry};
use crate::trace::Trace;

/// Where the symptom shows, and when the incident was noticed or began.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The node at which users see the trouble.
    pub node: Arc<str>,
    /// The series that shows it: a latency or availability.
    pub signal: Signal,
    /// Seconds since 1970, if known. Intervals that end by then count as before the incident.
    pub at: Option<f64>,
}

/// What an investigation starts from. All of it is data; nothing of it is changed.
///
/// Everything is optional: without a metric target the facts alone decide.
#[derive(Clone, Debug, Default)]
pub struct Incident {
    /// The series that shows the symptom, if there is one.
    pub target: Option<Target>,
    /// What was measured around the incident.
    pub telemetry: Telemetry,
    /// What was measured in normal operation, if known.
    pub baseline: Option<Telemetry>,
    /// Who calls whom.
    pub graph: CallGraph,
    /// The resources that the sources name, each once.
    pub resources: Inventory,
    /// From which values on a setting or state of a resource is worth a fact.
    pub thresholds: Thresholds,
    /// Traces; the `resource` of a span is a place in `resources`.
    pub traces: Vec<Trace>,
    /// What somebody asked.
    pub requests: Vec<Request>,
    /// Logs of nodes. Several of one node are all looked at.
    pub logs: Vec<LogSummary>,
    /// What was changed, in any order.
    pub events: Vec<Event>,
    /// Machines that were sampled.
    pub hosts: Vec<HostReading>,
    /// Nobody complained: it is only looked whether all is well. Then nothing beyond its bounds means that there is no fault.
    pub check_up: bool,
    /// Reads of the sources that failed.
    pub unknown: Vec<Unknown>,
    /// What the sources met and worked around, in words for the report.
    pub notes: Vec<String>,
}
