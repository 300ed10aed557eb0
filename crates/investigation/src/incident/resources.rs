//! Resources of an incident: merged from all sources, and connected by what traces show.

use std::sync::Arc;

use super::{Gathered, Incident};
use crate::evidence::Unknown;
use crate::request::Request;
use crate::resource::{Denial, Resource};
use crate::trace::{Trace, Traces};

/// Around traces, so much more is looked at.
const WINDOW_SECONDS: f64 = 60.0;

impl Incident {
    /// Adds resources, each once, and traces whose spans point to them.
    pub(super) fn add_resources(&mut self, resources: Vec<Resource>, traces: Vec<Trace>) {
        let mut refused = 0_usize;
        let places: Vec<Option<usize>> = resources
            .into_iter()
            .map(|resource| self.resources.add(resource).map_err(|_| refused += 1).ok())
            .collect();
        if refused > 0 {
            self.notes.push(format!(
                "{refused} resources are left out: there are too many"
            ));
        }
        for mut trace in traces {
            for span in &mut trace.spans {
                span.resource = span
                    .resource
                    .and_then(|own| places.get(own).copied().flatten());
            }
            self.traces.push(trace);
        }
    }

    /// Ids of traces that a request names and no source gave, each once.
    pub(crate) fn missing_traces(&self) -> Vec<String> {
        let named = self.requests.iter().flat_map(|request| &request.trace_ids);
        let mut missing: Vec<String> = named
            .map(|found| found.value.clone())
            .filter(|id| self.traces.iter().all(|trace| trace.id != *id))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// The time that it is about, from the request or else from the traces, in seconds since 1970.
    pub(crate) fn window(&self) -> Option<(f64, f64)> {
        let asked = self
            .requests
            .iter()
            .find_map(|request| request.time_range.as_ref());
        if let Some(found) = asked {
            return Some((found.value.start, found.value.end));
        }
        let bounds = self.traces.iter().filter_map(Trace::bounds);
        let (from, to) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        // Logs are written a little later than what they tell of.
        Some((from - WINDOW_SECONDS, to + WINDOW_SECONDS))
    }

    /// Puts every resource into the call graph under its node's name, with the calls that traces show, and says the names.
    pub(crate) fn connect(&mut self) -> Vec<Arc<str>> {
        let names: Vec<Arc<str>> = self
            .resources
            .node_names()
            .iter()
            .map(|name| Arc::from(&**name))
            .collect();
        for name in &names {
            self.graph.add_node(name);
        }
        for trace in &self.traces {
            for span in &trace.spans {
                let caller = span.parent.and_then(|parent| trace.spans[parent].resource);
                if let (Some(caller), Some(callee)) = (caller, span.resource)
                    && caller != callee
                {
                    self.graph.add_call(&names[caller], &names[callee]);
                }
            }
        }
        names
    }
}

impl From<Traces> for Gathered {
    fn from(traces: Traces) -> Self {
        let missing = traces.missing.into_iter().map(|id| Unknown {
            node: id,
            what: "the trace".to_owned(),
            reason: "X-Ray did not deliver it: it may be too old or have another region".to_owned(),
        });
        Self {
            resources: traces.inventory.resources().to_vec(),
            unknown: missing.collect(),
            traces: traces.traces,
            notes: traces.notes,
            ..Self::default()
        }
    }
}

impl From<Request> for Gathered {
    fn from(request: Request) -> Self {
        let targets = request.targets.iter().map(|found| found.value.clone());
        let denials = request
            .errors
            .iter()
            .filter_map(|found| Denial::in_message(&found.value));
        let denied = denials
            .flat_map(|denial| denial.arns())
            .map(|arn| Resource::of_arn(&arn).from_source("error message of the request"));
        let mut notes = request.notes.clone();
        if request.is_empty() {
            notes.push(
                "the request names nothing to investigate: name a resource (lambda `pay`), an ARN or a trace id"
                    .to_owned(),
            );
        }
        Self {
            resources: targets.chain(denied).collect(),
            notes,
            requests: vec![request],
            ..Self::default()
        }
    }
}
