//! Runs steps at the same time, so many at once, and keeps their order.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::StepResult;
use crate::step::{Contained, SharedStep, contained};
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

impl<'a> How<'a, OnFailure> {
    /// So many at once, after so many others; a failure ends it if the strategy fails fast.
    pub(super) fn all(at_most: usize, done_before: usize, judge: &'a mut OnFailure) -> Self {
        Self {
            at_most,
            done_before,
            cancels: *judge == OnFailure::FailFast,
            judge,
        }
    }
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
    let mut ready = Poll::Pending;
    loop {
        while running.len() < how.at_most.max(1) {
            let Some((at, job)) = queue.next() else { break };
            let (name, estimate) = (job.name.into_owned(), job.step.estimate());
            match steps::may_begin(context, how.done_before + at, &mut stopped) {
                Err(skipped) => {
                    results[at] = Some(named(name, estimate, skipped.into()));
                }
                Ok(()) => {
                    let step = contained(&**job.step, within, job.input);
                    let mut begun = Begun {
                        at,
                        name,
                        estimate,
                        step,
                    };
                    // Thousands of steps that are done at once must not keep others from the thread.
                    tokio::task::coop::consume_budget().await;
                    // What is done at once needs no place among those that wait.
                    match poll_fn(|cx| Poll::Ready(Pin::new(&mut begun).poll(cx))).await {
                        Poll::Pending => running.push(begun),
                        done => {
                            ready = done;
                            break;
                        }
                    }
                }
            }
        }
        let next = match std::mem::replace(&mut ready, Poll::Pending) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => running.next().await,
        };
        let Some((at, done)) = next else {
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

/// A job that has begun.
struct Begun<'a, O> {
    at: usize,
    name: String,
    estimate: Amount,
    step: Contained<'a, O>,
}

impl<O> Future for Begun<'_, O> {
    type Output = (usize, NamedStep<O>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.step).poll(cx);
        polled.map(|result| {
            let name = std::mem::take(&mut self.name);
            (self.at, named(name, self.estimate, result))
        })
    }
}

fn named<O>(name: String, estimate: Amount, result: StepResult<O>) -> NamedStep<O> {
    NamedStep {
        name,
        estimate,
        result,
    }
}
