//! What an agent reports when it did not succeed.

use std::error::Error;
use std::sync::Arc;

use crate::budget::BudgetError;
use crate::task::{FailureKind, Refused, TaskFailure};

/// An agent's error: retryable or permanent, with a text and, if there is one, the cause.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct AgentError {
    kind: FailureKind,
    message: String,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl AgentError {
    /// Another attempt may succeed.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::of(FailureKind::Retryable, message)
    }

    /// No attempt will succeed.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::of(FailureKind::Permanent, message)
    }

    fn of(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// With the error that caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Whether another attempt may succeed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    pub(crate) fn into_failure(self) -> TaskFailure {
        let mut message = self.message;
        let mut cause: Option<&dyn Error> = self.source.as_deref().map(|e| e as &dyn Error);
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        TaskFailure::new(self.kind, message)
    }
}

impl From<BudgetError> for AgentError {
    fn from(error: BudgetError) -> Self {
        Self::of(FailureKind::OverBudget, error.to_string())
    }
}

impl From<TaskFailure> for AgentError {
    /// Hands on the failure of a child, keeping its category: a cancelled child does not make its parent retry.
    fn from(failure: TaskFailure) -> Self {
        Self::of(failure.kind(), failure.message())
    }
}

impl From<Refused> for AgentError {
    fn from(refused: Refused) -> Self {
        Self::permanent("child was refused").with_source(refused.reason().clone())
    }
}
