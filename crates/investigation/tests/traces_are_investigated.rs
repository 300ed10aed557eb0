//! From traces and resources to a report: what is found, what is not invented, and what to read next.

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{first, report};
use universal_orchestrator_investigation::{
    Category, Fact, FactKind, Incident, Report, Request, Resource, Style, Traces, Verdict, render,
};

const TRACE: &str = "1-68f622d0-2cfc080243ee63df62fc57a8";
const NOW: f64 = 1_763_740_800.0;

fn of_traces(segments: Value) -> Incident {
    let traces = Traces::from_json(&segments.to_string(), Path::new("trace.json"))
        .expect("the traces are well formed");
    Incident::of(None, [traces.into()])
}

/// A function with these subsegments, and what else its segment has.
fn function(subsegments: Value, more: Value) -> Value {
    let mut segment = json!({
        "trace_id": TRACE, "id": "f1", "name": "pay", "origin": "AWS::Lambda::Function", "start_time": 100.0, "end_time": 101.0,
        "resource_arn": "arn:aws:lambda:eu-west-1:123456789012:function:pay", "subsegments": subsegments,
    });
    for (key, value) in more.as_object().expect("more keys are an object") {
        segment[key] = value.clone();
    }
    json!([segment])
}

fn put(more: Value) -> Value {
    let mut call = json!({
        "id": "s1", "name": "DynamoDB", "namespace": "aws", "start_time": 100.1, "end_time": 100.2,
        "aws": {"table_name": "orders", "operation": "PutItem", "region": "eu-west-1"},
    });
    for (key, value) in more.as_object().expect("more keys are an object") {
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
async fn p5_a_denial_in_metadata_of_a_trace_that_went_on_is_found() {
    let said = "User: arn:aws:sts::123456789012:assumed-role/pay-role/pay is not authorized to perform: sqs:SendMessage on resource: arn:aws:sqs:eu-west-1:123456789012:jobs";
    let segment = function(
        json!([]),
        json!({"metadata": {"default": {"errors": [said]}}}),
    );
    let report = report(of_traces(segment)).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("pay"))
    );
    assert_eq!(report.facts[0].category, Category::Permission);
}

#[tokio::test(start_paused = true)]
async fn a_fault_below_who_went_on_counts_when_the_request_failed() {
    let failed = put(json!({"fault": true, "http": {"response": {"status": 500}}}));
    let mut segments = function(json!([failed]), json!({"parent_id": "g1"}));
    let gateway = json!({"trace_id": TRACE, "id": "g1", "name": "api/test", "origin": "AWS::ApiGateway::Stage",
        "start_time": 99.0, "end_time": 102.0, "fault": true, "http": {"response": {"status": 502}}});
    segments.as_array_mut().unwrap().push(gateway);
    let report = report(of_traces(segments)).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("orders")),
        "{:?}",
        report.facts
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
    let shown = render(&report, Style::default());
    assert!(
        shown.starts_with("insufficient evidence: what was read does not tell the cause; the likeliest place, STEPFUNCTIONS, has 0."),
        "{shown}"
    );
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
        return std::fs::read_to_string(file).expect("the data folder has the trace");
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
    assert_eq!(
        report.root_cause.ranking[0].distance,
        Some(1),
        "from where the trace begins"
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
async fn p4_a_trace_that_was_not_delivered_is_unknown() {
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
async fn a_trace_that_is_there_needs_no_fetching() {
    let traces = Traces::from_json(&http200(), Path::new("t")).unwrap();
    let words = format!("see {TRACE} and 1-68f622d0-ffffffffffffffffffffffff");
    let request = Request::from_text(&words, NOW).unwrap();
    let report = report(Incident::of(None, [request.into(), traces.into()])).await;
    let fetched: Vec<&str> = report
        .next_probes
        .iter()
        .filter(|probe| probe.node.starts_with("1-"))
        .map(|probe| &*probe.node)
        .collect();
    assert_eq!(fetched, ["1-68f622d0-ffffffffffffffffffffffff"]);
}
