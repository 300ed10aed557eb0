//! Why a step did not succeed.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use universal_orchestrator::{
    BudgetError, FailureKind, Refusal, Refused, TaskFailure, TaskOutcome,
};

use crate::result::{ErrorCategory, RetryAdvice, Severity};

/// Why a step did not succeed: a category for programs, a text for people, and what was done so far.
#[derive(Debug, Clone, Serialize, thiserror::Error)]
#[error("{category}: {message}")]
pub struct StepFailure {
    category: ErrorCategory,
    severity: Severity,
    retry: RetryAdvice,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<Value>,
    #[source]
    #[serde(skip)]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl StepFailure {
    /// A failure of one category, with the severity and the advice that are usual for it.
    #[must_use]
    pub fn new(category: ErrorCategory, message: impl Into<String>) -> Self {
        Self {
            category,
            severity: category.usual_severity(),
            retry: category.usual_advice(),
            message: message.into(),
            partial: None,
            source: None,
        }
    }

    /// The work failed, and a further attempt may succeed.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(ErrorCategory::Work, message).with_retry(RetryAdvice::Retry)
    }

    /// The work failed, and no attempt will succeed.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(ErrorCategory::Work, message)
    }

    /// A provider asks to be left alone for so long.
    #[must_use]
    pub fn throttled(message: impl Into<String>, after: Duration) -> Self {
        Self::new(ErrorCategory::Overloaded, message).with_retry(RetryAdvice::After(after))
    }

    /// With another severity.
    #[must_use]
    pub const fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// With other advice.
    #[must_use]
    pub const fn with_retry(mut self, retry: RetryAdvice) -> Self {
        self.retry = retry;
        self
    }

    /// With what was done so far.
    #[must_use]
    pub fn with_partial(mut self, partial: Option<Value>) -> Self {
        self.partial = partial;
        self
    }

    /// With the error that caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The category.
    #[must_use]
    pub const fn category(&self) -> ErrorCategory {
        self.category
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// Whether to try again.
    #[must_use]
    pub const fn retry(&self) -> RetryAdvice {
        self.retry
    }

    /// Whether a further attempt may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retry != RetryAdvice::Never
    }

    /// Whether a budget had no room.
    #[must_use]
    pub fn is_budget(&self) -> bool {
        self.category == ErrorCategory::Budget
    }

    /// The text for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was done so far.
    #[must_use]
    pub const fn partial(&self) -> Option<&Value> {
        self.partial.as_ref()
    }

    /// The failure of a task that was accepted and did not succeed; `None` when it did.
    #[must_use]
    pub fn of_outcome(outcome: &TaskOutcome) -> Option<Self> {
        let failure = Self::from(outcome.failure()?.clone());
        Some(failure.with_partial(outcome.partial().cloned()))
    }
}

impl From<TaskFailure> for StepFailure {
    fn from(failure: TaskFailure) -> Self {
        let retryable = failure.kind().is_retryable();
        let category = match failure.kind() {
            FailureKind::Retryable | FailureKind::Permanent => ErrorCategory::Work,
            FailureKind::Panicked => ErrorCategory::Panicked,
            FailureKind::AgentLost | FailureKind::Shutdown => ErrorCategory::Unavailable,
            FailureKind::DeadlineExceeded
            | FailureKind::AttemptTimeout
            | FailureKind::IdleTimeout => ErrorCategory::Timeout,
            FailureKind::Cancelled => ErrorCategory::Cancelled,
            FailureKind::Vetoed => ErrorCategory::Forbidden,
            FailureKind::OverBudget => ErrorCategory::Budget,
            FailureKind::Unroutable => ErrorCategory::NotFound,
            FailureKind::DependencyFailed => ErrorCategory::Dependency,
            FailureKind::ResultRefused => ErrorCategory::Invalid,
            _ => ErrorCategory::Internal,
        };
        let made = Self::new(category, failure.message());
        match failure.kind() {
            _ if retryable => made.with_retry(RetryAdvice::Retry),
            // Nothing comes back to what has shut down, and a deadline that has passed stays so.
            FailureKind::Shutdown | FailureKind::DeadlineExceeded => {
                made.with_retry(RetryAdvice::Never)
            }
            _ => made,
        }
    }
}

impl From<Refusal> for StepFailure {
    fn from(refusal: Refusal) -> Self {
        let category = match &refusal {
            Refusal::Invalid(_)
            | Refusal::Duplicate { .. }
            | Refusal::Conflict { .. }
            | Refusal::NotAtOnce { .. } => ErrorCategory::Invalid,
            Refusal::NoCapableAgent { .. } => ErrorCategory::NotFound,
            Refusal::AllUnavailable { .. }
            | Refusal::IntakePaused
            | Refusal::CapabilityPaused { .. }
            | Refusal::ShuttingDown => ErrorCategory::Unavailable,
            Refusal::AllBusy { .. }
            | Refusal::QueueFull { .. }
            | Refusal::TooManyInFlight { .. }
            | Refusal::KeyLimited { .. }
            | Refusal::Overtaken { .. } => ErrorCategory::Overloaded,
            Refusal::Vetoed(_) => ErrorCategory::Forbidden,
            Refusal::OverBudget(_) => ErrorCategory::Budget,
            _ => ErrorCategory::Internal,
        };
        let made = Self::new(category, refusal.to_string());
        let made = match refusal {
            Refusal::ShuttingDown => made.with_retry(RetryAdvice::Never),
            _ => made,
        };
        made.with_source(refusal)
    }
}

impl From<Refused> for StepFailure {
    fn from(refused: Refused) -> Self {
        Self::from(refused.reason().clone())
    }
}

impl From<BudgetError> for StepFailure {
    fn from(error: BudgetError) -> Self {
        Self::new(ErrorCategory::Budget, error.to_string()).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_never_mistaken_for_an_ordinary_failure() {
        let kinds = [
            (FailureKind::OverBudget, ErrorCategory::Budget, false),
            (FailureKind::Retryable, ErrorCategory::Work, true),
            (FailureKind::Permanent, ErrorCategory::Work, false),
            (FailureKind::AgentLost, ErrorCategory::Unavailable, true),
            (FailureKind::Shutdown, ErrorCategory::Unavailable, false),
            (FailureKind::AttemptTimeout, ErrorCategory::Timeout, true),
            (FailureKind::DeadlineExceeded, ErrorCategory::Timeout, false),
            (FailureKind::Panicked, ErrorCategory::Panicked, false),
        ];
        for (kind, category, retryable) in kinds {
            let failure = StepFailure::from(TaskFailure::new(kind, "text"));
            assert_eq!(
                (failure.category(), failure.is_retryable()),
                (category, retryable),
                "{kind}"
            );
        }
    }
}
