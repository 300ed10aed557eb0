//! Why a task did not succeed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The category of a failure. Budget exhaustion is one of its own, never an ordinary failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The agent reported an error that another attempt may cure.
    Retryable,
    /// The agent reported an error that no retry cures.
    Permanent,
    /// The agent's code panicked.
    Panicked,
    /// The agent left, became unreachable, or let its lease run out.
    AgentLost,
    /// The task's deadline passed.
    DeadlineExceeded,
    /// One attempt took longer than its timeout.
    AttemptTimeout,
    /// An attempt made no progress for its idle timeout.
    IdleTimeout,
    /// Somebody cancelled the task.
    Cancelled,
    /// A plugin's guard refused it.
    Vetoed,
    /// A budget had no room for it.
    OverBudget,
    /// No registered agent could do it for the whole `queue.unroutable_ttl_ms`.
    Unroutable,
    /// A task that it had to come after did not succeed.
    DependencyFailed,
    /// The result was larger than `tasks.result_bytes_max` or deeper than `tasks.payload_depth_max`.
    ResultRefused,
    /// The orchestrator shut down or was dropped.
    Shutdown,
}

impl FailureKind {
    /// The name used in records and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retryable => "retryable",
            Self::Permanent => "permanent",
            Self::Panicked => "panicked",
            Self::AgentLost => "agent_lost",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::AttemptTimeout => "attempt_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::Cancelled => "cancelled",
            Self::Vetoed => "vetoed",
            Self::OverBudget => "over_budget",
            Self::Unroutable => "unroutable",
            Self::DependencyFailed => "dependency_failed",
            Self::ResultRefused => "result_refused",
            Self::Shutdown => "shutdown",
        }
    }

    /// Whether a further attempt may follow, if policy, deadline and budget allow one.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Retryable | Self::AgentLost)
    }
}

/// A failure with its category and a text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct TaskFailure {
    kind: FailureKind,
    message: Box<str>,
}

impl TaskFailure {
    /// A failure of one kind.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into().into_boxed_str(),
        }
    }

    /// An error that another attempt may cure: what an external agent reports through `fail_task`.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Retryable, message)
    }

    /// An error that no retry cures.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Permanent, message)
    }

    /// The category.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The text for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
