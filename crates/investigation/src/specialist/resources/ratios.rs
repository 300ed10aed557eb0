//! Checks of two numbers: shares, use of a limit, and time against a time limit.

use super::Reading;
use crate::evidence::weights::{MODERATE, SETTING, STRONG, THRESHOLD, WEAK};
use crate::evidence::{Category, Fact, FactKind, Findings};
use crate::telemetry::Signal;

/// Parts over whole, when the whole is above zero.
fn share(reading: &Reading<'_>, part: &[&str], whole: &[&str]) -> Option<f64> {
    let (part, whole) = (reading.number(part)?, reading.number(whole)?);
    (whole > 0.0 && part >= 0.0).then(|| part / whole)
}

fn beyond(
    reading: &Reading<'_>,
    metric: &str,
    bound: f64,
    value: f64,
    category: Category,
    weight: f64,
    text: String,
) -> Fact {
    let kind = FactKind::Threshold {
        metric: metric.to_owned(),
        bound,
        value,
    };
    reading.fact(kind, category, weight, text, metric)
}

/// Errors over invocations by their sums, not by how many data points there are; from attributes, else from metrics.
pub(super) fn lambda_errors(reading: &Reading<'_>, findings: &mut Findings) {
    let bound = reading.case.incident.thresholds.lambda_error_share_max;
    let given = share(
        reading,
        &["Errors", "errors_sum"],
        &["Invocations", "invocations_sum"],
    );
    let measured = || {
        let telemetry = &reading.case.incident.telemetry;
        let availability = telemetry.series(reading.name(), Signal::Availability)?;
        let requests = telemetry.series(reading.name(), Signal::Requests)?;
        let (mut failed, mut all) = (0.0, 0.0);
        for row in &reading.case.telling {
            let (percent, count) = (availability[*row], requests[*row]);
            if percent.is_finite() && count.is_finite() {
                failed += count * (100.0 - percent) / 100.0;
                all += count;
            }
        }
        (all > 0.0).then(|| failed / all)
    };
    if let Some(value) = given.or_else(measured).filter(|value| *value > bound) {
        let text = format!(
            "{:.1} % of its invocations fail, above {:.0} %",
            value * 100.0,
            bound * 100.0
        );
        findings.facts.push(beyond(
            reading,
            "Errors/Invocations",
            bound,
            value,
            Category::Errors,
            THRESHOLD,
            text,
        ));
    }
}

pub(super) fn lambda_memory(reading: &Reading<'_>, findings: &mut Findings) {
    let bound = reading.case.incident.thresholds.lambda_memory_share_max;
    let value = share(
        reading,
        &["MaxMemoryUsed", "max_memory_used_mb", "memory_used_mb"],
        &["MemorySize", "memory_mb"],
    );
    if let Some(value) = value.filter(|value| *value > bound) {
        let text = format!(
            "it uses {:.0} % of its memory, above {:.0} %",
            value * 100.0,
            bound * 100.0
        );
        findings.facts.push(beyond(
            reading,
            "MaxMemoryUsed/MemorySize",
            bound,
            value,
            Category::Saturation,
            THRESHOLD,
            text,
        ));
    }
}

/// How near the longest run came to the configured time limit.
pub(super) fn lambda_timeout(reading: &Reading<'_>, findings: &mut Findings) {
    let Some(limit) = reading
        .number(&["Timeout", "timeout_seconds"])
        .filter(|limit| *limit > 0.0)
    else {
        return;
    };
    near_limit(reading, limit, "its Timeout", findings);
}

/// How near the longest request came to the time that API Gateway waits for an integration.
pub(super) fn apigateway_timeout(reading: &Reading<'_>, findings: &mut Findings) {
    let own = reading
        .number(&["timeoutInMillis", "timeout_ms"])
        .map(|limit| limit / 1_000.0);
    let limit = own.unwrap_or(
        reading
            .case
            .incident
            .thresholds
            .apigateway_integration_seconds,
    );
    near_limit(
        reading,
        limit,
        "the time limit of its integration",
        findings,
    );
}

