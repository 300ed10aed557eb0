//! One step over a stream of inputs, with back-pressure.

use std::fmt;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::contain::call;
use crate::context::OrchestrationContext;
use crate::result::{StepOutcome, StepResult};
use crate::step::{SharedStep, Step, contained, time_is_over};
use crate::strategy::parallel::AT_MOST;
use crate::strategy::report::StopReason;
use crate::strategy::{OnFailure, steps};

/// The most inputs of one run, unless it says otherwise.
const INPUTS_MAX: u64 = 1_000_000;

/// How many failures are kept with their text.
const FAILURES_KEPT: usize = 16;

/// One step over a stream of inputs: so many at once, and an input is taken only when there is a place for it.
///
/// The results are reduced in the order of the inputs, whatever finished first. Those that wait for an earlier one count as at work, so memory stays bounded.
/// A budget without room, a deadline and a cancellation end it; inputs that were not taken stay in the stream.
pub struct MapReduce<I, O> {
    step: SharedStep<I, O>,
    at_most: usize,
    inputs_max: u64,
}

/// One result on its way to the reduction.
#[derive(Debug)]
pub struct Mapped<O> {
    /// The position of the input, from 0.
    pub at: u64,
    /// What came of it.
    pub result: StepResult<O>,
}

/// What came of a stream.
#[must_use = "what is missing is said here and nowhere else"]
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Reduced<A> {
    /// What the reduction made.
    pub value: A,
    /// Inputs that were taken.
    pub taken: u64,
    /// Of them, those that succeeded.
    pub succeeded: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Of them, those that were not tried.
    pub skipped: u64,
    /// The first failures and skips: the input's position and why.
    pub missing: Vec<(u64, String)>,
    /// Why it ended before the stream did.
    pub stopped: Option<StopReason>,
    /// What all inputs cost together.
    pub cost: Amount,
    /// How long it took.
    pub duration: Duration,
}

impl<A> Reduced<A> {
    fn new(value: A) -> Self {
        Self {
            value,
            taken: 0,
            succeeded: 0,
            failed: 0,
            skipped: 0,
            missing: Vec::new(),
            stopped: None,
            cost: Amount::default(),
            duration: Duration::ZERO,
        }
    }

    fn count<O>(&mut self, mapped: &Mapped<O>) {
        let why = match mapped.result.outcome() {
            StepOutcome::Success { .. } => {
                self.succeeded += 1;
                None
            }
            StepOutcome::Failure { failure } => {
                self.failed += 1;
                Some(failure.to_string())
            }
            StepOutcome::Skipped { skipped } => {
                self.skipped += 1;
                Some(skipped.to_string())
            }
        };
        if let Some(why) = why.filter(|_| self.missing.len() < FAILURES_KEPT) {
            self.missing.push((mapped.at, why));
        }
        self.cost = self.cost.plus(&mapped.result.cost());
    }
}

/// Where inputs come from.
trait Source<I> {
    async fn take(&mut self) -> Option<I>;
}

struct Channel<'a, I>(&'a mut mpsc::Receiver<I>);

impl<I> Source<I> for Channel<'_, I> {
    async fn take(&mut self) -> Option<I> {
        self.0.recv().await
    }
}

struct Items<'a, T>(&'a mut T);

impl<T: Iterator> Source<T::Item> for Items<'_, T> {
    async fn take(&mut self) -> Option<T::Item> {
        self.0.next()
    }
}

impl<I: Send + 'static, O: Send + 'static> MapReduce<I, O> {
    /// One step over a stream; at most 32 inputs at once, and a million in all.
    pub fn new(step: impl Step<I, O> + 'static) -> Self {
        Self {
            step: std::sync::Arc::new(step),
            at_most: AT_MOST,
            inputs_max: INPUTS_MAX,
        }
    }

    /// How many inputs are at work at once; 0 is read as 1.
    #[must_use]
    pub const fn at_most(mut self, inputs: usize) -> Self {
        self.at_most = inputs;
        self
    }

