//! A summary that something else writes: a model, as a rule.

use std::error::Error;
use std::sync::Arc;

use universal_orchestrator::async_trait;

use crate::text::TextKind;

/// What is to be summarised.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SummaryRequest {
    /// The text.
    pub text: Arc<str>,
    /// Its sort.
    pub kind: TextKind,
    /// What the summary is for, if somebody said so.
    pub query: Option<Arc<str>>,
    /// Tokens that the summary may have; a longer one is not used.
    pub tokens_max: usize,
}

impl SummaryRequest {
    pub(crate) const fn new(
        text: Arc<str>,
        kind: TextKind,
        query: Option<Arc<str>>,
        tokens_max: usize,
    ) -> Self {
        Self {
            text,
            kind,
            query,
            tokens_max,
        }
    }
}

/// A summary that was not written.
#[derive(Debug, thiserror::Error)]
#[error("the summarizer failed: {text}")]
pub struct SummaryError {
    text: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SummaryError {
    /// A failure with a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            source: None,
        }
    }

    /// A failure with a text and its cause.
    #[must_use]
    pub fn caused(text: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        let source: Option<Box<dyn Error + Send + Sync>> = Some(Box::new(source));
        Self {
            text: text.into(),
            source,
        }
    }
}

/// Writes summaries of what finds no room as it is. Hand one to [`ContextPlugin::with_summarizer`](crate::ContextPlugin::with_summarizer).
///
/// An assembly asks for at most `summaries_max` summaries and waits at most `summary_timeout_ms` for each; one that
/// fails, is late or is too long is counted, and the lines that say most take its place.
#[async_trait]
pub trait Summarizer: Send + Sync + 'static {
    /// Summarises a text.
    ///
    /// # Errors
    /// [`SummaryError`]; the fragment is then compressed without it.
    async fn summarize(&self, request: SummaryRequest) -> Result<String, SummaryError>;
}

const _: fn(&dyn Summarizer) = |_| {};
