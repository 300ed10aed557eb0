//! Traces: the tree, the resources that took part, and what is damaged.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use universal_orchestrator_investigation::{
    Namespace, Resource, ResourceKind, TraceErrorKind, Traces,
};

const TRACE: &str = "1-68f622d0-2cfc080243ee63df62fc57a8";

fn read(value: &Value) -> Traces {
    Traces::from_json(&value.to_string(), Path::new("trace.json")).expect("there are spans")
}

/// The answer of `BatchGetTraces` with these segments, each as a text.
fn batch(segments: &[Value]) -> Value {
    let segments: Vec<Value> = segments
        .iter()
        .map(|segment| json!({"Id": segment["id"], "Document": segment.to_string()}))
        .collect();
    json!({"Traces": [{"Id": TRACE, "Duration": 1.0, "LimitExceeded": false, "Segments": segments}], "UnprocessedTraceIds": []})
}

fn find<'a>(traces: &'a Traces, kind: ResourceKind, name: &str) -> &'a Resource {
    let all = traces.inventory.resources();
    let found = all
        .iter()
        .find(|resource| resource.kind() == kind && resource.name == name);
    assert!(found.is_some(), "{kind} {name} in {all:?}");
    found.expect("it was found")
}

/// The HTTP-200 trace as `../shared/data/xray` has it.
fn http200() -> Value {
    let states = json!({"request": {"url": "https://sync-states.eu-west-1.amazonaws.com/?Action=StartSyncExecution", "method": "POST"},
        "response": {"status": 200, "content_length": 422}});
    batch(&[
        json!({
            "id": "7d3bfe9640ace210", "name": "orders-api/test", "trace_id": TRACE, "start_time": 1_760_961_232.443_f64, "end_time": 1_760_961_232.497_f64,
            "http": {"request": {"url": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/test/orders", "method": "POST"}, "response": {"status": 200}},
            "aws": {"api_gateway": {"account_id": "123456789012", "rest_api_id": "a1b2c3d4e5", "stage": "test"}},
            "origin": "AWS::ApiGateway::Stage", "resource_arn": "arn:aws:apigateway:eu-west-1::/restapis/a1b2c3d4e5/stages/test",
            "subsegments": [{"id": "58b20c48d5c24f0f", "name": "STEPFUNCTIONS", "start_time": 1_760_961_232.475_f64, "end_time": 1_760_961_232.475_f64,
                "http": states, "aws": {"region": "eu-west-1"}, "namespace": "aws"}],
        }),
        json!({"id": "3e3a93372e83af0f", "name": "STEPFUNCTIONS", "trace_id": TRACE, "parent_id": "58b20c48d5c24f0f", "inferred": true,
            "start_time": 1_760_961_232.475_f64, "end_time": 1_760_961_232.475_f64, "http": states, "aws": {"region": "eu-west-1"}, "origin": "AWS::STEPFUNCTIONS"}),
    ])
}

#[test]
fn p3_resources_are_discovered_from_subsegments_namespaces_and_urls_and_the_stage_is_kept() {
    let traces = read(&http200());
    let api = find(&traces, ResourceKind::ApiGateway, "orders-api");
    assert_eq!(api.id.as_deref(), Some("a1b2c3d4e5"));
    assert_eq!(api.stage.as_deref(), Some("test"));
    assert_eq!(api.region.as_deref(), Some("eu-west-1"));
    assert_eq!(api.account.as_deref(), Some("123456789012"));
    let states = find(&traces, ResourceKind::StepFunctions, "STEPFUNCTIONS");
    assert_eq!(states.region.as_deref(), Some("eu-west-1"));
    assert_eq!(
        states.sources.len(),
        2,
        "subsegment and inferred segment are one resource"
    );
    assert_eq!(traces.inventory.resources().len(), 2);
    assert!(traces.notes.is_empty(), "{:?}", traces.notes);
}

#[test]
fn p3_the_stage_is_read_from_the_arn_alone() {
    let traces = read(
        &json!([{"trace_id": TRACE, "id": "a", "name": "orders-api/test", "origin": "AWS::ApiGateway::Stage",
        "start_time": 1.0, "end_time": 2.0, "resource_arn": "arn:aws:apigateway:eu-west-1::/restapis/a1/stages/test"}]),
    );
    let api = find(&traces, ResourceKind::ApiGateway, "orders-api");
    assert_eq!(
        (api.id.as_deref(), api.stage.as_deref()),
        (Some("a1"), Some("test"))
    );
}

#[test]
fn p3_the_data_folder_has_the_same_trace() {
    let Some(folder) = std::env::var_os("UO_DATA_DIR") else {
        println!("skipped: UO_DATA_DIR is not set");
        return;
    };
    let traces =
        Traces::from_file(&PathBuf::from(folder).join("xray/http200_stepfunctions.json")).unwrap();
    assert_eq!(traces.traces[0].spans.len(), 3);
    assert_eq!(
        find(&traces, ResourceKind::ApiGateway, "orders-api")
            .stage
            .as_deref(),
        Some("test")
    );
    find(&traces, ResourceKind::StepFunctions, "STEPFUNCTIONS");
}

#[test]
fn p3_every_service_is_found_where_its_sdk_names_it() {
    let call = |id: &str, name: &str, aws: Value, url: &str| {
        json!({"id": id, "name": name, "namespace": "aws", "start_time": 1.0, "end_time": 2.0, "aws": aws,
            "http": {"request": {"url": url}}})
    };
    let none = "https://dynamodb.eu-west-1.amazonaws.com/";
    let traces = read(&json!([{
        "trace_id": TRACE, "id": "f1", "name": "pay", "origin": "AWS::Lambda::Function", "start_time": 0.0, "end_time": 9.0,
        "resource_arn": "arn:aws:lambda:eu-west-1:123456789012:function:pay",
        "subsegments": [
            call("s1", "DynamoDB", json!({"table_name": "orders", "operation": "PutItem", "region": "eu-west-1"}), none),
            call("s2", "SQS", json!({"queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs.fifo"}), ""),
            call("s3", "S3", json!({}), "https://my.bucket.s3.eu-west-1.amazonaws.com/key"),
            call("s4", "SNS", json!({"topic_arn": "arn:aws:sns:eu-west-1:123456789012:alerts"}), ""),
            call("s5", "Lambda", json!({"function_name": "ship"}), ""),
            call("s6", "SFN", json!({"execution_arn": "arn:aws:states:eu-west-1:123456789012:execution:wf.v2:run"}), ""),
            call("s7", "Kinesis", json!({"stream_name": "clicks"}), ""),
            json!({"id": "s8", "name": "shop@db.local", "namespace": "remote", "start_time": 1.0, "end_time": 2.0,
                "sql": {"url": "postgresql://user:secret@db.local:5432/shop", "database_type": "PostgreSQL", "sanitized_query": "select 1"}}),
            json!({"id": "s9", "name": "api.example.com", "namespace": "remote", "start_time": 1.0, "end_time": 2.0,
                "http": {"request": {"url": "https://api.example.com/v1"}, "response": {"status": 503}}}),
            json!({"id": "sa", "name": "## handler", "start_time": 1.0, "end_time": 2.0}),
        ],
    }]));
    for (kind, name) in [
        (ResourceKind::Lambda, "pay"),
        (ResourceKind::Lambda, "ship"),
        (ResourceKind::DynamoDb, "orders"),
        (ResourceKind::Sqs, "jobs.fifo"),
        (ResourceKind::S3, "my.bucket"),
        (ResourceKind::Sns, "alerts"),
        (ResourceKind::StepFunctions, "wf.v2"),
        (ResourceKind::Other, "clicks"),
        (ResourceKind::Database, "shop@db.local"),
        (ResourceKind::ExternalService, "api.example.com"),
    ] {
        find(&traces, kind, name);
    }
    assert_eq!(
        traces.inventory.resources().len(),
        10,
        "work within a function is no resource"
    );
    let spans = &traces.traces[0].spans;
    let sql = spans.iter().find_map(|span| span.sql.as_ref()).unwrap();
    assert_eq!(
        sql.url.as_deref(),
        Some("postgresql://db.local:5432/shop"),
        "without user and password"
    );
    let handler = spans.iter().find(|span| span.name == "## handler").unwrap();
    assert_eq!(handler.resource, spans[0].resource);
}

#[test]
fn a_call_is_of_the_service_that_answered_it() {
    let traces = read(&json!([
        {"trace_id": TRACE, "id": "a", "name": "front", "start_time": 0.0, "end_time": 9.0, "subsegments": [
            {"id": "b", "name": "shop.internal", "namespace": "remote", "start_time": 1.0, "end_time": 8.0,
             "http": {"request": {"url": "http://shop.internal/buy"}}}]},
        {"trace_id": TRACE, "id": "c", "parent_id": "b", "name": "shop", "start_time": 2.0, "end_time": 7.0},
    ]));
    let names: Vec<&str> = traces
        .inventory
        .resources()
        .iter()
        .map(|r| &*r.name)
        .collect();
    assert_eq!(names, ["front", "shop"]);
    assert_eq!(traces.traces[0].spans[1].namespace, Some(Namespace::Remote));
}

#[test]
fn spans_form_a_tree_whatever_their_order_and_circles_are_cut() {
    let traces = read(&json!([
        {"trace_id": TRACE, "id": "c", "parent_id": "b", "name": "c", "start_time": 2.0, "in_progress": true},
        {"trace_id": TRACE, "id": "b", "parent_id": "a", "name": "b", "start_time": 1.0, "end_time": 3.0},
        {"trace_id": TRACE, "id": "a", "name": "a", "start_time": 0.0, "end_time": 4.0},
        {"trace_id": TRACE, "id": "c", "parent_id": "b", "name": "c", "start_time": 2.0, "end_time": 2.5},
        {"trace_id": TRACE, "id": "x", "parent_id": "y", "name": "x", "start_time": 5.0, "end_time": 4.0},
        {"trace_id": TRACE, "id": "y", "parent_id": "x", "name": "y", "start_time": 5.0, "end_time": 6.0},
        {"trace_id": TRACE, "id": "z", "parent_id": "z", "name": "z", "start_time": 9.0, "end_time": 9.0},
    ]));
    let spans = &traces.traces[0].spans;
    let tree: Vec<(&str, Option<usize>)> =
        spans.iter().map(|span| (&*span.id, span.parent)).collect();
    assert_eq!(
        tree,
        [
            ("a", None),
            ("b", Some(0)),
            ("c", Some(1)),
            ("z", None),
            ("x", None),
            ("y", Some(4))
        ]
    );
    assert_eq!(spans[2].duration(), Some(0.5), "the complete one counts");
    assert_eq!(traces.notes.len(), 2, "{:?}", traces.notes);
}

#[test]
fn spans_of_opentelemetry_are_read_too() {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let span = |id: &str, parent: &str, name: &str, kind: u8, more: Value| {
        let mut span = json!({"traceId": "5b8aa5a2d2c872e8321cf37308d69df2", "spanId": id, "parentSpanId": parent, "name": name, "kind": kind,
            "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661500000000"});
        for (key, value) in more.as_object().unwrap() {
            span[key] = value.clone();
        }
        span
    };
    let traces = read(&json!({"resourceSpans": [
        {"resource": {"attributes": [text("service.name", "front")]}, "scopeSpans": [{"spans": [
            span("a1", "", "GET /buy", 2, json!({})),
            span("a2", "a1", "POST", 3, json!({"attributes": [text("server.address", "pay.internal")]})),
        ]}]},
        {"resource": {"attributes": [text("service.name", "pay")]}, "scopeSpans": [{"spans": [
            span("b1", "a2", "POST /pay", 2, json!({"status": {"code": 2}, "events": [{"name": "exception",
                "attributes": [text("exception.type", "KeyError"), text("exception.message", "'currency'")]}]})),
            span("b2", "b1", "PutItem", 3, json!({"attributes": [text("rpc.system", "aws-api"), text("rpc.service", "DynamoDB"), text("rpc.method", "PutItem"),
                {"key": "aws.dynamodb.table_names", "value": {"arrayValue": {"values": [{"stringValue": "orders"}]}}}]})),
            span("b3", "b1", "SELECT", 3, json!({"attributes": [text("db.system", "postgresql"), text("db.name", "shop"), text("server.address", "db.local"),
                {"key": "http.status_code", "value": {"intValue": "503"}}]})),
        ]}]},
    ]}));
    let spans = &traces.traces[0].spans;
    assert_eq!(spans.len(), 5);
    assert_eq!(spans[0].duration(), Some(1.5));
    for (kind, name) in [
        (ResourceKind::Application, "front"),
        (ResourceKind::Application, "pay"),
        (ResourceKind::DynamoDb, "orders"),
        (ResourceKind::Database, "shop@db.local"),
    ] {
        find(&traces, kind, name);
    }
    assert_eq!(
        traces.inventory.resources().len(),
        4,
        "the call is of what answered it"
    );
    let thrown = spans.iter().find(|span| span.id == "b1").unwrap();
    assert!(thrown.fault);
    assert_eq!(thrown.exceptions[0].class.as_deref(), Some("KeyError"));
    assert!(spans.iter().any(|span| span.sql.is_some() && span.fault));
    let odd = json!({"resourceSpans": [1, {"scopeSpans": [{"spans": [1, {}]}]}]});
    assert!(Traces::from_json(&odd.to_string(), Path::new("odd")).is_err());
}

#[test]
fn damaged_documents_cost_themselves_only() {
    let mut answer = http200();
    answer["Traces"][0]["Segments"][1]["Document"] = json!("{\"id\": \"3e3a");
    answer["UnprocessedTraceIds"] = json!(["1-68f622d0-ffffffffffffffffffffffff"]);
    answer["NextToken"] = json!("more");
    let traces = read(&answer);
    assert_eq!(traces.traces[0].spans.len(), 2);
    assert_eq!(traces.missing.len(), 1);
    assert!(
        traces.notes.iter().any(|note| note.contains("damaged")),
        "{:?}",
        traces.notes
    );
    assert!(
        traces.notes.iter().any(|note| note.contains("NextToken")),
        "{:?}",
        traces.notes
    );
    let lines = "{\"format\": \"json\", \"version\": 1}\n{\"id\": \"a\", \"trace_id\": \"t\", \"name\": \"n\", \"start_time\": 1}\n{\"id\": \"b";
    let traces = Traces::from_json(lines, Path::new("lines")).unwrap();
    assert_eq!(traces.traces[0].spans.len(), 1);
    assert_eq!(traces.notes.len(), 1, "{:?}", traces.notes);
}

#[test]
fn what_holds_no_trace_is_a_typed_error_with_the_file() {
    let error = |text: &str| Traces::from_json(text, Path::new("t.json")).unwrap_err();
    let whole = http200().to_string();
    assert!(matches!(
        error(&whole[..whole.len() / 2]).kind(),
        TraceErrorKind::Json(_)
    ));
    assert!(matches!(error("").kind(), TraceErrorKind::Empty { .. }));
    assert!(matches!(
        error("{\"a\": 1}").kind(),
        TraceErrorKind::Empty { .. }
    ));
    assert!(matches!(
        error("[{\"id\": 1}]").kind(),
        TraceErrorKind::Empty { .. }
    ));
    assert!(matches!(
        error(&"[".repeat(100_000)).kind(),
        TraceErrorKind::Json(_)
    ));
    let text = error("{}").to_string();
    assert!(
        text.starts_with("t.json: ") && text.contains("batch-get-traces"),
        "{text}"
    );
    let missing = Traces::from_file(Path::new("/no/such/file")).unwrap_err();
    assert!(matches!(missing.kind(), TraceErrorKind::Io(_)));
}

proptest! {
    #[test]
    fn a_trace_cut_anywhere_is_read_or_refused(cut in 0..3_000_usize) {
        let whole = http200().to_string();
        let cut = cut.min(whole.len());
        let _ = Traces::from_json(&whole[..cut], Path::new("cut"));
        // A document that is cut within an answer that is whole.
        let mut answer = http200();
        let document = answer["Traces"][0]["Segments"][0]["Document"].as_str().unwrap().to_owned();
        answer["Traces"][0]["Segments"][0]["Document"] = json!(&document[..cut.min(document.len())]);
        let traces = Traces::from_json(&answer.to_string(), Path::new("cut")).unwrap();
        prop_assert!(!traces.traces[0].spans.is_empty());
    }

    #[test]
    fn any_parents_make_a_tree(parents in prop::collection::vec(prop::option::of(0..12_usize), 1..12)) {
        let segments: Vec<Value> = parents.iter().enumerate().map(|(id, parent)| {
            let parent = parent.map_or(Value::Null, |parent| format!("{parent}").into());
            json!({"trace_id": "t", "id": format!("{id}"), "parent_id": parent, "name": "n", "start_time": id, "end_time": id + 1})
        }).collect();
        let traces = read(&Value::from(segments));
        let spans = &traces.traces[0].spans;
        prop_assert_eq!(spans.len(), parents.len());
        for (place, span) in spans.iter().enumerate() {
            prop_assert!(span.parent.is_none_or(|parent| parent < place));
        }
    }

    #[test]
    fn any_values_in_a_segment_are_read_or_left_out(
        key in prop::sample::select(vec!["id", "start_time", "end_time", "http", "aws", "sql", "cause", "subsegments", "resource_arn", "origin", "namespace", "name"]),
        value in prop_oneof![
            Just(json!(null)), Just(json!(-1.0)), Just(json!(1e300)), Just(json!("")), Just(json!("arn:aws:")), Just(json!([1, "x", {}])),
            Just(json!({"request": 1, "response": {"status": "x"}, "exceptions": [1, {}], "table_name": [1], "url": "://"})),
        ],
    ) {
        let mut segment = json!({"trace_id": "t", "id": "a", "name": "n", "namespace": "aws", "start_time": 1.0, "end_time": 2.0});
        segment[key] = value;
        let _ = Traces::from_json(&segment.to_string(), Path::new("odd"));
    }
}
