//! A step in a loop.

use serde_json::Value;
use tokio::task::coop::consume_budget;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::{SkipReason, StepFailure, StepOutcome, StepResult};
use crate::step::{SharedStep, time_is_over};
use crate::workflow::compiled::{Compiled, CompiledStep, Repeat};
use crate::workflow::expression::{Iteration, Readings};
use crate::workflow::run::input::{Here, Prepared};
use crate::workflow::run::one::{ended_early, is_true, once};

/// What the condition of a loop reads besides the loop itself.
pub(super) struct LoopReads {
    pub(super) input: Value,
    pub(super) steps: Vec<(usize, Value)>,
    pub(super) status: Vec<(usize, &'static str)>,
}

/// A loop at work.
pub(super) struct Loop<'a> {
    pub(super) workflow: &'a Compiled,
    pub(super) context: &'a OrchestrationContext,
    pub(super) of: &'a CompiledStep,
    pub(super) repeat: &'a Repeat,
    pub(super) work: Option<SharedStep<Value, Value>>,
    pub(super) input: Prepared,
    pub(super) reads: LoopReads,
}

impl Loop<'_> {
    pub(super) async fn run(self) -> StepResult {
        let (mut cost, mut attempts) = (Amount::default(), 0_u32);
        let (mut last, mut agent) = (Value::Null, None);
        let mut number = 0;
        let repeat = self.repeat;
        let ended = loop {
            if number == repeat.iterations_max {
                // A loop with while is over only when its condition says so.
                break match repeat.until {
                    false => match self.holds(number.saturating_add(1), &last) {
                        Ok(false) => None,
                        Ok(true) => Some(self.endless()),
                        Err(failure) => Some(failure),
                    },
                    true => Some(self.endless()),
                };
            }
            number += 1;
            if !repeat.until {
                match self.holds(number, &last) {
                    Ok(true) => {}
                    Ok(false) if number == 1 => return SkipReason::ConditionFalse.into(),
                    Ok(false) => break None,
                    Err(failure) => break Some(failure),
                }
            }
            let input = self.input.here(Here {
                value: &last,
                number: number.into(),
            });
            let result = once(self.context, self.of, self.work.as_ref(), input).await;
            cost = cost.plus(&result.cost());
            attempts = attempts.saturating_add(result.attempts());
            agent = result.agent().cloned();
            match result.into_outcome() {
                StepOutcome::Success { data } => last = data,
                StepOutcome::Failure { failure } => break Some(*failure),
                StepOutcome::Skipped { skipped } if number == 1 => return skipped.into(),
                StepOutcome::Skipped { skipped } => break Some(ended_early(&skipped)),
            }
            if repeat.until {
                match self.holds(number, &last) {
                    Ok(true) => break None,
                    Ok(false) => {}
                    Err(failure) => break Some(failure),
                }
            }
            // A step that never waits must not hold up the thread.
            consume_budget().await;
            if let Some(reason) = time_is_over(self.context, Instant::now()) {
                break Some(ended_early(&reason));
            }
        };
        let result = match ended {
            None => StepResult::success(last),
            Some(failure) => {
                let partial = failure
                    .partial()
                    .cloned()
                    .or((!last.is_null()).then_some(last));
                StepResult::failed(failure.with_partial(partial))
            }
        };
        let result = result.with_cost(cost).with_attempts(attempts);
        match agent {
            Some(agent) => result.with_agent(agent),
            None => result,
        }
    }

    fn endless(&self) -> StepFailure {
        let repeat = self.repeat;
        let word = if repeat.until { "until" } else { "while" };
        let text = format!(
            "{} ran {} times, and {word} {} did not end it",
            self.of.name, repeat.iterations_max, repeat.condition.text
        );
        StepFailure::permanent(text)
    }

    fn holds(&self, number: u32, last: &Value) -> Result<bool, StepFailure> {
        let steps = self.reads.steps.iter().map(|(step, value)| {
            let of = &self.workflow.steps[*step];
            (of.name.as_str(), &of.seen, value)
        });
        let status = self.reads.status.iter();
        let status = status.map(|(step, is)| (self.workflow.steps[*step].name.as_str(), *is));
        let readings = Readings {
            input: (&self.workflow.takes, &self.reads.input),
            steps: steps.collect(),
            status: status.collect(),
            iteration: Some(Iteration {
                number,
                last: (&self.of.gives, last),
            }),
        };
        is_true(self.workflow, &self.repeat.condition.parsed, &readings)
    }
}