fn near_limit(reading: &Reading<'_>, limit: f64, what: &str, findings: &mut Findings) {
    let Some((longest, source)) = reading.longest() else {
        return;
    };
    let bound = limit * reading.case.incident.thresholds.near_timeout_share;
    if longest >= bound {
        let text = format!("it took {longest:.3} s, and {what} is {limit} s");
        let mut fact = beyond(
            reading,
            "duration",
            bound,
            longest,
            Category::Configuration,
            MODERATE,
            text,
        );
        fact.source = source;
        findings.facts.push(fact);
    }
}

/// Everything that is reserved is in use, or nothing may run at all.
pub(super) fn lambda_concurrency(reading: &Reading<'_>, findings: &mut Findings) {
    let Some(reserved) = reading.number(&["ReservedConcurrentExecutions", "reserved_concurrency"])
    else {
        return;
    };
    if reserved == 0.0 {
        let kind = FactKind::Setting {
            name: "ReservedConcurrentExecutions".to_owned(),
            value: "0".to_owned(),
        };
        let text = "its reserved concurrency is 0: every invocation is refused".to_owned();
        findings.facts.push(reading.fact(
            kind,
            Category::Configuration,
            STRONG,
            text,
            "ReservedConcurrentExecutions",
        ));
    } else if let Some(used) = reading
        .number(&["ConcurrentExecutions", "concurrency"])
        .filter(|used| *used >= reserved)
    {
        let text = format!("{used} of its {reserved} reserved executions run: more are refused");
        findings.facts.push(beyond(
            reading,
            "ConcurrentExecutions",
            reserved,
            used,
            Category::Throttling,
            THRESHOLD,
            text,
        ));
    }
}

/// Consumed over provisioned capacity, each per second.
pub(super) fn dynamodb_capacity(reading: &Reading<'_>, findings: &mut Findings) {
    for (consumed, provisioned, what) in [
        ("ConsumedReadCapacityUnits", "ReadCapacityUnits", "read"),
        ("ConsumedWriteCapacityUnits", "WriteCapacityUnits", "write"),
    ] {
        if let Some(value) =
            share(reading, &[consumed], &[provisioned]).filter(|value| *value >= 1.0)
        {
            let text = format!(
                "it consumes {:.0} % of its provisioned {what} capacity",
                value * 100.0
            );
            findings.facts.push(beyond(
                reading,
                consumed,
                1.0,
                value,
                Category::Throttling,
                THRESHOLD,
                text,
            ));
        }
    }
}

pub(super) fn sqs_deleted(reading: &Reading<'_>, findings: &mut Findings) {
    let bound = reading.case.incident.thresholds.sqs_deleted_share_min;
    let value = share(
        reading,
        &["NumberOfMessagesDeleted"],
        &["NumberOfMessagesReceived"],
    );
    if let Some(value) = value.filter(|value| *value < bound) {
        let text = format!(
            "{:.0} % of the received messages were deleted, below {:.0} %: consumers fail or are too slow",
            value * 100.0,
            bound * 100.0
        );
        findings.facts.push(beyond(
            reading,
            "NumberOfMessagesDeleted/Received",
            bound,
            value,
            Category::Errors,
            THRESHOLD,
            text,
        ));
    }
}

/// How often a message is received before it is put aside.
pub(super) fn sqs_redrive(reading: &Reading<'_>, findings: &mut Findings) {
    let policy = reading.resource.attributes.document(&["RedrivePolicy"]);
    let inside = policy.as_ref().and_then(|policy| {
        let count = policy.get("maxReceiveCount")?;
        count.as_f64().or_else(|| count.as_str()?.parse().ok())
    });
    let bound = reading.case.incident.thresholds.sqs_receives_min;
    let value = inside.or_else(|| reading.number(&["maxReceiveCount"]));
    if let Some(value) = value.filter(|value| *value < bound) {
        let text = format!(
            "messages are put aside after {value} receives, below {bound}: one hiccup suffices"
        );
        findings.facts.push(beyond(
            reading,
            "maxReceiveCount",
            bound,
            value,
            Category::Configuration,
            SETTING,
            text,
        ));
    }
}

