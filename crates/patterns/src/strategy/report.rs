//! What a strategy found, what it missed, and what it cost.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use universal_orchestrator::Amount;

use crate::result::{ErrorCategory, SkipReason, StepFailure, StepOutcome, StepResult};
use crate::strategy::Required;

/// One step of a run with its result.
#[derive(Debug, Clone, Serialize)]
pub struct NamedStep<O> {
    pub(crate) name: String,
    pub(crate) estimate: Amount,
    #[serde(flatten)]
    pub(crate) result: StepResult<O>,
}

impl<O> NamedStep<O> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was expected to cost.
    #[must_use]
    pub const fn estimate(&self) -> Amount {
        self.estimate
    }

    /// What came of it.
    pub const fn result(&self) -> &StepResult<O> {
        &self.result
    }

    /// Takes what came of it.
    pub fn into_result(self) -> StepResult<O> {
        self.result
    }
}

/// Why a run ended before all of its steps had run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "stopped", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// A budget had no room.
    Budget {
        /// What the account said.
        detail: String,
    },
    /// The deadline passed.
    Deadline,
    /// The context was cancelled.
    Cancelled,
    /// A step failed, and the strategy fails fast.
    FailedFast {
        /// The step.
        step: String,
    },
    /// What was found is enough.
    Enough,
    /// What is needed cannot be reached any more.
    OutOfReach,
    /// As many waves were run as may.
    WavesMax {
        /// The limit.
        max: usize,
    },
    /// More steps were asked for than may run.
    StepsMax {
        /// The limit.
        max: usize,
    },
    /// The planner panicked.
    Planner {
        /// The text of the panic.
        detail: String,
    },
    /// The reduction panicked.
    Reduction {
        /// The text of the panic.
        detail: String,
    },
}

impl StopReason {
    /// What it means for a step that has not begun.
    pub(crate) fn skips(&self) -> SkipReason {
        match self {
            Self::Budget { detail } => SkipReason::BudgetExhausted {
                detail: detail.clone(),
            },
            Self::Deadline => SkipReason::DeadlinePassed,
            Self::Cancelled => SkipReason::Cancelled,
            Self::FailedFast { step } => SkipReason::FailedFast { step: step.clone() },
            _ => SkipReason::NotNeeded,
        }
    }

    /// Why what a step came to ends the run, whatever the strategy.
    pub(crate) fn of<O>(result: &StepResult<O>) -> Option<Self> {
        match result.outcome() {
            StepOutcome::Skipped { skipped } => match skipped {
                SkipReason::BudgetExhausted { detail } => Some(Self::Budget {
                    detail: detail.clone(),
                }),
                SkipReason::DeadlinePassed => Some(Self::Deadline),
                SkipReason::Cancelled => Some(Self::Cancelled),
                _ => None,
            },
            StepOutcome::Failure { failure } if failure.is_budget() => Some(Self::Budget {
                detail: failure.message().to_owned(),
            }),
            _ => None,
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget { detail } => write!(f, "budget: {detail}"),
            Self::Deadline => f.write_str("the deadline passed"),
            Self::Cancelled => f.write_str("the context was cancelled"),
            Self::FailedFast { step } => write!(f, "step {step} failed"),
            Self::Enough => f.write_str("what was found is enough"),
            Self::OutOfReach => f.write_str("what is needed cannot be reached any more"),
            Self::WavesMax { max } => write!(f, "{max} waves were run, the limit"),
            Self::StepsMax { max } => write!(f, "{max} steps were run, the limit"),
            Self::Planner { detail } | Self::Reduction { detail } => f.write_str(detail),
        }
    }
}

/// How steps are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One after the other.
    Sequential,
    /// At the same time.
    Parallel,
}

/// A choice that a strategy made on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// How many steps had run.
    pub after_steps: usize,
    /// How it went on.
    pub mode: Mode,
    /// Why, for people.
    pub reason: String,
}

/// What a strategy found, what it missed, and what it cost. The steps are in the order in which they were declared, whatever finished first.
#[must_use = "what is missing is said here and nowhere else"]
#[derive(Debug, Clone, Serialize)]
pub struct RunReport<O = Value> {
    pub(crate) steps: Vec<NamedStep<O>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<StopReason>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) decisions: Vec<Decision>,
    pub(crate) duration: Duration,
}

impl<O> RunReport<O> {
    /// All steps.
    #[must_use]
    pub fn steps(&self) -> &[NamedStep<O>] {
        &self.steps
    }

