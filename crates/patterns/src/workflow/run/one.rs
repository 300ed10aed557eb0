//! One step at work.

use serde_json::Value;
use tokio::time::Instant;

use crate::context::OrchestrationContext;
use crate::result::{ErrorCategory, RetryAdvice, SkipReason, StepFailure, StepResult};
use crate::step::{SharedStep, contained};
use crate::workflow::compiled::{Compiled, CompiledStep};
use crate::workflow::expression::{Parsed, Readings};
use crate::workflow::gate::{GatePlan, OpenGate};
use crate::workflow::run::at_gate::at_gate;
use crate::workflow::run::input::{Prepared, taken};
use crate::workflow::run::items::{collected, over_items};
use crate::workflow::run::repeat::{Loop, LoopReads};

/// What became of a step.
pub(super) struct Ended {
    pub(super) step: usize,
    pub(super) result: StepResult,
    /// Of a fan-out, what became of each item.
    pub(super) items: Vec<StepResult>,
    /// Of a gate, nothing: it takes no place among those at work.
    pub(super) was_gate: bool,
}

/// What a step needs to run, apart from the run.
pub(super) enum Job {
    Once {
        work: SharedStep<Value, Value>,
        input: Value,
    },
    Repeat {
        work: Option<SharedStep<Value, Value>>,
        input: Prepared,
        reads: LoopReads,
    },
    Each {
        work: Option<SharedStep<Value, Value>>,
        input: Prepared,
        items: Vec<Value>,
    },
    Gate {
        open: OpenGate,
        plan: GatePlan,
        deadline: Option<Instant>,
    },
}

/// Runs a job.
pub(super) async fn run(
    workflow: &Compiled,
    context: &OrchestrationContext,
    step: usize,
    job: Job,
) -> Ended {
    let started = Instant::now();
    let of = &workflow.steps[step];
    let mut ended = Ended {
        step,
        result: StepResult::skipped(SkipReason::NotNeeded),
        items: Vec::new(),
        was_gate: false,
    };
    match job {
        Job::Once { work, input } => {
            let result = contained(&*work, context, input).await;
            ended.result = given(of, result);
        }
        Job::Repeat { work, input, reads } => {
            if let Some(repeat) = &of.repeat {
                let again = Loop {
                    workflow,
                    context,
                    of,
                    repeat,
                    work,
                    input,
                    reads,
                };
                let result = Box::pin(again.run()).await;
                ended.result = result.with_duration(started.elapsed());
            }
        }
        Job::Each { work, input, items } => {
            if let Some(each) = &of.each {
                let all = Box::pin(over_items(context, of, work, &input, &items, each));
                ended.items = all.await;
                ended.result = collected(of, each, &ended.items).with_duration(started.elapsed());
            }
        }
        Job::Gate {
            open,
            plan,
            deadline,
        } => {
            ended.was_gate = true;
            let result = Box::pin(at_gate(context, of, open, &plan, deadline)).await;
            ended.result = result.with_duration(started.elapsed());
        }
    }
    ended
}

/// A result that is not what was declared is a failure.
fn given(of: &CompiledStep, result: StepResult) -> StepResult {
    result.and_then(|data| match of.gives.check(&data) {
        Ok(()) => Ok(data),
        Err(misfit) => {
            let text = format!("the result of {} does not fit: {misfit}", of.name);
            let failure = StepFailure::new(ErrorCategory::Invalid, text);
            Err(failure.with_partial(Some(data)))
        }
    })
}

/// One run of a step's work; without one it gives its input.
pub(super) async fn once(
    context: &OrchestrationContext,
    of: &CompiledStep,
    work: Option<&SharedStep<Value, Value>>,
    input: Value,
) -> StepResult {
    if let Err(failure) = taken(of, &input) {
        return StepResult::failed(failure).with_attempts(0);
    }
    match work {
        Some(work) => given(of, contained(&**work, context, input).await),
        None => StepResult::success(input),
    }
}

/// Whether a condition is true; that it cannot be said is a failure.
pub(in crate::workflow) fn is_true(
    workflow: &Compiled,
    parsed: &Parsed,
    readings: &Readings<'_>,
) -> Result<bool, StepFailure> {
    let Some(evaluator) = &workflow.evaluator else {
        let text = "a condition in a workflow without expressions";
        return Err(StepFailure::new(ErrorCategory::Internal, text));
    };
    let value = evaluator.is_true(parsed, readings);
    value.map_err(|text| StepFailure::new(ErrorCategory::Invalid, text))
}

/// What a reason to begin nothing new means for work that has begun.
pub(super) fn ended_early(reason: &SkipReason) -> StepFailure {
    let category = match reason {
        SkipReason::BudgetExhausted { .. } => ErrorCategory::Budget,
        SkipReason::DeadlinePassed => ErrorCategory::Timeout,
        SkipReason::Cancelled => ErrorCategory::Cancelled,
        _ => ErrorCategory::Dependency,
    };
    StepFailure::new(category, reason.to_string()).with_retry(RetryAdvice::Never)
}
