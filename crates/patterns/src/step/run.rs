//! Runs a step so that its panics stay in it and it ends with its context.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::contain::{CancelledBy, call, cut_off, ended, panicked};
use crate::context::OrchestrationContext;
use crate::result::{SkipReason, StepFailure, StepResult};
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
pub(crate) fn contained<'a, I: Send + 'static, O: Send + 'static>(
    step: &'a dyn Step<I, O>,
    context: &'a OrchestrationContext,
    input: I,
) -> Contained<'a, O> {
    let name = step.name();
    // It may panic before it has made its future.
    let work = match call(name, || step.run(context, input)) {
        Ok(work) => Work::Runs(work),
        Err(failure) => Work::Failed(failure),
    };
    Contained {
        name,
        context,
        work,
        ends: None,
    }
}

enum Work<'a, O> {
    Runs(BoxFuture<'a, StepResult<O>>),
    Failed(StepFailure),
    Over,
}

/// A step at work. It can be moved between polls, so that one that is done at once is polled where it stands.
#[must_use = "a step does nothing until it is polled"]
pub(crate) struct Contained<'a, O> {
    name: &'a str,
    context: &'a OrchestrationContext,
    work: Work<'a, O>,
    /// What ends it early. Made when it is first waited for: most steps of a program that does not wait are done at once.
    ends: Option<BoxFuture<'a, Option<Instant>>>,
}

impl<O> Contained<'_, O> {
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<StepResult<O>> {
        let Work::Runs(work) = &mut self.work else {
            let over = std::mem::replace(&mut self.work, Work::Over);
            return match over {
                Work::Failed(failure) => Poll::Ready(StepResult::failed(failure)),
                _ => Poll::Pending,
            };
        };
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(polled) => polled,
            Err(panic) => Poll::Ready(panicked(self.name, panic.as_ref()).into()),
        }
    }

    fn poll_ends(&mut self, cx: &mut Context<'_>) -> Poll<StepResult<O>> {
        let context = self.context;
        let deadline = context.deadline().and_then(|d| d.checked_add(GRACE));
        let ends = self
            .ends
            .get_or_insert_with(|| Box::pin(ended(CancelledBy::Context(context), deadline)));
        let cut_off = |ended| cut_off(self.name, deadline, ended).into();
        ends.as_mut().poll(cx).map(cut_off)
    }
}

impl<O> Future for Contained<'_, O> {
    type Output = StepResult<O>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<StepResult<O>> {
        let polled = match self.poll_work(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_ends(cx),
        };
        if polled.is_ready() {
            // What is cut off is dropped before anybody learns of it.
            self.work = Work::Over;
        }
        polled
    }
}

impl<O> fmt::Debug for Contained<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contained")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
