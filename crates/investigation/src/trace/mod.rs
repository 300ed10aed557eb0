//! Traces: what one request did, as a tree of spans, with the resources that took part.

mod discovery;
mod error;
mod names;
mod otlp;
mod path;
mod read;
mod segment;
mod span;

pub use error::{TraceError, TraceErrorKind};
pub use read::{TRACE_LIMITS, TraceLimits, Traces};
pub use span::{Exception, HttpCall, Namespace, SqlCall, Trace, TraceSpan};

pub(crate) use path::self_times;
