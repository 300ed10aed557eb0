//! What a Tempo server answers: `/api/search` and `/api/traces/<id>` (<https://grafana.com/docs/tempo/latest/api_docs/>).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Spans of one trace at most.
pub const SPANS_MAX: usize = 100_000;

/// Why an answer of Tempo cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TempoError {
    /// It is no JSON of the documented form, or it ends early.
    #[error("the answer is not what Tempo's API documents: {0}")]
    Form(#[from] serde_json::Error),
    /// The trace has more spans than are read.
    #[error("the trace has more than {SPANS_MAX} spans; ask for a part of it")]
    TooMany,
}

/// A trace that a search found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct FoundTrace {
    /// Its id, in hexadecimal digits.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// The service of its first span.
    pub root_service_name: String,
    /// The name of its first span.
    pub root_trace_name: String,
    /// Its begin in nanoseconds since 1970, as text.
    pub start_time_unix_nano: String,
    /// Its length in milliseconds; 0 when it took less than one.
    pub duration_ms: f64,
}

/// A span of a trace.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TempoSpan {
    /// The service, `service.name` of its resource; empty when it has none.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its id.
    pub span_id: String,
    /// The id of the span that it is part of; empty for the first.
    pub parent_id: String,
    /// Its begin in seconds since 1970.
    pub started_at: f64,
    /// Its length in seconds.
    pub seconds: f64,
    /// Whether it failed.
    pub failed: bool,
}

/// Reads the answer to a search.
///
/// # Errors
///
/// It is not of the documented form.
pub fn parse_tempo_search(bytes: &[u8]) -> Result<Vec<FoundTrace>, TempoError> {
    #[derive(Deserialize)]
    struct Search {
        #[serde(default)]
        traces: Vec<FoundTrace>,
    }
    let search: Search = serde_json::from_slice(bytes)?;
    Ok(search.traces)
}

/// Reads a trace: OTLP as JSON, with its spans under `batches` or `resourceSpans`, or within `trace`.
///
/// # Errors
///
/// It is not of the documented form, or has more than [`SPANS_MAX`] spans.
pub fn parse_tempo_trace(bytes: &[u8]) -> Result<Vec<TempoSpan>, TempoError> {
    #[derive(Deserialize)]
    struct Document {
        trace: Option<Trace>,
        #[serde(flatten)]
        own: Trace,
    }
    let document: Document = serde_json::from_slice(bytes)?;
    let mut spans = Vec::new();
    for batch in document.trace.unwrap_or(document.own).batches {
        let service = attribute(&batch.resource.attributes, "service.name");
        for scope in batch.scope_spans {
            for span in scope.spans {
                if spans.len() >= SPANS_MAX {
                    return Err(TempoError::TooMany);
                }
                let (start, end) = (
                    nanoseconds(&span.start_time_unix_nano),
                    nanoseconds(&span.end_time_unix_nano),
                );
                spans.push(TempoSpan {
                    service: service.clone(),
                    name: span.name,
                    span_id: span.span_id,
                    parent_id: span.parent_span_id,
                    started_at: start / 1e9,
                    seconds: ((end - start) / 1e9).max(0.0),
                    failed: failed(&span.status.code),
                });
            }
        }
    }
    Ok(spans)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Trace {
    #[serde(alias = "resourceSpans")]
    batches: Vec<Batch>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Batch {
    resource: Resource,
    #[serde(alias = "instrumentationLibrarySpans")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attribute {
    key: String,
    value: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScopeSpans {
    spans: Vec<Span>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Span {
    name: String,
    span_id: String,
    parent_span_id: String,
    start_time_unix_nano: Value,
    end_time_unix_nano: Value,
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: Value,
}

fn attribute(attributes: &[Attribute], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    let text = found.and_then(|attribute| attribute.value.get("stringValue")?.as_str());
    text.unwrap_or_default().to_owned()
}

/// 64-bit numbers are texts in OTLP's JSON; some writers leave them numbers.
fn nanoseconds(value: &Value) -> f64 {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    number
        .filter(|number: &f64| number.is_finite())
        .unwrap_or(0.0)
}

/// `STATUS_CODE_ERROR` by name or number.
fn failed(code: &Value) -> bool {
    code.as_u64() == Some(2) || code.as_str() == Some("STATUS_CODE_ERROR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_in_each_of_its_wrappings() {
        let batches = r#"[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"pay"}}]},
            "scopeSpans":[{"spans":[{"name":"GET /","spanId":"b","parentSpanId":"a",
            "startTimeUnixNano":"1795293219000000000","endTimeUnixNano":1795293219250000000,
            "status":{"code":"STATUS_CODE_ERROR"}},{"name":"in","spanId":"c","status":{}}]}]}]"#;
        let expected = parse_tempo_trace(format!(r#"{{"batches":{batches}}}"#).as_bytes()).unwrap();
        assert_eq!(expected.len(), 2);
        let span = &expected[0];
        assert_eq!(
            (span.service.as_str(), span.parent_id.as_str()),
            ("pay", "a")
        );
        assert!((span.seconds - 0.25).abs() < 1e-6 && span.failed && !expected[1].failed);
        for text in [
            format!(r#"{{"resourceSpans":{batches}}}"#),
            format!(r#"{{"trace":{{"resourceSpans":{batches}}},"metrics":{{}}}}"#),
        ] {
            assert_eq!(parse_tempo_trace(text.as_bytes()).unwrap(), expected);
        }
        assert!(parse_tempo_trace(b"{\"batches\":[{").is_err());
        assert_eq!(parse_tempo_trace(b"{}").unwrap(), []);
    }
}
