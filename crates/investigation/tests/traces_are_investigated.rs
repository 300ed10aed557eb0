//! From traces and resources to a report: what is found, what is not invented, and what to read next.

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{first, report};
use universal_orchestrator_investigation::{
    Category, Fact, FactKind, Incident, Report, Request, Resource, Traces, Verdict,
};

const TRACE: &str = "1-68f622d0-2cfc080243ee63df62fc57a8";
const NOW: f64 = 1_763_740_800.0;

fn of_traces(segments: Value) -> Incident {
    let traces = Traces::from_json(&segments.to_string(), Path::new("trace.json")).unwrap();
    Incident::of(None, [traces.into()])
}

fn of_resource(resource: Value) -> Incident {
    let request =
        Request::from_json(&json!({"primary_targets": [resource]}).to_string(), NOW).unwrap();
    Incident::of(None, [request.into()])
}

/// A function with these subsegments, and what else its segment has.
fn function(subsegments: Value, more: Value) -> Value {
    let mut segment = json!({
        "trace_id": TRACE, "id": "f1", "name": "pay", "origin": "AWS::Lambda::Function", "start_time": 100.0, "end_time": 101.0,
        "resource_arn": "arn:aws:lambda:eu-west-1:123456789012:function:pay", "subsegments": subsegments,
    });
    for (key, value) in more.as_object().unwrap() {
        segment[key] = value.clone();
    }
    json!([segment])
}

fn put(more: Value) -> Value {
    let mut call = json!({
        "id": "s1", "name": "DynamoDB", "namespace": "aws", "start_time": 100.1, "end_time": 100.2,
        "aws": {"table_name": "orders", "operation": "PutItem", "region": "eu-west-1"},
    });
    for (key, value) in more.as_object().unwrap() {
        call[key] = value.clone();
    }
    call
}

fn facts_of<'a>(report: &'a Report, node: &str) -> Vec<&'a Fact> {
    report
        .facts
        .iter()
        .filter(|fact| fact.node == node)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn p5_a_deny_trace_is_a_permission_issue_with_principal_action_and_resource() {
    let message = "User: arn:aws:sts::123456789012:assumed-role/pay-role/pay is not authorized to perform: dynamodb:PutItem on resource: \
        arn:aws:dynamodb:eu-west-1:123456789012:table/orders because no identity-based policy allows the dynamodb:PutItem action";
    let call = put(json!({"error": true, "http": {"response": {"status": 400}},
        "cause": {"exceptions": [{"id": "e1", "type": "AccessDeniedException", "message": message, "remote": true}]}}));
    let report = report(of_traces(function(json!([call]), json!({"fault": true})))).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("pay"))
    );
    let fact = &report.facts[0];
    assert_eq!(fact.category, Category::Permission);
    assert_eq!(
        fact.kind,
        FactKind::PermissionDenied {
            principal: Some("arn:aws:sts::123456789012:assumed-role/pay-role/pay".into()),
            action: Some("dynamodb:PutItem".into()),
            resource: Some("arn:aws:dynamodb:eu-west-1:123456789012:table/orders".into()),
        }
    );
    assert_eq!(fact.source.location, format!("{TRACE}/s1"));
    let roles: Vec<&str> = report
        .resources
        .iter()
        .filter(|r| r.kind.name() == "iam")
        .map(|r| &*r.node)
        .collect();
    assert_eq!(roles, ["pay-role"], "the message names the role");
}

#[tokio::test(start_paused = true)]
async fn p5_a_bare_denial_is_completed_by_what_the_call_itself_says() {
    let call = put(
        json!({"error": true, "cause": {"exceptions": [{"type": "AccessDenied", "message": "Access Denied"}]}}),
    );
    let report = report(of_traces(function(json!([call]), json!({"fault": true})))).await;
    assert_eq!(first(&report), Some("pay"));
    let FactKind::PermissionDenied {
        principal,
        action,
        resource,
    } = &report.facts[0].kind
    else {
        panic!("{:?}", report.facts);
    };
    assert_eq!(
        (principal.as_deref(), action.as_deref(), resource.as_deref()),
        (None, Some("dynamodb:PutItem"), Some("orders"))
    );
}

