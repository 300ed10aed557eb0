//! The span tree.

use crate::resource::Attributes;

/// One trace: the spans of one request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Trace {
    /// Its id, for X-Ray `1-8 hex-24 hex`.
    pub id: String,
    /// All spans; a parent stands before its children.
    pub spans: Vec<TraceSpan>,
    /// Whether the service left spans out because the trace was too large.
    pub limit_exceeded: bool,
}

/// One span: a segment or subsegment of X-Ray, or a span of OpenTelemetry.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TraceSpan {
    /// Its id, unique within the trace.
    pub id: String,
    /// The place of its parent among the trace's spans.
    pub parent: Option<usize>,
    /// Its name.
    pub name: String,
    /// The service that sent it, where that is not its name.
    pub service: Option<String>,
    /// Whether it is a segment, which a service of its own sent, or is inferred from its caller.
    pub is_segment: bool,
    /// Whether X-Ray inferred it from the caller's side.
    pub inferred: bool,
    /// The type of AWS resource that sent it.
    pub origin: Option<String>,
    /// Whether it is a call of another service.
    pub namespace: Option<Namespace>,
    /// The ARN of the resource that sent it, as it was written.
    pub resource_arn: Option<String>,
    /// Its beginning, in seconds since 1970.
    pub start: f64,
    /// Its end, not before its beginning; `None` while it is in progress.
    pub end: Option<f64>,
    /// The caller did wrong (4xx).
    pub error: bool,
    /// The service failed (5xx).
    pub fault: bool,
    /// The call was throttled (429).
    pub throttle: bool,
    /// The HTTP request.
    pub http: Option<HttpCall>,
    /// The SQL query.
    pub sql: Option<SqlCall>,
    /// The `aws` block: operation, region, names of resources, retries.
    pub aws: Attributes,
    /// What was thrown.
    pub exceptions: Vec<Exception>,
    /// An exception of another span that is the cause.
    pub cause: Option<String>,
    /// The place of its resource in the inventory of its [`Traces`](super::Traces) or incident.
    pub resource: Option<usize>,
}

/// Whom a subsegment calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Namespace {
    /// An AWS service.
    Aws,
    /// Something else over the network.
    Remote,
}

/// One HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpCall {
    /// The method.
    pub method: Option<String>,
    /// The URL.
    pub url: Option<String>,
    /// The status of the response.
    pub status: Option<u16>,
}

/// One SQL query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqlCall {
    /// The database's URL, without user and password.
    pub url: Option<String>,
    /// Its product.
    pub database_type: Option<String>,
    /// The query without its values.
    pub query: Option<String>,
}

/// Something that was thrown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exception {
    /// Its id.
    pub id: Option<String>,
    /// Its class.
    pub class: Option<String>,
    /// Its message.
    pub message: Option<String>,
    /// Whether the other side threw it.
    pub remote: bool,
    /// The place in the program that threw it: label, path and line.
    pub thrown_at: Option<String>,
}

impl TraceSpan {
    /// How long it took, in seconds; `None` while it is in progress.
    #[must_use]
    pub fn duration(&self) -> Option<f64> {
        self.end.map(|end| end - self.start)
    }

    /// Whether anything went wrong in it.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.error || self.fault || self.throttle || !self.exceptions.is_empty()
    }
}

impl Trace {
    /// Beginning of the first and end of the last span, in seconds since 1970; `None` without spans.
    #[must_use]
    pub fn bounds(&self) -> Option<(f64, f64)> {
        let start = self
            .spans
            .iter()
            .map(|span| span.start)
            .min_by(f64::total_cmp)?;
        let ends = self.spans.iter().map(|span| span.end.unwrap_or(span.start));
        Some((start, ends.max_by(f64::total_cmp)?))
    }

    /// Where the span was read, for a report.
    pub(crate) fn location(&self, span: &TraceSpan) -> String {
        format!("{}/{}", self.id, span.id)
    }
}
