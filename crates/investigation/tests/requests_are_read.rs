//! Requests: structured, in older forms, and in free text.

use proptest::prelude::*;
use serde_json::json;
use universal_orchestrator_investigation::{
    Place, REQUEST_BYTES_MAX, Request, RequestError, ResourceKind, Urgency,
};

/// 2025-11-21T16:00:00Z
const NOW: f64 = 1_763_740_800.0;
const TRACE: &str = "1-68f622d0-2cfc080243ee63df62fc57a8";

fn text(text: &str) -> Request {
    Request::from_text(text, NOW).expect("the text is short")
}

fn read(json: serde_json::Value) -> Request {
    Request::from_json(&json.to_string(), NOW).expect("the request is well formed")
}

#[test]
fn a_structured_request_is_read_whole() {
    let request = read(json!({
        "primary_targets": [
            {"type": "lambda_function", "name": "pay", "region": "eu-west-1", "metadata": {"Timeout": 3}},
            {"type": "dynamodb", "arn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"},
            "arn:aws:sqs:eu-west-1:123456789012:jobs.fifo",
        ],
        "trace_ids": [format!("Root={TRACE};Sampled=1")],
        "error_messages": ["AccessDenied on arn:aws:s3:::reports/a.csv"],
        "time_range": {"start": "2025-11-21T14:00:00Z", "end": 1_763_737_200_000_u64},
        "context": {"team": "shop", "change": "lambda `ship` was deployed"},
        "urgency": "high",
    }));
    let targets: Vec<(ResourceKind, &str)> = request
        .targets
        .iter()
        .map(|found| (found.value.kind(), &*found.value.name))
        .collect();
    for expected in [
        (ResourceKind::Lambda, "pay"),
        (ResourceKind::DynamoDb, "orders"),
        (ResourceKind::Sqs, "jobs.fifo"),
        (ResourceKind::S3, "reports"),
        (ResourceKind::Lambda, "ship"),
    ] {
        assert!(targets.contains(&expected), "{expected:?} in {targets:?}");
    }
    let pay = request
        .targets
        .iter()
        .find(|found| found.value.name == "pay")
        .unwrap();
    assert_eq!(pay.value.attributes.number(&["timeout"]), Some(3.0));
    assert_eq!(pay.place, Place::Key("/primary_targets/0".into()));
    assert_eq!(request.trace_ids[0].value, TRACE);
    assert_eq!(request.errors.len(), 1);
    let range = request.time_range.unwrap().value;
    assert_eq!((range.start, range.end), (NOW - 7_200.0, NOW - 3_600.0));
    assert_eq!(request.urgency.unwrap().value, Urgency::High);
    assert_eq!(request.context["team"], "shop");
}

