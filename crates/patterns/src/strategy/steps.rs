//! What strategies have in common.

use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::{ErrorCategory, SkipReason, StepResult};
use crate::step::{SharedStep, Step, contained, time_is_over};
use crate::strategy::report::{NamedStep, StopReason};
use crate::strategy::{OnFailure, STEPS_MAX};

pub(super) fn named<I: Send + 'static, O: Send + 'static>(
    step: &dyn Step<I, O>,
    result: StepResult<O>,
) -> NamedStep<O> {
    NamedStep {
        name: step.name().to_owned(),
        estimate: step.estimate(),
        result,
    }
}

/// Whether another step may begin after so many; why it is skipped otherwise.
pub(crate) fn may_begin(
    context: &OrchestrationContext,
    done: usize,
    stopped: &mut Option<StopReason>,
) -> Result<(), SkipReason> {
    if stopped.is_none() {
        *stopped = match time_is_over(context, Instant::now()) {
            Some(SkipReason::Cancelled) => Some(StopReason::Cancelled),
            Some(_) => Some(StopReason::Deadline),
            None if done >= STEPS_MAX => Some(StopReason::StepsMax { max: STEPS_MAX }),
            None => None,
        };
    }
    stopped
        .as_ref()
        .map_or(Ok(()), |reason| Err(reason.skips()))
}

/// Runs one step; says besides why what came of it ends the run.
pub(super) async fn run<I: Send + 'static, O: Send + 'static>(
    context: &OrchestrationContext,
    step: &SharedStep<I, O>,
    input: I,
    on_failure: OnFailure,
) -> (NamedStep<O>, Option<StopReason>) {
    let result = contained(&**step, context, input).await;
    let stopped = stops(context, on_failure, step.name(), &result).or_else(|| overdrawn(context));
    (named(&**step, result), stopped)
}

/// Why what a step came to ends the run.
pub(crate) fn stops<O>(
    context: &OrchestrationContext,
    on_failure: OnFailure,
    step: &str,
    result: &StepResult<O>,
) -> Option<StopReason> {
    if let Some(reason) = StopReason::of(result) {
        return Some(reason);
    }
    let failure = result.failure()?;
    match failure.category() {
        ErrorCategory::Timeout | ErrorCategory::Cancelled => {
            match time_is_over(context, Instant::now()) {
                Some(SkipReason::Cancelled) => return Some(StopReason::Cancelled),
                Some(_) => return Some(StopReason::Deadline),
                None => {}
            }
        }
        _ => {}
    }
    (on_failure == OnFailure::FailFast).then(|| StopReason::FailedFast {
        step: step.to_owned(),
    })
}

/// Whether an account of the run was overdrawn.
pub(crate) fn overdrawn(context: &OrchestrationContext) -> Option<StopReason> {
    context.run()?;
    let account = context.spending().overdrawn()?;
    let detail = format!("account {account} is overdrawn");
    Some(StopReason::Budget { detail })
}

pub(super) fn estimate<I: Send + 'static, O: Send + 'static>(steps: &[SharedStep<I, O>]) -> Amount {
    let each = steps.iter().map(|step| step.estimate());
    each.fold(Amount::default(), |sum, one| sum.plus(&one))
}
