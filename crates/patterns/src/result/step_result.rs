//! What came of one step: data, failure or skip, and what it cost.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use universal_orchestrator::{AgentId, Amount};

use crate::context::TraceContext;
use crate::result::{SkipReason, StepFailure};

/// Data, a failure, or why nothing was tried.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum StepOutcome<T> {
    /// It succeeded.
    Success {
        /// What it found.
        data: T,
    },
    /// It was tried and did not succeed.
    Failure {
        /// Why.
        failure: Box<StepFailure>,
    },
    /// It was not tried.
    Skipped {
        /// Why.
        skipped: SkipReason,
    },
}

/// What came of one step of an orchestration, and what it cost.
///
/// ```
/// use universal_orchestrator_patterns::{StepFailure, StepResult};
/// let good = StepResult::success(20).map(|n| n + 1);
/// assert_eq!(good.data(), Some(&21));
/// let bad: StepResult<i32> = StepFailure::retryable("try later").into();
/// assert!(bad.failure().is_some_and(StepFailure::is_retryable));
/// ```
#[must_use = "a step that did not succeed says so here and nowhere else"]
#[derive(Debug, Clone, Serialize)]
pub struct StepResult<T = Value> {
    #[serde(flatten)]
    outcome: StepOutcome<T>,
    cost: Amount,
    duration: Duration,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<TraceContext>,
}

/// Why there is no data.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StepError {
    /// It was tried and did not succeed.
    #[error(transparent)]
    Failed(#[from] StepFailure),
    /// It was not tried.
    #[error("step was skipped: {0}")]
    Skipped(SkipReason),
}

impl<T> StepResult<T> {
    /// A step that succeeded, in one attempt, at no cost.
    pub fn success(data: T) -> Self {
        Self::of(StepOutcome::Success { data }, 1)
    }

    /// A step that failed in one attempt.
    pub fn failed(failure: StepFailure) -> Self {
        let failure = Box::new(failure);
        Self::of(StepOutcome::Failure { failure }, 1)
    }

    /// A step that was not tried.
    pub fn skipped(skipped: SkipReason) -> Self {
        Self::of(StepOutcome::Skipped { skipped }, 0)
    }

    fn of(outcome: StepOutcome<T>, attempts: u32) -> Self {
        Self {
            outcome,
            cost: Amount::default(),
            duration: Duration::ZERO,
            attempts,
            agent: None,
            trace: None,
        }
    }

    /// With what it cost.
    pub const fn with_cost(mut self, cost: Amount) -> Self {
        self.cost = cost;
        self
    }

    /// With how long it took.
    pub const fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// With how many attempts were made.
    pub const fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// With the agent that did it.
    pub fn with_agent(mut self, agent: AgentId) -> Self {
        self.agent = Some(agent);
        self
    }

    /// With its place in the distributed trace.
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }

    /// The outcome.
    #[must_use]
    pub const fn outcome(&self) -> &StepOutcome<T> {
        &self.outcome
    }

    /// Takes the outcome.
    #[must_use]
    pub fn into_outcome(self) -> StepOutcome<T> {
        self.outcome
    }

    /// Whether it succeeded.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.outcome, StepOutcome::Success { .. })
    }

    /// What it found; `None` unless it succeeded.
    #[must_use]
    pub const fn data(&self) -> Option<&T> {
        match &self.outcome {
            StepOutcome::Success { data } => Some(data),
            _ => None,
        }
    }

    /// Takes what it found.
    #[must_use]
    pub fn into_data(self) -> Option<T> {
        match self.outcome {
            StepOutcome::Success { data } => Some(data),
            _ => None,
        }
    }

    /// Why it did not succeed; `None` when it succeeded or was not tried.
    #[must_use]
    pub fn failure(&self) -> Option<&StepFailure> {
        match &self.outcome {
            StepOutcome::Failure { failure } => Some(failure),
            _ => None,
        }
    }

    /// Why it was not tried.
    #[must_use]
    pub const fn skip_reason(&self) -> Option<&SkipReason> {
        match &self.outcome {
            StepOutcome::Skipped { skipped } => Some(skipped),
            _ => None,
        }
    }

    /// What it cost, all attempts together.
    #[must_use]
    pub const fn cost(&self) -> Amount {
        self.cost
    }

    /// How long it took, waits between attempts included.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// How many attempts were made; 0 when it was not tried.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The agent of the last attempt; `None` when it was no agent's.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentId> {
        self.agent.as_ref()
    }

    /// Its place in the distributed trace.
    #[must_use]
    pub const fn trace(&self) -> Option<&TraceContext> {
        self.trace.as_ref()
    }

    /// The same with other data.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> StepResult<U> {
        self.and_then(|data| Ok(change(data)))
    }

    /// The same with data that may not fit, which makes it a failure.
    pub fn and_then<U>(self, change: impl FnOnce(T) -> Result<U, StepFailure>) -> StepResult<U> {
        let outcome = match self.outcome {
            StepOutcome::Success { data } => match change(data) {
                Ok(data) => StepOutcome::Success { data },
                Err(failure) => StepOutcome::Failure {
                    failure: Box::new(failure),
                },
            },
            StepOutcome::Failure { failure } => StepOutcome::Failure { failure },
            StepOutcome::Skipped { skipped } => StepOutcome::Skipped { skipped },
        };
        StepResult {
            outcome,
            cost: self.cost,
            duration: self.duration,
            attempts: self.attempts,
            agent: self.agent,
            trace: self.trace,
        }
    }

    /// The data, or why there is none.
    ///
    /// # Errors
    /// [`StepError`] of a step that failed or was not tried.
    pub fn into_result(self) -> Result<T, StepError> {
        match self.outcome {
            StepOutcome::Success { data } => Ok(data),
            StepOutcome::Failure { failure } => Err(StepError::Failed(*failure)),
            StepOutcome::Skipped { skipped } => Err(StepError::Skipped(skipped)),
        }
    }
}

impl<T> From<StepFailure> for StepResult<T> {
    fn from(failure: StepFailure) -> Self {
        Self::failed(failure)
    }
}

impl<T> From<SkipReason> for StepResult<T> {
    fn from(skipped: SkipReason) -> Self {
        Self::skipped(skipped)
    }
}

impl<T, E: Into<StepFailure>> From<Result<T, E>> for StepResult<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(data) => Self::success(data),
            Err(error) => Self::failed(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_names_the_status() {
        let json = |result: StepResult<u32>| serde_json::to_value(result).unwrap();
        let good = json(StepResult::success(1).with_cost(Amount::tokens(2)));
        assert_eq!(
            (&good["status"], &good["data"], &good["cost"]["tokens"]),
            (&"success".into(), &1.into(), &2.into())
        );
        let bad = json(StepFailure::permanent("no").into());
        assert_eq!(
            (&bad["status"], &bad["failure"]["category"]),
            (&"failure".into(), &"work".into())
        );
        let none = json(SkipReason::DeadlinePassed.into());
        assert_eq!(
            (
                &none["status"],
                &none["skipped"]["reason"],
                &none["attempts"]
            ),
            (&"skipped".into(), &"deadline_passed".into(), &0.into())
        );
    }

    #[test]
    fn data_that_does_not_fit_is_a_failure_and_keeps_the_cost() {
        let result = StepResult::success(1).with_cost(Amount::tokens(3));
        let result: StepResult<u8> = result.and_then(|_| Err(StepFailure::permanent("odd")));
        assert!(result.failure().is_some());
        assert_eq!(result.cost().tokens, 3);
    }
}