#[tokio::test(start_paused = true)]
async fn p6_an_http_200_trace_is_insufficient_evidence_with_ranked_probes_and_no_invented_cause() {
    let json = http200();
    let report = report(Incident::of(
        None,
        [Traces::from_json(&json, Path::new("t")).unwrap().into()],
    ))
    .await;
    assert_eq!(report.verdict, Verdict::InsufficientEvidence);
    assert!(report.root_cause.ranking.is_empty());
    assert_eq!(
        report.next_probes[0].node, "STEPFUNCTIONS",
        "{:?}",
        report.next_probes
    );
    assert_eq!(report.next_probes.len(), 2);
    for pair in report.next_probes.windows(2) {
        assert!(pair[0].value >= pair[1].value);
    }
    for probe in &report.next_probes {
        // A variance of p (1 - p) with p at most 0.3.
        assert!(probe.value <= 0.21, "{probe:?}");
        assert!(
            probe.command.as_ref().unwrap().starts_with("aws "),
            "{probe:?}"
        );
    }
    let known = |fact: &Fact| {
        matches!(
            fact.kind,
            FactKind::OutcomeHidden { .. } | FactKind::CriticalPath { .. }
        )
    };
    assert!(report.facts.iter().all(known), "{:?}", report.facts);
    assert!(report.facts.iter().any(|fact| matches!(&fact.kind, FactKind::OutcomeHidden { operation, status: 200 } if operation == "StartSyncExecution")));
    let api = report
        .resources
        .iter()
        .find(|resource| resource.node == "orders-api")
        .unwrap();
    assert_eq!(api.stage.as_deref(), Some("test"));
}