#[test]
fn older_forms_are_understood_and_merged() {
    let request = read(json!({
        "free_text_input": format!("why did {TRACE} fail?"),
        "function_name": "pay",
        "investigation_target": {"type": "stepfunctions", "name": "wf.v2"},
        "investigation": {"input": "queue: jobs grows", "xray_trace_id": "1-68f622d0-aaaaaaaaaaaaaaaaaaaaaaaa", "region": "eu-west-1"},
        "service_config": {"role_arn": "arn:aws:iam::123456789012:role/reader"},
    }));
    let names: Vec<&str> = request
        .targets
        .iter()
        .map(|found| &*found.value.name)
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in ["pay", "wf.v2", "jobs"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(
        request
            .targets
            .iter()
            .all(|found| found.value.region.as_deref() == Some("eu-west-1"))
    );
    assert_eq!(request.trace_ids.len(), 2);
    assert_eq!(request.notes.len(), 1, "{:?}", request.notes);
}

#[test]
fn p8_json_is_found_in_text_with_strings_respected() {
    for text in [
        "```json\n{\"function_name\": \"pay\", \"note\": \"a } in a string\"}\n```",
        "For {x} see {\"note\": \"} { ```\", \"function_name\": \"pay\"} thanks",
    ] {
        let request = Request::from_json(text, NOW).unwrap();
        assert_eq!(request.targets[0].value.name, "pay", "{text}");
    }
}

#[test]
fn bad_requests_are_refused_with_place_and_remedy() {
    for (json, part) in [
        ("", "expected {\"primary_targets\""),
        ("[1]", "value of another type"),
        ("{\"trace_ids\": [1]}", "/trace_ids/0 is 1"),
        ("{\"primary_targets\": [{}]}", "`name` or `arn`"),
        (
            "{\"primary_targets\": [{\"arn\": \"arn:x\"}]}",
            "/primary_targets/0/arn",
        ),
        ("{\"primary_targets\": 7}", "an ARN or a name"),
        ("{\"time_range\": \"soonish\"}", "last 2 hours"),
        ("{\"time_range\": {\"end\": 5}}", "start"),
        ("{\"urgency\": \"very\"}", "critical, high"),
        ("{\"function_name\": \"\"}", "not empty"),
        ("{\"investigation\": 1}", "an object or a text"),
    ] {
        let error = Request::from_json(json, NOW).unwrap_err().to_string();
        assert!(error.contains(part), "{json}: {error}");
    }
    let long = "x".repeat(REQUEST_BYTES_MAX + 1);
    assert!(matches!(
        Request::from_text(&long, NOW),
        Err(RequestError::TooLong { .. })
    ));
}

#[test]
fn free_text_gives_everything_with_place_and_confidence() {
    let input = format!(
        "Critical: lambda `pay` returned AccessDeniedException: not allowed to put. See {TRACE} and \
         arn:aws:states:eu-west-1:123456789012:stateMachine:wf.v2, since 14:30. The orders table throttled."
    );
    let request = text(&input);
    let found: Vec<(&str, f64)> = request
        .targets
        .iter()
        .map(|f| (&*f.value.name, f.confidence))
        .collect();
    assert_eq!(found, [("wf.v2", 0.95), ("pay", 0.85), ("orders", 0.6)]);
    let errors: Vec<&str> = request.errors.iter().map(|found| &*found.value).collect();
    assert_eq!(
        errors,
        ["AccessDeniedException: not allowed to put.", "throttled"]
    );
    assert_eq!(request.trace_ids[0].value, TRACE);
    assert_eq!(request.time_range.as_ref().unwrap().value.end, NOW);
    assert_eq!(request.urgency.as_ref().unwrap().value, Urgency::Critical);
    let Place::Text { start, end } = request.targets[1].place else {
        panic!("{request:?}");
    };
    assert_eq!(&input[start..end], "pay");
}

#[test]
fn words_within_words_are_no_urgency() {
    for calm in [
        "minor slowdown since 14:30",
        "see the downtime report",
        "please slow down",
        "latency is down to 3 ms",
        "this is not critical",
        "no outage so far",
        "the critical path is long",
        "break it down",
    ] {
        let urgency = text(calm).urgency.map(|found| found.value);
        assert!(
            urgency.is_none_or(|urgency| urgency == Urgency::Low),
            "{calm}: {urgency:?}"
        );
    }
    for pressing in [
        "checkout is down",
        "production went down!",
        "critical outage",
    ] {
        assert_eq!(
            text(pressing).urgency.unwrap().value,
            Urgency::Critical,
            "{pressing}"
        );
    }
}

#[test]
fn denied_errors_are_none() {
    for text in [
        "no timeouts",
        "0 errors found",
        "no error in logs",
        "error budget ok",
        "it was never throttled",
        "without any timeout",
    ] {
        assert!(self::text(text).errors.is_empty(), "{text}");
    }
    assert_eq!(text("no logs, but timeouts").errors.len(), 1);
    assert_eq!(text("HTTP 503 from the API").errors[0].value, "HTTP 503");
}

#[test]
fn nothing_is_invented_from_a_text_that_says_nothing() {
    for text in [
        "",
        "it is slow",
        "why?",
        "the service has problems with the database",
    ] {
        assert!(self::text(text).is_empty(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_and_every_place_is_within(input in "\\PC{0,200}") {
        let request = text(&input);
        for found in &request.errors {
            if let Place::Text { start, end } = found.place {
                prop_assert!(input.get(start..end).is_some());
            }
        }
    }

    #[test]
    fn words_of_the_field_in_any_order_are_read(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "lambda", "queue:", "`pay`", "since", "14:30", "between", "and", "last", "2", "hours", "is", "down", "no",
                "AccessDeniedException:", "arn:aws:s3:::b", "1-68f622d0-2cfc080243ee63df62fc57a8", "HTTP", "503", "=", "é", "service",
            ]), 0..30),
    ) {
        let input = words.join(" ");
        for found in text(&input).targets {
            if let Place::Text { start, end } = found.place {
                prop_assert!(input.get(start..end).is_some());
            }
        }
    }

    #[test]
    fn any_json_is_a_request_or_a_typed_error(
        key in prop::sample::select(vec!["primary_targets", "trace_ids", "time_range", "context", "error_messages", "input", "urgency", "x"]),
        value in prop_oneof![Just(json!(null)), Just(json!(1e300)), Just(json!([[{}]])), Just(json!({"start": "x", "name": [1]})), Just(json!("last 2 hours"))],
    ) {
        let _ = Request::from_json(&json!({key: value}).to_string(), NOW);
    }
}
