//! Sequential or parallel, as measured.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;
use universal_orchestrator::{Amount, Limits};

use crate::context::OrchestrationContext;
use crate::result::StepResult;
use crate::step::{SharedStep, Step};
use crate::strategy::fan_out::{How, fan_out, jobs};
use crate::strategy::measured::{Expected, Measured};
use crate::strategy::parallel::AT_MOST;
use crate::strategy::report::{Decision, Mode, NamedStep, RunReport};
use crate::strategy::{OnFailure, Required, steps};

/// When steps run in parallel.
///
/// Source of the defaults: the recorded decision of the "compass" project, to run its agents one after the other until that
/// consistently takes more than three minutes and measurements show that parallel runs help.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveCriteria {
    /// One after the other may take so long.
    pub sequential_max: Duration,
    /// So many runs in a row must take longer before it goes parallel; 0 is read as 1.
    pub runs_over: u32,
    /// Parallel must save this share of the time, 0 to 1; else the slowest step is what matters, and parallel helps little.
    pub saving_min: f64,
    /// It goes back when one after the other is expected to take less than this share of `sequential_max`, 0 to 1.
    pub back_below: f64,
    /// How many run at once in parallel.
    pub at_most: usize,
}

impl Default for AdaptiveCriteria {
    fn default() -> Self {
        Self {
            sequential_max: Duration::from_secs(180),
            runs_over: 3,
            saving_min: 0.25,
            back_below: 0.8,
            at_most: AT_MOST,
        }
    }
}

/// Starts one after the other, and goes parallel or back, by measured durations, the deadline, and the budget that is left.
///
/// Before each step it decides how to go on, in this order:
/// the budget that is left does not cover the estimates of all the rest: one by one;
/// one by one would pass the deadline and parallel saves enough: parallel;
/// the last runs took too long one by one and parallel saves enough: parallel;
/// it was parallel and one by one would still be too long: parallel; else one by one.
/// The durations are moving averages of this value's own runs; [`RunReport::decisions`] says what was decided.
pub struct Adaptive<I, O> {
    name: String,
    steps: Vec<SharedStep<I, O>>,
    criteria: AdaptiveCriteria,
    on_failure: OnFailure,
    required: Required,
    measured: Mutex<Measured>,
}

