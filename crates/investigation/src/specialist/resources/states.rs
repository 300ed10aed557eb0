//! Checks of words: states, results and reasons that AWS reports.

use super::Reading;
use crate::evidence::weights::{DECISIVE, MODERATE, STRONG};
use crate::evidence::{Category, FactKind, Findings};

/// A state that a resource should have.
struct State {
    names: &'static [&'static str],
    good: &'static [&'static str],
    weight: f64,
}

/// The state of a resource of any kind, under the names that the services use.
const STATES: &[State] = &[
    State {
        names: &["State"],
        good: &["active", "enabled", "running", "available", "in-use", "ok"],
        weight: STRONG,
    },
    State {
        names: &["LastUpdateStatus"],
        good: &["successful", "inprogress"],
        weight: MODERATE,
    },
    State {
        names: &["TableStatus", "DBInstanceStatus", "haproxy_backend_status"],
        good: &["active", "available", "up", "backing-up", "updating"],
        weight: STRONG,
    },
    State {
        names: &["rolloutState"],
        good: &["completed", "in_progress"],
        weight: MODERATE,
    },
];

/// A state that is not as it should be. `{"Name": "running"}` and `{"Code": "active"}` are states too.
pub(super) fn state(reading: &Reading<'_>, findings: &mut Findings) {
    for State {
        names,
        good,
        weight,
    } in STATES
    {
        let value = reading.resource.attributes.get(names);
        let word = value.and_then(|value| {
            let inner = value.get("Name").or_else(|| value.get("Code"));
            inner.unwrap_or(value).as_str()
        });
        if let Some(word) = word.filter(|word| !good.contains(&&*word.to_ascii_lowercase())) {
            let kind = FactKind::Setting {
                name: names[0].to_owned(),
                value: word.to_owned(),
            };
            let reason = reading.resource.attributes.text(&[
                "StateReason",
                "LastUpdateStatusReason",
                "rolloutStateReason",
                "StateMessage",
            ]);
            let because = reason
                .map(|reason| format!(" ({reason})"))
                .unwrap_or_default();
            let text = format!("{} is {word}{because}", names[0]);
            findings.facts.push(reading.fact(
                kind,
                Category::Configuration,
                *weight,
                text,
                names[0],
            ));
        }
    }
}

/// The outcome of an execution, as `aws stepfunctions describe-execution` tells it.
pub(super) fn execution(reading: &Reading<'_>, findings: &mut Findings) {
    let attributes = &reading.resource.attributes;
    let Some(status @ ("FAILED" | "TIMED_OUT" | "ABORTED")) =
        attributes.text(&["status", "execution_status"])
    else {
        return;
    };
    let error = attributes.text(&["error"]);
    let cause: String = attributes
        .text(&["cause"])
        .unwrap_or("no cause given")
        .chars()
        .take(300)
        .collect();
    let text = format!(
        "its execution ended {status}: {}: {cause}",
        error.unwrap_or("no error given")
    );
    let (kind, category, weight) = match crate::resource::Denial::in_message(&cause) {
        Some(denial) => {
            let kind = FactKind::PermissionDenied {
                principal: denial.principal,
                action: denial.action,
                resource: denial.resource,
            };
            (kind, Category::Permission, DECISIVE)
        }
        None => {
            let kind = FactKind::TraceFault {
                exception: error.map(str::to_owned),
                status: None,
                spans: 1,
            };
            let category = if status == "TIMED_OUT" {
                Category::Latency
            } else {
                Category::Errors
            };
            (kind, category, STRONG)
        }
    };
    findings
        .facts
        .push(reading.fact(kind, category, weight, text, "status"));
}

/// Why a task or instance stopped.
pub(super) fn stopped(reading: &Reading<'_>, findings: &mut Findings) {
    let attributes = &reading.resource.attributes;
    let Some(reason) = attributes.text(&["stoppedReason", "stopped_reason"]) else {
        return;
    };
    let memory = reason.contains("OutOfMemory") || attributes.number(&["exitCode"]) == Some(137.0);
    // Who is told to stop by a deployment or scaling is well.
    let healthy = reason.contains("Scaling activity") || reason.contains("deployment");
    if healthy && !memory {
        return;
    }
    let category = if memory {
        Category::Saturation
    } else {
        Category::Errors
    };
    let kind = FactKind::Setting {
        name: "stoppedReason".to_owned(),
        value: reason.to_owned(),
    };
    let text = format!("it stopped: {reason}");
    findings
        .facts
        .push(reading.fact(kind, category, STRONG, text, "stoppedReason"));
}
