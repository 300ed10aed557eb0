//! Runs steps at the same time, so many at once, and keeps their order.

use std::borrow::Cow;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::StepResult;
use crate::step::{SharedStep, contained};
use crate::strategy::report::{NamedStep, StopReason};
use crate::strategy::{OnFailure, steps};

/// One step to be run, under its own name or another.
pub(super) struct Job<'a, I, O> {
    pub(super) name: Cow<'a, str>,
    pub(super) step: &'a SharedStep<I, O>,
    pub(super) input: I,
}

/// Jobs that run the steps under their own names, all with the same input.
pub(super) fn jobs<'a, I, O>(steps: &'a [SharedStep<I, O>], input: &I) -> Vec<Job<'a, I, O>>
where
    I: Clone + Send + 'static,
    O: Send + 'static,
{
    let job = |step: &'a SharedStep<I, O>| Job {
        name: Cow::Borrowed(step.name()),
        step,
        input: input.clone(),
    };
    steps.iter().map(job).collect()
}

/// What ends a fan-out before its end.
pub(super) trait Judge<O> {
    /// Looks at the results as another one has come; a reason ends the fan-out and cancels what runs.
    fn judge(&mut self, results: &[Option<NamedStep<O>>], new: &NamedStep<O>)
    -> Option<StopReason>;
}

/// Nothing does but the first failure, when the strategy fails fast.
impl<O> Judge<O> for OnFailure {
    fn judge(&mut self, _: &[Option<NamedStep<O>>], new: &NamedStep<O>) -> Option<StopReason> {
        let fast = *self == Self::FailFast && new.result.failure().is_some();
        fast.then(|| StopReason::FailedFast {
            step: new.name.clone(),
        })
    }
}

/// The results in the order of the jobs, and why it ended early.
pub(super) struct FannedOut<O> {
    pub(super) steps: Vec<NamedStep<O>>,
    pub(super) stopped: Option<StopReason>,
}

/// How a fan-out runs.
pub(super) struct How<'a, J> {
    /// So many at once.
    pub(super) at_most: usize,
    /// Steps that ran before, of [`STEPS_MAX`](crate::STEPS_MAX).
    pub(super) done_before: usize,
    /// Whether the judge may end what runs: it has a cancellation of its own then.
    pub(super) cancels: bool,
    pub(super) judge: &'a mut J,
}

/// Runs all jobs. A budget without room ends it as far as nothing new begins; what runs holds its reservation and goes on.
pub(super) async fn fan_out<I, O, J>(
    context: &OrchestrationContext,
    jobs: Vec<Job<'_, I, O>>,
    how: How<'_, J>,
) -> FannedOut<O>
where
    I: Send + 'static,
    O: Send + 'static,
    J: Judge<O>,
{
    let own = how.cancels.then(|| context.branch());
    let within = own.as_ref().unwrap_or(context);
    let count = jobs.len();
    let mut results: Vec<Option<NamedStep<O>>> = Vec::with_capacity(count);
    results.resize_with(count, || None);
    let mut stopped = None;
    let mut queue = jobs.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < how.at_most.max(1) {
            let Some((at, job)) = queue.next() else { break };
            let (name, estimate) = (job.name.into_owned(), job.step.estimate());
            match steps::may_begin(context, how.done_before + at, &mut stopped) {
                Err(skipped) => {
                    results[at] = Some(named(name, estimate, skipped.into()));
                }
                Ok(()) => {
                    let (step, input) = (job.step, job.input);
                    running.push(async move {
                        let result = contained(&**step, within, input).await;
                        (at, named(name, estimate, result))
                    });
                }
            }
        }
        let Some((at, done)) = running.next().await else {
            break;
        };
        if stopped.is_none() {
            stopped = how.judge.judge(&results, &done);
            if stopped.is_some() {
                within.cancel_branch(context);
            } else {
                let go_on = OnFailure::GoOn;
                stopped = steps::stops(context, go_on, &done.name, &done.result);
            }
        }
        results[at] = Some(done);
    }
    drop(running);
    let stopped = stopped.or_else(|| steps::overdrawn(context));
    FannedOut {
        steps: results.into_iter().flatten().collect(),
        stopped,
    }
}

fn named<O>(name: String, estimate: Amount, result: StepResult<O>) -> NamedStep<O> {
    NamedStep {
        name,
        estimate,
        result,
    }
}
