//! One segment document of X-Ray to spans.
//!
//! Source: "AWS X-Ray segment documents" of the AWS X-Ray Developer Guide.

use serde_json::{Map, Value};

use super::span::{Exception, HttpCall, Namespace, SqlCall, TraceSpan};
use crate::resource::{Attributes, Denial};

/// Exceptions of one span that are kept.
const EXCEPTIONS_MAX: usize = 32;
/// A message or query is cut at so many characters.
const TEXT_CHARS_MAX: usize = 2_000;

/// A span with its parent's id, before it has a place.
pub(super) struct Loose {
    pub(super) trace_id: Option<String>,
    pub(super) parent_id: Option<String>,
    pub(super) span: TraceSpan,
}

/// Adds the segment and all that is within. What has no id or no beginning is left out with a note.
pub(super) fn spans(
    document: &Map<String, Value>,
    loose: &mut Vec<Loose>,
    notes: &mut Vec<String>,
) {
    let trace_id = text(document, "trace_id");
    add(
        document,
        true,
        trace_id.as_deref(),
        text(document, "parent_id"),
        loose,
        notes,
    );
}

// serde_json ends at 128 levels, so this does too.
fn add(
    document: &Map<String, Value>,
    is_segment: bool,
    trace_id: Option<&str>,
    parent_id: Option<String>,
    loose: &mut Vec<Loose>,
    notes: &mut Vec<String>,
) {
    let id = text(document, "id");
    if let Some(span) = span(document, is_segment, id.clone(), notes) {
        loose.push(Loose {
            trace_id: trace_id.map(str::to_owned),
            parent_id: parent_id.clone(),
            span,
        });
    }
    // The children of a span that cannot be read go to its parent.
    let parent_id = id.or(parent_id);
    for child in list(document, "subsegments") {
        match child {
            Value::Object(child) => add(child, false, trace_id, parent_id.clone(), loose, notes),
            _ => notes.push("a subsegment that is no object is left out".to_owned()),
        }
    }
}

fn span(
    document: &Map<String, Value>,
    is_segment: bool,
    id: Option<String>,
    notes: &mut Vec<String>,
) -> Option<TraceSpan> {
    let name = text(document, "name").unwrap_or_default();
    let (Some(id), Some(start)) = (id, time(document, "start_time")) else {
        notes.push(format!(
            "a span {name:?} without id or start_time is left out"
        ));
        return None;
    };
    let in_progress = flag(document, "in_progress");
    let end = match time(document, "end_time") {
        Some(end) if end < start => {
            notes.push(format!("span {id} ends before it begins; its clock is not trusted, its duration counts as zero"));
            Some(start)
        }
        end => end.filter(|_| !in_progress),
    };
    let aws = attributes(document, "aws");
    let (mut exceptions, cause) = cause(document);
    if !exceptions
        .iter()
        .any(|exception| exception.message.is_some())
    {
        exceptions.extend(denial_elsewhere(document));
    }
    Some(TraceSpan {
        id,
        parent: None,
        name,
        service: None,
        is_segment,
        inferred: flag(document, "inferred"),
        origin: text(document, "origin"),
        namespace: match document.get("namespace").and_then(Value::as_str) {
            Some("aws") => Some(Namespace::Aws),
            Some("remote") => Some(Namespace::Remote),
            _ => None,
        },
        resource_arn: text(document, "resource_arn"),
        start,
        end,
        error: flag(document, "error"),
        fault: flag(document, "fault"),
        throttle: flag(document, "throttle"),
        http: http(document),
        sql: sql(document),
        aws,
        exceptions,
        cause,
        resource: None,
    })
}

fn http(document: &Map<String, Value>) -> Option<HttpCall> {
    let http = document.get("http")?.as_object()?;
    let part = |name: &str| http.get(name).and_then(Value::as_object);
    let status = part("response")
        .and_then(|response| response.get("status"))
        .and_then(|status| status.as_u64().or_else(|| status.as_str()?.parse().ok()));
    Some(HttpCall {
        method: part("request").and_then(|request| text(request, "method")),
        url: part("request").and_then(|request| text(request, "url")),
        status: status.and_then(|status| u16::try_from(status).ok()),
    })
}

fn sql(document: &Map<String, Value>) -> Option<SqlCall> {
    let sql = document.get("sql")?.as_object()?;
    let url = text(sql, "url").or_else(|| text(sql, "connection_string"));
    Some(SqlCall {
        url: url.map(|url| without_user(&url)),
        database_type: text(sql, "database_type"),
        query: text(sql, "sanitized_query"),
    })
}

/// A URL without what stands before the `@` of its host.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

/// `cause` is an object with exceptions, or the id of an exception of another span.
fn cause(document: &Map<String, Value>) -> (Vec<Exception>, Option<String>) {
    match document.get("cause") {
        Some(Value::String(id)) => (Vec::new(), Some(id.clone())),
        Some(Value::Object(cause)) => {
            let exceptions = list(cause, "exceptions")
                .iter()
                .filter_map(Value::as_object);
            let read = |exception: &Map<String, Value>| Exception {
                id: text(exception, "id"),
                class: text(exception, "type"),
                message: text(exception, "message"),
                remote: flag(exception, "remote"),
                thrown_at: list(exception, "stack")
                    .first()
                    .and_then(Value::as_object)
                    .map(frame),
            };
            let mut exceptions: Vec<Exception> =
                exceptions.take(EXCEPTIONS_MAX).map(read).collect();
            // Lambda and some daemons write one message and no list.
            if exceptions.is_empty()
                && let Some(message) = text(cause, "message")
            {
                exceptions.push(Exception {
                    message: Some(message),
                    ..Exception::default()
                });
            }
            (exceptions, None)
        }
        _ => (Vec::new(), None),
    }
}

/// A denial that was written into metadata, annotations or the `aws` block instead of the cause.
fn denial_elsewhere(document: &Map<String, Value>) -> Option<Exception> {
    let blocks = ["metadata", "annotations", "aws"].into_iter();
    let message = blocks
        .filter_map(|name| document.get(name))
        .find_map(denial_in)?;
    Some(Exception {
        message: Some(message.chars().take(TEXT_CHARS_MAX).collect()),
        ..Exception::default()
    })
}

// serde_json ends at 128 levels, so this does too.
fn denial_in(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => {
            let denial = Denial::in_message(text)?;
            (denial.principal.is_some() && denial.action.is_some()).then_some(text)
        }
        Value::Array(values) => values.iter().find_map(denial_in),
        Value::Object(values) => values.values().find_map(denial_in),
        _ => None,
    }
}

fn frame(frame: &Map<String, Value>) -> String {
    let label = text(frame, "label").unwrap_or_default();
    let path = text(frame, "path").unwrap_or_default();
    match frame.get("line").and_then(Value::as_u64) {
        Some(line) => format!("{label} ({path}:{line})"),
        None => format!("{label} ({path})"),
    }
}

fn attributes(document: &Map<String, Value>, name: &str) -> Attributes {
    let mut attributes = Attributes::default();
    if let Some(Value::Object(values)) = document.get(name) {
        for (key, value) in values {
            attributes.insert(key, value.clone());
        }
    }
    attributes
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    object
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A text that is not empty, cut to a bounded length.
pub(super) fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    let text = object.get(name)?.as_str().filter(|text| !text.is_empty())?;
    Some(text.chars().take(TEXT_CHARS_MAX).collect())
}

fn flag(object: &Map<String, Value>, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn time(object: &Map<String, Value>, name: &str) -> Option<f64> {
    let time = object.get(name)?.as_f64()?;
    (time.is_finite() && time >= 0.0).then_some(time)
}
