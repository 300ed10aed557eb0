//! What one source delivers, and how several become one incident.

use super::{Incident, Target};
use crate::events::Event;
use crate::evidence::Unknown;
use crate::graph::CallGraph;
use crate::logs::LogSummary;
use crate::request::Request;
use crate::resource::{Resource, Thresholds};
use crate::source::host::HostReading;
use crate::telemetry::Telemetry;
use crate::trace::Trace;

/// What one source delivers. All of it is optional and empty by default.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Who calls whom.
    pub calls: CallGraph,
    /// What was measured around the incident.
    pub telemetry: Telemetry,
    /// What was measured in normal operation.
    pub baseline: Option<Telemetry>,
    /// The resources that it names. One that another source names too is one.
    pub resources: Vec<Resource>,
    /// Traces; the `resource` of a span is a place in `resources`.
    pub traces: Vec<Trace>,
    /// From which values on a setting or state of a resource is worth a fact, if the source says so.
    pub thresholds: Option<Thresholds>,
    /// What somebody asked.
    pub requests: Vec<Request>,
    /// Logs of nodes.
    pub logs: Vec<LogSummary>,
    /// What was changed.
    pub events: Vec<Event>,
    /// Machines that were sampled.
    pub hosts: Vec<HostReading>,
    /// Reads that failed.
    pub unknown: Vec<Unknown>,
    /// What the source met and worked around, in words for the report.
    pub notes: Vec<String>,
}

impl Incident {
    /// An incident from any number of sources, merged in their order.
    #[must_use]
    pub fn of(target: Option<Target>, sources: impl IntoIterator<Item = Gathered>) -> Self {
        let mut incident = Self {
            target,
            ..Self::default()
        };
        for source in sources {
            incident.add(source);
        }
        incident
    }

    /// Merges what one more source delivers.
    ///
    /// Of a series that is there already, values are filled in where they are missing. Nothing is overwritten.
    pub fn add(&mut self, source: Gathered) {
        let Gathered {
            calls,
            telemetry,
            baseline,
            resources,
            traces,
            thresholds,
            requests,
            logs,
            events,
            hosts,
            unknown,
            notes,
        } = source;
        self.graph.merge(&calls);
        self.telemetry.merge(telemetry);
        match (&mut self.baseline, baseline) {
            (Some(own), Some(other)) => own.merge(other),
            (own @ None, other) => *own = other,
            (Some(_), None) => {}
        }
        self.add_resources(resources, traces);
        if let Some(thresholds) = thresholds {
            self.thresholds = thresholds;
        }
        self.requests.extend(requests);
        self.logs.extend(logs);
        self.events.extend(events);
        self.hosts.extend(hosts);
        self.unknown.extend(unknown);
        self.notes.extend(notes);
    }
}
