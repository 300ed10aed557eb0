//! What kind of failure it was, how bad it is, and whether to try again.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What kind of failure it was. The categories are few, so that programs can decide by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCategory {
    /// The input does not fit.
    Invalid,
    /// What was asked for does not exist, for example an agent with the capability.
    NotFound,
    /// The caller may not, or a guard refused.
    Forbidden,
    /// It exists and cannot take work now: asleep, unreachable, shutting down, or behind an open breaker.
    Unavailable,
    /// It is at its limit: of calls at once, of a queue, or of a rate.
    Overloaded,
    /// A budget has no room. Never an ordinary failure, and never cured by a retry.
    Budget,
    /// A deadline or timeout passed.
    Timeout,
    /// Somebody cancelled it.
    Cancelled,
    /// The work itself failed.
    Work,
    /// What it depends on failed.
    Dependency,
    /// Code panicked.
    Panicked,
    /// An error of this library or of its use that is none of the above.
    Internal,
}

impl ErrorCategory {
    /// The name used in records and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::Budget => "budget",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Work => "work",
            Self::Dependency => "dependency",
            Self::Panicked => "panicked",
            Self::Internal => "internal",
        }
    }

    /// How bad such a failure is, unless somebody says otherwise.
    #[must_use]
    pub const fn usual_severity(self) -> Severity {
        match self {
            Self::Cancelled => Severity::Low,
            Self::Panicked | Self::Internal => Severity::Critical,
            Self::Budget | Self::Forbidden | Self::NotFound | Self::Dependency => Severity::High,
            Self::Invalid | Self::Unavailable | Self::Overloaded | Self::Timeout | Self::Work => {
                Severity::Medium
            }
        }
    }

    /// Whether to try again, unless somebody says otherwise.
    #[must_use]
    pub const fn usual_advice(self) -> RetryAdvice {
        match self {
            Self::Unavailable | Self::Overloaded | Self::Timeout => RetryAdvice::Retry,
            _ => RetryAdvice::Never,
        }
    }
}

impl fmt::Display for ErrorCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Expected, for example a cancellation.
    Low,
    /// A part is missing.
    Medium,
    /// Somebody has to change something.
    High,
    /// A defect.
    Critical,
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAdvice {
    /// No retry cures it.
    Never,
    /// A further attempt may succeed, after the delay of one's own policy.
    Retry,
    /// A further attempt may succeed, not before this time has passed.
    After(Duration),
}