    /// Takes all steps.
    #[must_use]
    pub fn into_steps(self) -> Vec<NamedStep<O>> {
        self.steps
    }

    /// Why it ended early; `None` when every step had its turn.
    #[must_use]
    pub const fn stopped(&self) -> Option<&StopReason> {
        self.stopped.as_ref()
    }

    /// The choices that the strategy made on its way.
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// How long all of it took.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// What was found, with the names of those who found it.
    pub fn found(&self) -> impl Iterator<Item = (&str, &O)> {
        self.steps
            .iter()
            .filter_map(|s| s.result.data().map(|d| (s.name(), d)))
    }

    /// What failed.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &StepFailure)> {
        self.steps
            .iter()
            .filter_map(|s| s.result.failure().map(|f| (s.name(), f)))
    }

    /// What is missing, and why, for people.
    #[must_use]
    pub fn missing(&self) -> Vec<(&str, String)> {
        let why = |step: &NamedStep<O>| match step.result.outcome() {
            StepOutcome::Success { .. } => None,
            StepOutcome::Failure { failure } => Some(failure.to_string()),
            StepOutcome::Skipped { skipped } => Some(skipped.to_string()),
        };
        let steps = self.steps.iter();
        steps.filter_map(|s| Some((s.name(), why(s)?))).collect()
    }

    /// Whether every step succeeded.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|s| s.result.is_success())
    }

    /// What all steps cost together.
    #[must_use]
    pub fn cost(&self) -> Amount {
        let costs = self.steps.iter().map(|s| s.result.cost());
        costs.fold(Amount::default(), |sum, cost| sum.plus(&cost))
    }

    /// How many attempts were made in all.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        let attempts = self.steps.iter().map(|s| s.result.attempts());
        attempts.fold(0, u32::saturating_add)
    }
}

impl<O: Serialize> RunReport<O> {
    /// The report as the result of one step: a success when enough of its steps succeeded; else a failure that keeps the report as what was done so far.
    pub fn into_step(self, required: Required) -> StepResult<Self> {
        if !required.is_met(self.found().count(), self.steps.len()) {
            return self.into_failed_step();
        }
        let (cost, duration, attempts) = (self.cost(), self.duration, self.attempts());
        StepResult::success(self)
            .with_cost(cost)
            .with_duration(duration)
            .with_attempts(attempts)
    }

    /// The report as a failure, whatever succeeded.
    pub(super) fn into_failed_step<T>(self) -> StepResult<T> {
        StepResult::failed(self.as_failure(self.found().count()))
            .with_cost(self.cost())
            .with_duration(self.duration)
            .with_attempts(self.attempts())
    }

    /// The first success as the result of one step, at the cost of all.
    pub(super) fn into_first(self) -> StepResult<O> {
        let Some(at) = self.steps.iter().position(|s| s.result.is_success()) else {
            return self.into_failed_step();
        };
        let (cost, duration, attempts) = (self.cost(), self.duration, self.attempts());
        match self.steps.into_iter().nth(at) {
            Some(step) => step
                .result
                .with_cost(cost)
                .with_duration(duration)
                .with_attempts(attempts),
            None => unreachable!("its position was found"),
        }
    }

    fn as_failure(&self, successes: usize) -> StepFailure {
        let count = self.steps.len();
        let stop = match &self.stopped {
            Some(reason) => format!(", stopped because {reason}"),
            None => String::new(),
        };
        let mut text = format!("{successes} of {count} steps succeeded{stop}");
        let mut missing = self.missing();
        missing.truncate(8);
        for (name, why) in missing {
            text.push_str(&format!("; {name}: {why}"));
        }
        let category = match &self.stopped {
            Some(StopReason::Budget { .. }) => ErrorCategory::Budget,
            Some(StopReason::Deadline) => ErrorCategory::Timeout,
            Some(StopReason::Cancelled) => ErrorCategory::Cancelled,
            _ => match self.failures().next() {
                Some((_, first)) => first.category(),
                None => ErrorCategory::Dependency,
            },
        };
        let first_advice = self.failures().map(|(_, failure)| failure.retry()).next();
        let failure = StepFailure::new(category, text);
        let failure = match (&self.stopped, first_advice) {
            (None | Some(StopReason::FailedFast { .. } | StopReason::OutOfReach), Some(advice)) => {
                failure.with_retry(advice)
            }
            (Some(_), _) => failure.with_retry(crate::result::RetryAdvice::Never),
            (None, None) => failure,
        };
        // A report that is no JSON is kept as what it says for people.
        failure.with_partial(serde_json::to_value(self).ok())
    }
}