pub(super) fn sns_delivered(reading: &Reading<'_>, findings: &mut Findings) {
    let bound = reading.case.incident.thresholds.sns_delivered_share_min;
    let failed = reading.number(&["NumberOfNotificationsFailed"]);
    let delivered = reading.number(&["NumberOfNotificationsDelivered"]);
    let value = match (delivered, failed) {
        (Some(delivered), Some(failed)) if delivered + failed > 0.0 => {
            delivered / (delivered + failed)
        }
        _ => return,
    };
    if value < bound {
        let text = format!(
            "{:.1} % of its notifications were delivered, below {:.0} %",
            value * 100.0,
            bound * 100.0
        );
        findings.facts.push(beyond(
            reading,
            "delivered share",
            bound,
            value,
            Category::Errors,
            THRESHOLD,
            text,
        ));
    }
}

pub(super) fn database_connections(reading: &Reading<'_>, findings: &mut Findings) {
    let bound = reading
        .case
        .incident
        .thresholds
        .database_connections_share_max;
    let value = share(
        reading,
        &["DatabaseConnections", "connections_in_use"],
        &["max_connections", "connections_max"],
    );
    if let Some(value) = value.filter(|value| *value > bound) {
        let text = format!(
            "{:.0} % of its connections are in use, above {:.0} %",
            value * 100.0,
            bound * 100.0
        );
        findings.facts.push(beyond(
            reading,
            "DatabaseConnections/max_connections",
            bound,
            value,
            Category::Saturation,
            THRESHOLD,
            text,
        ));
    }
}

pub(super) fn database_storage(reading: &Reading<'_>, findings: &mut Findings) {
    let bound = reading.case.incident.thresholds.disk_percent_max;
    // `FreeStorageSpace` counts bytes, `AllocatedStorage` GiB.
    let free = share(reading, &["FreeStorageSpace"], &["AllocatedStorage"]);
    let used = free.map(|free| 100.0 * (1.0 - free / f64::from(1 << 30)));
    if let Some(value) = used.filter(|used| *used > bound) {
        let text = format!("{value:.0} % of its storage is used, above {bound} %");
        findings.facts.push(beyond(
            reading,
            "FreeStorageSpace",
            bound,
            value,
            Category::Saturation,
            THRESHOLD,
            text,
        ));
    }
}

/// Fewer run than should.
pub(super) fn running(reading: &Reading<'_>, findings: &mut Findings) {
    let running = reading.number(&["runningCount", "ready_replicas", "readyReplicas"]);
    let desired = reading.number(&["desiredCount", "replicas", "desired_replicas"]);
    if let (Some(running), Some(desired)) = (running, desired)
        && running < desired
    {
        let weight = if running == 0.0 { STRONG } else { THRESHOLD };
        let text = format!("{running} of {desired} run");
        findings.facts.push(beyond(
            reading,
            "runningCount",
            desired,
            running,
            Category::Saturation,
            weight,
            text,
        ));
    }
}

/// No target is healthy, or some are not.
pub(super) fn healthy_targets(reading: &Reading<'_>, findings: &mut Findings) {
    if reading.number(&["HealthyHostCount"]) == Some(0.0) {
        let text = "it has no healthy target: every request fails".to_owned();
        findings.facts.push(beyond(
            reading,
            "HealthyHostCount",
            1.0,
            0.0,
            Category::Dependency,
            MODERATE,
            text,
        ));
    }
    let failed = share(
        reading,
        &["5XXError", "HTTPCode_Target_5XX_Count"],
        &["Count", "RequestCount"],
    );
    if let Some(value) = failed.filter(|value| *value > 0.0) {
        let text = format!(
            "{:.1} % of its requests fail with 5xx behind it",
            value * 100.0
        );
        findings.facts.push(beyond(
            reading,
            "5XX",
            0.0,
            value,
            Category::Dependency,
            WEAK,
            text,
        ));
    }
}
