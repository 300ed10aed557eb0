//! What an investigation is about: what was asked, and the resources that were found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Case;
use crate::request::{Found, Place, Urgency};
use crate::resource::{ResourceKind, route};

/// Entries of [`Report::resources`](super::Report::resources) at most.
pub const RESOURCES_SHOWN_MAX: usize = 200;
/// Entries of [`Report::asked`](super::Report::asked) at most.
const ASKED_MAX: usize = 200;

/// Something that was read in a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// `target`, `trace`, `error`, `time_range` or `urgency`.
    pub what: String,
    /// What it is.
    pub value: String,
    /// How surely it was read as what it is, 0 to 1; it says nothing about a cause.
    pub confidence: f64,
    /// Where it stood.
    pub place: Place,
}

/// A resource that a source names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportResource {
    /// Its node.
    pub node: String,
    /// Which specialist looks at it.
    pub kind: ResourceKind,
    /// Its type as the source calls it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether the routing table knows the type; else the generic specialist looks at it.
    pub known_type: bool,
    /// Its ARN.
    pub arn: Option<String>,
    /// A technical id beside its name.
    pub id: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// Its account.
    pub account: Option<String>,
    /// The stage of an API.
    pub stage: Option<String>,
    /// Where it was named.
    pub sources: Vec<String>,
}

/// The resources in the order in which they were named.
pub(super) fn resources(case: &Case) -> Vec<ReportResource> {
    let all = case
        .resources
        .iter()
        .zip(case.incident.resources.resources());
    let shown = all
        .take(RESOURCES_SHOWN_MAX)
        .map(|(node, resource)| ReportResource {
            node: case.nodes[*node].to_string(),
            kind: resource.kind(),
            type_name: resource.type_name.clone(),
            known_type: route(&resource.type_name).known,
            arn: resource.arn.as_ref().map(ToString::to_string),
            id: resource.id.clone(),
            region: resource.region.clone(),
            account: resource.account.clone(),
            stage: resource.stage.clone(),
            sources: resource.sources.clone(),
        });
    shown.collect()
}

/// What was read in the requests.
pub(super) fn asked(case: &Case) -> Vec<Asked> {
    fn entry<T>(what: &str, found: &Found<T>, value: String) -> Asked {
        Asked {
            what: what.to_owned(),
            value,
            confidence: found.confidence,
            place: found.place.clone(),
        }
    }
    let mut asked = Vec::new();
    for request in &case.incident.requests {
        let targets = request.targets.iter().map(|found| {
            let value = format!("{} {}", found.value.type_name, found.value.name);
            entry("target", found, value)
        });
        let traces = request
            .trace_ids
            .iter()
            .map(|found| entry("trace", found, found.value.clone()));
        let errors = request
            .errors
            .iter()
            .map(|found| entry("error", found, found.value.clone()));
        let range = request.time_range.iter().map(|found| {
            let value = format!("{:.0} to {:.0}", found.value.start, found.value.end);
            entry("time_range", found, value)
        });
        let urgency = request.urgency.iter().map(|found| {
            let word = match found.value {
                Urgency::Low => "low",
                Urgency::High => "high",
                Urgency::Critical => "critical",
            };
            entry("urgency", found, word.to_owned())
        });
        asked.extend(
            targets
                .chain(traces)
                .chain(errors)
                .chain(range)
                .chain(urgency),
        );
    }
    asked.truncate(ASKED_MAX);
    asked
}
