//! Runs a step so that its panics stay in it and it ends with its context.

use std::time::Duration;

use tokio::time::Instant;

use crate::contain::{Bounds, bounded};
use crate::context::OrchestrationContext;
use crate::result::{SkipReason, StepResult};
use crate::step::Step;

/// Why nothing new may begin under a context; `None` when it may.
pub(crate) fn time_is_over(context: &OrchestrationContext, now: Instant) -> Option<SkipReason> {
    if context.is_cancelled() {
        return Some(SkipReason::Cancelled);
    }
    let deadline = context.deadline()?;
    (deadline <= now).then_some(SkipReason::DeadlinePassed)
}

/// How long after the deadline a step may still hand in what it has: a task is ended by the orchestrator's own timers.
const GRACE: Duration = Duration::from_secs(1);

/// Runs a step. A panic of its own code is a failure, and so is one that ends neither by itself nor with its context.
pub(crate) async fn contained<I: Send + 'static, O: Send + 'static>(
    step: &dyn Step<I, O>,
    context: &OrchestrationContext,
    input: I,
) -> StepResult<O> {
    let bounds = Bounds {
        timeout: None,
        deadline: context.deadline().and_then(|d| d.checked_add(GRACE)),
        cancellation: context.cancellation(),
    };
    // The work is made inside of what contains it: a method may panic before its first await.
    let work = async { step.run(context, input).await };
    bounded(step.name(), bounds, work)
        .await
        .unwrap_or_else(StepResult::failed)
}
