//! From settings and counters of resources to facts, each kind by its specialist.

mod support;

use serde_json::{Value, json};
use support::{first, report};
use universal_orchestrator_investigation::{Fact, Incident, Report, Request, Verdict};

const NOW: f64 = 1_763_740_800.0;

fn of_resource(resource: Value) -> Incident {
    let request = Request::from_json(&json!({"primary_targets": [resource]}).to_string(), NOW)
        .expect("the request is well formed");
    Incident::of(None, [request.into()])
}

fn facts_of<'a>(report: &'a Report, node: &str) -> Vec<&'a Fact> {
    report
        .facts
        .iter()
        .filter(|fact| fact.node == node)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn p4_no_fact_without_a_read_and_every_failed_read_is_unknown() {
    for kind in [
        "lambda",
        "sqs",
        "iam",
        "dynamodb",
        "AWS::Kinesis::Stream",
        "host",
    ] {
        let report = report(of_resource(json!({"type": kind, "name": "x"}))).await;
        assert_eq!(report.facts, [], "{kind}");
        assert_eq!(report.verdict, Verdict::InsufficientEvidence, "{kind}");
        assert!(
            report
                .unknown
                .iter()
                .any(|unknown| unknown.node == "x" && unknown.reason.contains("none were given")),
            "{kind}: {:?}",
            report.unknown
        );
    }
    let policy = report(of_resource(
        json!({"type": "s3", "name": "x", "attributes": {"Policy": "{\"Statement\": [{"}}),
    ))
    .await;
    assert_eq!(policy.facts, []);
    assert!(
        policy
            .unknown
            .iter()
            .any(|unknown| unknown.what == "Policy"),
        "{:?}",
        policy.unknown
    );
}

