//! What to look at next when the evidence does not suffice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RankedNode;
use crate::evidence::Case;
use crate::resource::{NextRead, next_read, quoted};

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The node.
    pub node: String,
    /// What to look for.
    pub action: String,
    /// The command that does it, where one does.
    #[serde(default)]
    pub command: Option<String>,
    /// What a clear answer would be worth: the variance of "it is the cause" that it removes, 0 to 0.25.
    pub value: f64,
}

/// Probes at most.
const PROBES_MAX: usize = 5;

/// The target first when it could not be judged, then the nodes about which the answer is most open.
pub(super) fn next_probes(case: &Case, ranking: &[RankedNode], target_judged: bool) -> Vec<Probe> {
    let target = case.incident.target.as_ref();
    let metric = target.map(|target| target.signal.metric());
    let mut probes = Vec::new();
    if let Some(target) = target.filter(|_| !target_judged) {
        probes.push(Probe {
            node: target.node.to_string(),
            action: format!(
                "record its {} before and during the incident: without it nothing can be compared",
                target.signal.metric()
            ),
            command: None,
            value: 0.25,
        });
    }
    probes.extend(traces(case));
    for ranked in ranking {
        let value = ranked.confidence * (1.0 - ranked.confidence);
        if value <= 0.0 || probes.len() >= PROBES_MAX {
            continue;
        }
        let shows = match metric {
            Some(metric) => format!("that its {metric} shows"),
            None => "that what was read shows".to_owned(),
        };
        if let Some(read) = of_resource(case, &ranked.node) {
            probes.push(Probe {
                node: ranked.node.clone(),
                action: read.action,
                command: read.command,
                value,
            });
            continue;
        }
        probes.push(Probe {
            node: ranked.node.clone(),
            command: None,
            action: format!(
                "read its logs, traces and changes around the onset: they confirm or exclude a cause {shows} with {:.0} %",
                ranked.confidence * 100.0
            ),
            value,
        });
    }
    probes.sort_by(|a, b| {
        b.value
            .total_cmp(&a.value)
            .then_with(|| a.node.cmp(&b.node))
    });
    probes
}

/// Traces that somebody named and nobody gave.
fn traces(case: &Case) -> Vec<Probe> {
    let missing = case.incident.missing_traces();
    let fetch = |id: String| Probe {
        action: "fetch the trace: it names the resources that took part, and where they failed"
            .to_owned(),
        command: Some(format!(
            "aws xray batch-get-traces --trace-ids {0} > trace.json && investigate trace trace.json",
            quoted(&id)
        )),
        node: id,
        // Nothing is known of it yet, so a clear answer may be worth most.
        value: 0.25,
    };
    missing.into_iter().take(PROBES_MAX).map(fetch).collect()
}

/// What to read about the resource at a node.
fn of_resource(case: &Case, node: &str) -> Option<NextRead> {
    let resource = case.resources_at(case.place(node)?).next()?;
    Some(next_read(resource, case.incident.window()))
}
