//! OTLP/JSON to spans: the files of the OpenTelemetry Collector's file exporter, and what Tempo answers.
//!
//! Source: OTLP specification 1.x, "JSON Protobuf Encoding", and the semantic conventions of OpenTelemetry.

use serde_json::{Map, Value};

use super::segment::{Loose, text};
use super::span::{Exception, HttpCall, Namespace, SqlCall, TraceSpan};
use crate::resource::Attributes;

/// Keys under which a document holds the spans of resources.
pub(super) const DOCUMENTS: &[&str] = &["resourceSpans", "resource_spans", "batches"];

/// Adds all spans of one entry of such a document. What has no id or no beginning is left out with a note.
pub(super) fn spans(of_resource: &Value, loose: &mut Vec<Loose>, notes: &mut Vec<String>) {
    let resource = of_resource
        .get("resource")
        .map(attributes)
        .unwrap_or_default();
    let scopes = list(
        of_resource,
        &["scopeSpans", "scope_spans", "instrumentationLibrarySpans"],
    );
    for span in scopes.iter().flat_map(|scope| list(scope, &["spans"])) {
        let read = span.as_object().and_then(|span| of_span(span, &resource));
        match read {
            Some(span) => loose.push(span),
            None => notes
                .push("a span without traceId, spanId or startTimeUnixNano is left out".to_owned()),
        }
    }
}

fn of_span(span: &Map<String, Value>, resource: &Attributes) -> Option<Loose> {
    let start = seconds(span.get("startTimeUnixNano")?)?;
    let end = span
        .get("endTimeUnixNano")
        .and_then(seconds)
        .filter(|end| *end > 0.0);
    let own = attributes(&Value::Object(span.clone()));
    let is_call = matches!(
        kind(span),
        "3" | "4" | "SPAN_KIND_CLIENT" | "SPAN_KIND_PRODUCER"
    );
    let status = own.number(&["http.response.status_code", "http.status_code"]);
    let failed = span
        .get("status")
        .and_then(|status| status.get("code"))
        .is_some_and(|code| code.as_u64() == Some(2) || code.as_str() == Some("STATUS_CODE_ERROR"));
    let at_least = |least: f64| status.is_some_and(|status| status >= least);
    let aws_call = is_call && own.text(&["rpc.system"]) == Some("aws-api");
    let database = own
        .text(&["db.system.name", "db.system"])
        .filter(|_| is_call && !aws_call);
    let name = match (aws_call, database) {
        (true, _) => own.text(&["rpc.service"]).map(str::to_owned),
        (_, Some(system)) => {
            let schema = own.text(&["db.namespace", "db.name"]).unwrap_or(system);
            let host = own.text(&["server.address", "net.peer.name"]);
            Some(host.map_or_else(|| schema.to_owned(), |host| format!("{schema}@{host}")))
        }
        _ => is_call
            .then(|| {
                own.text(&["peer.service", "server.address", "net.peer.name"])
                    .map(str::to_owned)
            })
            .flatten(),
    };
    let lambda = resource.text(&["cloud.platform"]) == Some("aws_lambda");
    Some(Loose {
        trace_id: Some(text(span, "traceId")?),
        parent_id: text(span, "parentSpanId"),
        span: TraceSpan {
            id: text(span, "spanId")?,
            parent: None,
            name: name.or_else(|| text(span, "name")).unwrap_or_default(),
            service: resource
                .text(&["faas.name", "service.name"])
                .map(str::to_owned),
            is_segment: !is_call,
            inferred: false,
            origin: lambda.then(|| "AWS::Lambda::Function".to_owned()),
            namespace: match (is_call, aws_call) {
                (true, true) => Some(Namespace::Aws),
                (true, false) => Some(Namespace::Remote),
                (false, _) => None,
            },
            resource_arn: resource
                .text(&["cloud.resource_id", "faas.id"])
                .map(str::to_owned),
            start,
            end: end.map(|end| end.max(start)),
            error: is_call && at_least(400.0) && !at_least(500.0),
            fault: at_least(500.0) || failed && !at_least(400.0),
            throttle: status == Some(429.0),
            http: http(&own, status),
            sql: database.map(|system| SqlCall {
                url: None,
                database_type: Some(system.to_owned()),
                query: own
                    .text(&["db.query.text", "db.statement"])
                    .map(str::to_owned),
            }),
            aws: aws(&own, resource),
            exceptions: exceptions(span),
            cause: None,
            resource: None,
        },
    })
}