#[tokio::test(start_paused = true)]
async fn every_specialist_checks_what_it_can_read() {
    let cases = [
        (
            json!({"type": "lambda", "attributes": {"Errors": 30, "Invocations": 200}}),
            "15.0 %",
        ),
        (
            json!({"type": "lambda", "attributes": {"MaxMemoryUsed": 127, "MemorySize": 128}}),
            "99 % of its memory",
        ),
        (
            json!({"type": "lambda", "attributes": {"ReservedConcurrentExecutions": 0}}),
            "every invocation is refused",
        ),
        (
            json!({"type": "lambda", "attributes": {"State": "Failed", "StateReason": "no subnet"}}),
            "Failed (no subnet)",
        ),
        (
            json!({"type": "stepfunctions", "attributes": {"status": "FAILED", "error": "States.TaskFailed", "cause": "bad input"}}),
            "bad input",
        ),
        (
            json!({"type": "stepfunctions", "attributes": {"ExecutionsTimedOut": 2}}),
            "out of time",
        ),
        (
            json!({"type": "iam", "attributes": {"PolicyDocument": {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}}),
            "every action on every resource",
        ),
        (
            json!({"type": "s3", "attributes": {"Policy": "{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"s3:GetObject\"}]}"}}),
            "anybody",
        ),
        (
            json!({"type": "dynamodb", "attributes": {"WriteThrottleEvents": 4}}),
            "writes were refused",
        ),
        (
            json!({"type": "dynamodb", "attributes": {"ConsumedWriteCapacityUnits": 6, "WriteCapacityUnits": 5}}),
            "120 %",
        ),
        (
            json!({"type": "sqs", "attributes": {"VisibilityTimeout": "10"}}),
            "below 30",
        ),
        (
            json!({"type": "sqs", "attributes": {"ApproximateNumberOfMessages": "101"}}),
            "messages wait",
        ),
        (
            json!({"type": "sqs", "attributes": {"ApproximateAgeOfOldestMessage": 3_601}}),
            "oldest message",
        ),
        (
            json!({"type": "sqs", "attributes": {"RedrivePolicy": "{\"maxReceiveCount\": \"1\"}"}}),
            "after 1 receives",
        ),
        (
            json!({"type": "sqs", "attributes": {"NumberOfMessagesDeleted": 7, "NumberOfMessagesReceived": 10}}),
            "70 %",
        ),
        (
            json!({"type": "sqs", "attributes": {"dlq_messages": 1}}),
            "could not be worked on",
        ),
        (
            json!({"type": "sns", "attributes": {"NumberOfNotificationsDelivered": 90, "NumberOfNotificationsFailed": 10}}),
            "90.0 %",
        ),
        (
            json!({"type": "eventbridge", "attributes": {"State": "DISABLED"}}),
            "DISABLED",
        ),
        (
            json!({"type": "ec2", "attributes": {"State": {"Name": "stopped"}}}),
            "stopped",
        ),
        (
            json!({"type": "ecs", "attributes": {"runningCount": 1, "desiredCount": 3}}),
            "1 of 3 run",
        ),
        (
            json!({"type": "ecs", "attributes": {"stoppedReason": "OutOfMemoryError: Container killed"}}),
            "OutOfMemoryError",
        ),
        (
            json!({"type": "rds", "attributes": {"DatabaseConnections": 99, "max_connections": 100}}),
            "99 %",
        ),
        (
            json!({"type": "rds", "attributes": {"FreeStorageSpace": 1_073_741_824, "AllocatedStorage": 20}}),
            "95 %",
        ),
        (
            json!({"type": "load balancer", "attributes": {"HealthyHostCount": 0}}),
            "no healthy target",
        ),
        (
            json!({"type": "application", "attributes": {"restarts": 3}}),
            "restarted",
        ),
        (
            json!({"type": "network", "attributes": {"dns_lookup_seconds": 3.5}}),
            "looked up slowly",
        ),
        (
            json!({"type": "host", "attributes": {"disk_percent": 97}}),
            "nearly full",
        ),
    ];
    for (mut resource, part) in cases {
        resource["name"] = json!("x");
        let report = report(of_resource(resource.clone())).await;
        assert!(
            report.facts.iter().any(|fact| fact.text.contains(part)),
            "{resource}: {:?}",
            report.facts
        );
    }
}

#[tokio::test(start_paused = true)]
async fn values_at_their_bound_are_no_facts() {
    for resource in [
        json!({"type": "lambda", "attributes": {"Errors": 20, "Invocations": 200, "Throttles": 0, "State": "Active"}}),
        json!({"type": "sqs", "attributes": {"VisibilityTimeout": 30, "ApproximateNumberOfMessages": 100, "ApproximateAgeOfOldestMessage": 3600,
            "MessageRetentionPeriod": 86_400, "ApproximateNumberOfMessagesNotVisible": 50, "NumberOfEmptyReceives": 1_000, "dlq_messages": 0}}),
        json!({"type": "iam", "attributes": {"PolicyDocument": {"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}}}),
        json!({"type": "ecs", "attributes": {"runningCount": 3, "desiredCount": 3, "stoppedReason": "Scaling activity initiated by deployment"}}),
    ] {
        let mut resource = resource;
        resource["name"] = json!("x");
        let report = report(of_resource(resource.clone())).await;
        assert_eq!(report.facts, [], "{resource}");
    }
}

#[tokio::test(start_paused = true)]
async fn p8_all_resources_of_a_type_are_looked_at_and_unknown_types_are_listed() {
    let request = json!({"primary_targets": [
        {"type": "sqs", "name": "a", "attributes": {"ApproximateNumberOfMessages": 500}},
        {"type": "sqs", "name": "b", "attributes": {"ApproximateNumberOfMessages": 600}},
        {"type": "AWS::Quantum::Task", "name": "q"},
    ]});
    let request = Request::from_json(&request.to_string(), NOW).unwrap();
    let report = report(Incident::of(None, [request.into()])).await;
    for node in ["a", "b"] {
        assert_eq!(facts_of(&report, node).len(), 1, "{node}");
    }
    let unknown = report
        .resources
        .iter()
        .find(|resource| resource.node == "q")
        .unwrap();
    assert_eq!(
        (unknown.kind.name(), unknown.known_type),
        ("generic", false)
    );
    for name in ["sqs", "generic"] {
        assert!(
            report
                .specialists
                .iter()
                .any(|run| run.specialist == name && run.completed),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_hint_about_the_only_resource_is_no_diagnosis() {
    let hint =
        json!({"type": "sqs", "name": "x", "attributes": {"ApproximateNumberOfMessages": 101}});
    let answer = report(of_resource(hint)).await;
    assert_eq!(
        (answer.verdict, answer.facts.len()),
        (Verdict::InsufficientEvidence, 1)
    );
    let proof =
        json!({"type": "lambda", "name": "x", "attributes": {"State": "Failed", "Throttles": 7}});
    let answer = report(of_resource(proof)).await;
    assert_eq!(
        (answer.verdict, first(&answer)),
        (Verdict::Diagnosed, Some("x"))
    );
}
