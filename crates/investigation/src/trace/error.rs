//! Why traces cannot be read.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file of traces that cannot be read. Its text names the file and what helps.
#[derive(Debug)]
pub struct TraceError {
    source_name: PathBuf,
    kind: TraceErrorKind,
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceErrorKind {
    /// The file cannot be opened or read.
    #[error("{0}; check the path")]
    Io(#[source] std::io::Error),
    /// It is no JSON.
    #[error(
        "{0}; expected the answer of `aws xray batch-get-traces`, a list of segment documents, or OTLP/JSON; the file may be cut off"
    )]
    Json(#[source] serde_json::Error),
    /// It is JSON without a span.
    #[error(
        "there is no span in it; expected the answer of `aws xray batch-get-traces`, a list of segment documents, or OTLP/JSON{}",
        .reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default()
    )]
    Empty {
        /// What was passed over.
        reason: Option<String>,
    },
    /// More than the reader takes.
    #[error("more than {limit} {what}; give fewer or shorter traces")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl TraceError {
    pub(super) fn new(source_name: &Path, kind: TraceErrorKind) -> Self {
        Self {
            source_name: source_name.to_owned(),
            kind,
        }
    }

    /// The file, or what was given as the name of the source.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.source_name
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &TraceErrorKind {
        &self.kind
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source_name.display(), self.kind)
    }
}

impl std::error::Error for TraceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.kind)
    }
}