fn kind(span: &Map<String, Value>) -> &str {
    match span.get("kind") {
        Some(Value::String(kind)) => kind,
        Some(Value::Number(number)) if number.as_u64() == Some(3) => "3",
        Some(Value::Number(number)) if number.as_u64() == Some(4) => "4",
        _ => "",
    }
}

fn http(own: &Attributes, status: Option<f64>) -> Option<HttpCall> {
    let url = own.text(&["url.full", "http.url"]);
    let method = own.text(&["http.request.method", "http.method"]);
    if url.is_none() && status.is_none() {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a status between 100 and 999"
    )]
    let status = status
        .filter(|status| (100.0..1_000.0).contains(status))
        .map(|status| status as u16);
    Some(HttpCall {
        method: method.map(str::to_owned),
        url: url.map(str::to_owned),
        status,
    })
}

/// What the `aws` block of X-Ray would hold.
fn aws(own: &Attributes, resource: &Attributes) -> Attributes {
    let mut aws = Attributes::default();
    for (key, from, names) in [
        ("operation", own, &["rpc.method"][..]),
        ("table_names", own, &["aws.dynamodb.table_names"]),
        ("bucket_name", own, &["aws.s3.bucket"]),
        ("queue_url", own, &["aws.sqs.queue.url", "aws.queue_url"]),
        ("topic_arn", own, &["aws.sns.topic.arn"]),
        ("function_name", own, &["faas.invoked_name"]),
        ("region", resource, &["cloud.region"]),
        ("account_id", resource, &["cloud.account.id"]),
    ] {
        if let Some(value) = from.get(names) {
            aws.insert(key, value.clone());
        }
    }
    aws
}

/// Events named `exception`, and the message of the status where there is none.
fn exceptions(span: &Map<String, Value>) -> Vec<Exception> {
    let events = span
        .get("events")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let thrown =
        events.filter(|event| event.get("name").and_then(Value::as_str) == Some("exception"));
    let mut found: Vec<Exception> = thrown
        .take(EXCEPTIONS_MAX)
        .map(|event| {
            let own = attributes(event);
            Exception {
                class: own.text(&["exception.type"]).map(str::to_owned),
                message: own.text(&["exception.message"]).map(str::to_owned),
                ..Exception::default()
            }
        })
        .collect();
    let status = span.get("status").and_then(Value::as_object);
    if found.is_empty()
        && let Some(message) = status.and_then(|status| text(status, "message"))
    {
        found.push(Exception {
            message: Some(message),
            ..Exception::default()
        });
    }
    found
}

/// Exceptions of one span that are kept.
const EXCEPTIONS_MAX: usize = 32;

/// `attributes: [{"key", "value": {"stringValue"}}]` as attributes.
fn attributes(of: &Value) -> Attributes {
    let mut attributes = Attributes::default();
    for pair in list(of, &["attributes"]) {
        let value = pair.get("value").and_then(Value::as_object);
        if let (Some(key), Some(value)) = (pair.get("key").and_then(Value::as_str), value)
            && let Some(value) = value.values().next()
        {
            attributes.insert(key, plain(value));
        }
    }
    attributes
}

/// A value without its type; of an array its plain values.
fn plain(value: &Value) -> Value {
    let inner = |value: &Value| {
        value
            .as_object()
            .and_then(|value| value.values().next())
            .cloned()
    };
    match value.get("values").and_then(Value::as_array) {
        Some(values) => values.iter().filter_map(inner).collect(),
        None => value.clone(),
    }
}

fn list<'a>(object: &'a Value, names: &[&str]) -> &'a [Value] {
    let found = names.iter().find_map(|name| object.get(*name)?.as_array());
    found.map_or(&[], Vec::as_slice)
}

/// Nanoseconds since 1970, as a number or a text, in seconds.
fn seconds(nanoseconds: &Value) -> Option<f64> {
    let number = match nanoseconds {
        Value::String(text) => text.parse::<f64>().ok()?,
        other => other.as_f64()?,
    };
    (number.is_finite() && number >= 0.0).then_some(number / 1e9)
}
