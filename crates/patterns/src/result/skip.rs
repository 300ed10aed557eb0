//! Why a step did not run.

use std::fmt;

use serde::Serialize;

/// Why a step did not run. Not a failure: nothing was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// A budget had no room for it.
    BudgetExhausted {
        /// What the account said.
        detail: String,
    },
    /// The deadline had passed.
    DeadlinePassed,
    /// The context was cancelled.
    Cancelled,
    /// Another step failed, and the rest was told to stop.
    FailedFast {
        /// The step that failed.
        step: String,
    },
    /// What was found before is enough.
    NotNeeded,
    /// Its condition was false.
    ConditionFalse,
    /// A step that it builds on did not succeed.
    DependencyFailed {
        /// That step.
        step: String,
    },
    /// A step that it builds on was skipped.
    DependencySkipped {
        /// That step.
        step: String,
    },
    /// It said that the input is nothing for it.
    Declined {
        /// Why.
        detail: String,
    },
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BudgetExhausted { detail } => write!(f, "budget: {detail}"),
            Self::DeadlinePassed => f.write_str("the deadline had passed"),
            Self::Cancelled => f.write_str("the context was cancelled"),
            Self::FailedFast { step } => write!(f, "step {step} failed before"),
            Self::NotNeeded => f.write_str("what was found before is enough"),
            Self::ConditionFalse => f.write_str("its condition was false"),
            Self::DependencyFailed { step } => write!(f, "step {step}, which it needs, failed"),
            Self::DependencySkipped { step } => {
                write!(f, "step {step}, which it needs, was skipped")
            }
            Self::Declined { detail } => write!(f, "declined: {detail}"),
        }
    }
}