fn http200() -> String {
    let data = std::env::var_os("UO_DATA_DIR")
        .map(|folder| PathBuf::from(folder).join("xray/http200_stepfunctions.json"));
    if let Some(file) = data {
        return std::fs::read_to_string(file).unwrap();
    }
    let http = json!({"request": {"url": "https://sync-states.eu-west-1.amazonaws.com/?Action=StartSyncExecution"}, "response": {"status": 200}});
    json!([
        {"trace_id": TRACE, "id": "a", "name": "orders-api/test", "start_time": 1.0, "end_time": 1.054, "origin": "AWS::ApiGateway::Stage",
         "resource_arn": "arn:aws:apigateway:eu-west-1::/restapis/a1/stages/test",
         "subsegments": [{"id": "b", "name": "STEPFUNCTIONS", "namespace": "aws", "start_time": 1.03, "end_time": 1.03, "http": http}]},
        {"trace_id": TRACE, "id": "c", "parent_id": "b", "name": "STEPFUNCTIONS", "inferred": true, "origin": "AWS::STEPFUNCTIONS",
         "start_time": 1.03, "end_time": 1.03, "http": http},
    ])
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn the_deepest_fault_is_the_cause_and_its_callers_are_not() {
    let incident = of_traces(json!([
        {"trace_id": TRACE, "id": "a", "name": "front", "start_time": 0.0, "end_time": 3.0, "fault": true, "http": {"response": {"status": 502}},
         "subsegments": [{"id": "b", "name": "pay", "namespace": "remote", "start_time": 0.5, "end_time": 2.5, "fault": true}]},
        {"trace_id": TRACE, "id": "c", "parent_id": "b", "name": "pay", "start_time": 0.6, "end_time": 2.4, "fault": true,
         "cause": {"exceptions": [{"type": "KeyError", "message": "'currency'", "stack": [{"label": "charge", "path": "pay.py", "line": 7}]}]}},
        {"trace_id": TRACE, "id": "d", "parent_id": "c", "name": "stock", "start_time": 0.7, "end_time": 0.8},
    ]));
    let report = report(incident).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("pay"))
    );
    let fact = &report.facts[0];
    assert_eq!(fact.category, Category::Code);
    assert!(
        fact.text.contains("KeyError") && fact.text.contains("pay.py:7"),
        "{}",
        fact.text
    );
    assert!(
        facts_of(&report, "front")
            .iter()
            .all(|fact| fact.weight <= 0.0)
    );
    assert!(
        facts_of(&report, "stock")
            .iter()
            .any(|fact| matches!(fact.kind, FactKind::Answered { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn throttles_point_to_what_refused_and_timeouts_to_what_was_waited_for() {
    let throttled = put(
        json!({"throttle": true, "error": true, "aws": {"table_name": "orders", "operation": "PutItem", "retries": 3}}),
    );
    let answer = report(of_traces(function(
        json!([throttled]),
        json!({"fault": true}),
    )))
    .await;
    assert_eq!(first(&answer), Some("orders"));
    assert!(answer.facts.iter().any(|fact| matches!(&fact.kind, FactKind::Throttled { operation: Some(operation), .. } if operation == "PutItem")));
    assert!(
        answer
            .facts
            .iter()
            .any(|fact| matches!(fact.kind, FactKind::Retried { retries: 3, .. }))
    );

    let hung = put(json!({"end_time": null, "in_progress": true}));
    let cut = json!({"fault": true, "end_time": 103.0, "cause": {"exceptions": [{"message": "2025 Task timed out after 3.00 seconds"}]}});
    let answer = report(of_traces(function(json!([hung]), cut))).await;
    assert_eq!(first(&answer), Some("orders"), "{:?}", answer.facts);
    let limit = answer.facts.iter().find_map(|fact| match fact.kind {
        FactKind::TimedOut { limit_seconds, .. } if fact.node == "pay" => limit_seconds,
        _ => None,
    });
    assert_eq!(limit, Some(3.0));
    assert!(
        answer
            .unknown
            .iter()
            .any(|unknown| unknown.reason.contains("in progress")),
        "{:?}",
        answer.unknown
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_its_caller_handled_is_no_diagnosis() {
    let failed = put(json!({"fault": true, "http": {"response": {"status": 500}}}));
    let report = report(of_traces(function(json!([failed]), json!({})))).await;
    assert_eq!(
        report.verdict,
        Verdict::InsufficientEvidence,
        "{:?}",
        report.facts
    );
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
    let mut answer: Value = serde_json::from_str(&http200()).unwrap();
    if answer.is_object() {
        answer["UnprocessedTraceIds"] = json!(["1-68f622d0-ffffffffffffffffffffffff"]);
        let report = report(of_traces(answer)).await;
        assert!(
            report
                .unknown
                .iter()
                .any(|unknown| unknown.node.ends_with("ffff")),
            "{:?}",
            report.unknown
        );
    }
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
async fn a_run_near_its_configured_limit_is_told() {
    let mut incident = of_traces(function(json!([]), json!({"end_time": 102.8})));
    let mut given = Resource::named("lambda", "pay");
    given.attributes.insert("Timeout", json!(3));
    incident.resources.add(given).unwrap();
    let report = report(incident).await;
    let fact = report
        .facts
        .iter()
        .find(|fact| fact.category == Category::Configuration)
        .unwrap();
    assert!(
        fact.text.contains("2.800 s") && fact.text.contains("3 s"),
        "{}",
        fact.text
    );
    assert_eq!(fact.source.reader, "trace");
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
async fn a_text_that_names_what_was_not_read_gets_commands_not_causes() {
    let text = format!("lambda `pay` times out since 14:30, see {TRACE}. timeout everywhere!");
    let request = Request::from_text(&text, NOW).unwrap();
    let report = report(Incident::of(None, [request.into()])).await;
    assert_eq!(
        (report.verdict, &report.facts[..]),
        (Verdict::InsufficientEvidence, &[][..])
    );
    assert_eq!(report.next_probes[0].node, TRACE);
    let commands: Vec<&str> = report
        .next_probes
        .iter()
        .filter_map(|probe| probe.command.as_deref())
        .collect();
    assert!(
        commands[0].contains("batch-get-traces") && commands[1].contains("/aws/lambda/pay"),
        "{commands:?}"
    );
    assert!(
        commands[1].contains("--start-time 1763735400000"),
        "{commands:?}"
    );
    let asked: Vec<&str> = report.asked.iter().map(|asked| &*asked.what).collect();
    assert_eq!(asked, ["target", "trace", "error", "error", "time_range"]);
}

#[tokio::test(start_paused = true)]
async fn a_reported_denial_names_the_role() {
    let request = json!({"error_messages": ["User: arn:aws:sts::123456789012:assumed-role/pay-role/x is not authorized to perform: sqs:SendMessage on resource: arn:aws:sqs:eu-west-1:123456789012:jobs"]});
    let request = Request::from_json(&request.to_string(), NOW).unwrap();
    let report = report(Incident::of(None, [request.into()])).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("pay-role"))
    );
    assert_eq!(report.facts[0].category, Category::Permission);
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