    /// How many inputs are taken in all.
    #[must_use]
    pub const fn inputs_max(mut self, inputs: u64) -> Self {
        self.inputs_max = inputs;
        self
    }

    /// Runs over what comes through a channel, until it is closed and empty. Whoever sends waits while there is no place: that is the back-pressure.
    ///
    /// # Cancel safety
    /// Dropping the future drops what is at work; what was not taken stays in the channel.
    pub async fn run<A>(
        &self,
        context: &OrchestrationContext,
        inputs: &mut mpsc::Receiver<I>,
        start: A,
        reduce: impl FnMut(&mut A, Mapped<O>),
    ) -> Reduced<A> {
        self.drive(context, Channel(inputs), start, reduce).await
    }

    /// Runs over an iterator, which is asked for the next input only when there is a place for it.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn run_over<A>(
        &self,
        context: &OrchestrationContext,
        inputs: &mut impl Iterator<Item = I>,
        start: A,
        reduce: impl FnMut(&mut A, Mapped<O>),
    ) -> Reduced<A> {
        self.drive(context, Items(inputs), start, reduce).await
    }

    async fn drive<A>(
        &self,
        context: &OrchestrationContext,
        mut source: impl Source<I>,
        start: A,
        mut reduce: impl FnMut(&mut A, Mapped<O>),
    ) -> Reduced<A> {
        let started = Instant::now();
        let mut reduced = Reduced::new(start);
        let mut at_work = FuturesOrdered::new();
        let mut ended = false;
        loop {
            if reduced.stopped.is_none() {
                reduced.stopped = self.over(context, reduced.taken);
            }
            let may_take = !ended && reduced.stopped.is_none();
            let room = at_work.len() < self.at_most.max(1);
            tokio::select! {
                biased;
                Some((at, result)) = at_work.next(), if !at_work.is_empty() => {
                    let mapped = Mapped { at, result };
                    if reduced.stopped.is_none() {
                        let go_on = OnFailure::GoOn;
                        reduced.stopped = steps::stops(context, go_on, self.step.name(), &mapped.result);
                    }
                    reduced.count(&mapped);
                    if let Err(failure) = call("the reduction", || reduce(&mut reduced.value, mapped)) {
                        let detail = failure.message().to_owned();
                        reduced.stopped = Some(StopReason::Reduction { detail });
                    }
                }
                () = async { Box::pin(time_passes(context)).await }, if may_take => {}
                input = source.take(), if may_take && room => match input {
                    None => ended = true,
                    Some(input) => {
                        let at = reduced.taken;
                        reduced.taken += 1;
                        at_work.push_back(async move {
                            (at, contained(&*self.step, context, input).await)
                        });
                    }
                },
                else => break,
            }
        }
        drop(at_work);
        reduced.stopped = reduced.stopped.or_else(|| steps::overdrawn(context));
        reduced.duration = started.elapsed();
        reduced
    }

    fn over(&self, context: &OrchestrationContext, taken: u64) -> Option<StopReason> {
        use crate::result::SkipReason;
        match time_is_over(context, Instant::now()) {
            Some(SkipReason::Cancelled) => Some(StopReason::Cancelled),
            Some(_) => Some(StopReason::Deadline),
            None if taken >= self.inputs_max => Some(StopReason::StepsMax {
                max: usize::try_from(self.inputs_max).unwrap_or(usize::MAX),
            }),
            None => None,
        }
    }
}

/// Ends with the context, while a stream may be silent.
async fn time_passes(context: &OrchestrationContext) {
    let deadline = async {
        match context.deadline() {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = context.cancellation().cancelled() => {}
        () = deadline => {}
    }
}

impl<I, O> fmt::Debug for MapReduce<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapReduce")
            .field("at_most", &self.at_most)
            .field("inputs_max", &self.inputs_max)
            .finish_non_exhaustive()
    }
}