impl<I: Clone + Send + 'static, O: Send + 'static> Adaptive<I, O> {
    /// No steps yet, and the default criteria.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            steps: Vec::new(),
            criteria: AdaptiveCriteria::default(),
            on_failure: OnFailure::default(),
            required: Required::default(),
            measured: Mutex::default(),
        }
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, step: impl Step<I, O> + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// When steps run in parallel.
    #[must_use]
    pub const fn criteria(mut self, criteria: AdaptiveCriteria) -> Self {
        self.criteria = criteria;
        self
    }

    /// What a failing step means for the others.
    #[must_use]
    pub const fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// How many successes it needs to be a success as a step of something else.
    #[must_use]
    pub const fn required(mut self, required: Required) -> Self {
        self.required = required;
        self
    }

    /// How it would begin a run without deadline and budget.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.measured.lock().mode
    }

    /// Runs all steps.
    ///
    /// # Cancel safety
    /// Dropping the future drops the steps at work; nothing is learnt from the run.
    pub async fn report(&self, context: &OrchestrationContext, input: I) -> RunReport<O> {
        let started = Instant::now();
        let mut done: Vec<NamedStep<O>> = Vec::with_capacity(self.steps.len());
        let mut decisions: Vec<Decision> = Vec::new();
        let mut stopped = None;
        while let Some((step, _)) = self.steps[done.len()..].split_first() {
            let rest = &self.steps[done.len()..];
            if let Err(skipped) = steps::may_begin(context, done.len(), &mut stopped) {
                done.push(steps::named(&**step, skipped.into()));
                continue;
            }
            let (mode, reason) = self.decide(context, rest);
            if decisions.last().is_none_or(|last| last.mode != mode) {
                decisions.push(Decision {
                    after_steps: done.len(),
                    mode,
                    reason: reason.to_owned(),
                });
            }
            match mode {
                Mode::Sequential => {
                    let ran = steps::run(context, step, input.clone(), self.on_failure).await;
                    stopped = ran.1;
                    self.learn(&ran.0);
                    done.push(ran.0);
                }
                Mode::Parallel => {
                    let judge = &mut self.on_failure.clone();
                    let how = How::all(self.criteria.at_most, done.len(), judge);
                    let fanned = fan_out(context, jobs(rest, &input), how).await;
                    for step in &fanned.steps {
                        self.learn(step);
                    }
                    stopped = fanned.stopped;
                    done.extend(fanned.steps);
                }
            }
        }
        self.conclude(&done);
        RunReport {
            steps: done,
            stopped,
            decisions,
            duration: started.elapsed(),
        }
    }

    fn decide(
        &self,
        context: &OrchestrationContext,
        rest: &[SharedStep<I, O>],
    ) -> (Mode, &'static str) {
        let criteria = &self.criteria;
        let measured = self.measured.lock();
        let Some(expected) = Expected::of(&measured, rest, criteria.at_most) else {
            return (Mode::Sequential, "nothing is measured yet");
        };
        let too_long =
            |share: f64| expected.sequential > criteria.sequential_max.as_secs_f64() * share;
        if !has_room(context, &steps::estimate(rest)) {
            return (
                Mode::Sequential,
                "the budget that is left does not cover all at once",
            );
        }
        if rest.len() < 2 || !expected.saves(criteria.saving_min) {
            return (Mode::Sequential, "parallel would save too little");
        }
        let left = context.time_left().map(|left| left.as_secs_f64());
        if left.is_some_and(|left| expected.sequential > left) {
            return (Mode::Parallel, "one by one would pass the deadline");
        }
        match measured.mode {
            // Within a run only the deadline counts; the mode is that of the whole run.
            _ if rest.len() < self.steps.len() => (Mode::Sequential, "one by one is in time"),
            Mode::Parallel if too_long(criteria.back_below) => {
                (Mode::Parallel, "one by one would still take too long")
            }
            Mode::Parallel => (Mode::Sequential, "one by one is short enough again"),
            Mode::Sequential
                if measured.runs_over >= criteria.runs_over.max(1) && too_long(1.0) =>
            {
                (Mode::Parallel, "one by one took too long several times")
            }
            Mode::Sequential => (Mode::Sequential, "one by one is in time"),
        }
    }

    fn learn(&self, step: &NamedStep<O>) {
        if step.result.attempts() > 0 {
            let took = step.result.duration();
            self.measured.lock().record(&step.name, took);
        }
    }

    /// Whether this run would have taken too long one by one.
    fn conclude(&self, done: &[NamedStep<O>]) {
        let one_by_one: Duration = done.iter().map(|step| step.result.duration()).sum();
        let criteria = &self.criteria;
        let mut measured = self.measured.lock();
        let over = one_by_one > criteria.sequential_max;
        measured.runs_over = if over {
            measured.runs_over.saturating_add(1)
        } else {
            0
        };
        if measured.runs_over >= criteria.runs_over.max(1) {
            measured.mode = Mode::Parallel;
        } else if one_by_one < criteria.sequential_max.mul_f64(share(criteria.back_below)) {
            measured.mode = Mode::Sequential;
        }
    }
}

fn share(of: f64) -> f64 {
    if of.is_finite() {
        of.clamp(0.0, 1.0)
    } else {
        1.0
    }
}

/// Whether the account of the run covers an amount on top of what is spent and reserved.
fn has_room(context: &OrchestrationContext, more: &Amount) -> bool {
    let Some(account) = context.account() else {
        return true;
    };
    let used = account.spent.plus(&account.reserved).plus(more);
    let Limits {
        money,
        tokens,
        calls,
        busy,
        ..
    } = account.limits;
    money.is_none_or(|max| used.money <= max)
        && tokens.is_none_or(|max| used.tokens <= max)
        && calls.is_none_or(|max| used.calls <= max)
        && busy.is_none_or(|max| used.busy <= max)
}

#[async_trait]
impl<I, O> Step<I, RunReport<O>> for Adaptive<I, O>
where
    I: Clone + Send + Sync + 'static,
    O: Serialize + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn estimate(&self) -> Amount {
        steps::estimate(&self.steps)
    }

    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<RunReport<O>> {
        self.report(context, input).await.into_step(self.required)
    }
}

impl<I, O> fmt::Debug for Adaptive<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adaptive")
            .field("name", &self.name)
            .field("steps", &self.steps.len())
            .field("criteria", &self.criteria)
            .field("measured", &*self.measured.lock())
            .finish_non_exhaustive()
    }
}
