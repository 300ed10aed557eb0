//! What one wave finds chooses the next.

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;
use hashbrown::HashSet;
use serde::Serialize;
use tokio::time::Instant;

use crate::contain::call;
use crate::context::OrchestrationContext;
use crate::result::StepResult;
use crate::step::{SharedStep, Step};
use crate::strategy::fan_out::{How, Job, fan_out};
use crate::strategy::parallel::AT_MOST;
use crate::strategy::report::{Decision, Mode, NamedStep, RunReport, StopReason};
use crate::strategy::{OnFailure, Required};

/// One question: a step, its input, and a key by which it is asked once.
pub struct Assignment<I, O> {
    key: String,
    step: SharedStep<I, O>,
    input: I,
}

impl<I, O> Assignment<I, O> {
    /// A question. The key names what is asked of whom, for example `lambda:payments`: a second one of the same key in a run is not asked.
    pub fn new(key: impl Into<String>, step: SharedStep<I, O>, input: I) -> Self {
        Self {
            key: key.into(),
            step,
            input,
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl<I: fmt::Debug, O> fmt::Debug for Assignment<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assignment")
            .field("key", &self.key)
            .field("input", &self.input)
            .finish_non_exhaustive()
    }
}

/// Chooses the questions of each wave from what was found. The waves contain its panics.
pub trait WavePlanner: Send + Sync {
    /// What the waves are about, for example an incident.
    type Start: Send + Sync + 'static;
    /// What a question is about, for example a resource.
    type Input: Send + 'static;
    /// What a question finds.
    type Output: Send + Sync + 'static;

    /// The questions of the next wave, from everything that was found so far; the first wave has found nothing yet. None: there is nothing left to ask.
    fn next(
        &self,
        start: &Self::Start,
        found: &[NamedStep<Self::Output>],
    ) -> Vec<Assignment<Self::Input, Self::Output>>;

    /// How sure what was found makes, 0 to 1. Unless it says so, it is never sure, and asks until nothing is left.
    fn confidence(&self, _found: &[NamedStep<Self::Output>]) -> f64 {
        0.0
    }
}

type Wave<P> = Vec<Assignment<<P as WavePlanner>::Input, <P as WavePlanner>::Output>>;

/// When waves end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WaveLimits {
    /// Confidence, 0 to 1, that is enough.
    pub confidence: f64,
    /// The most waves.
    pub waves_max: usize,
    /// The most questions of all waves together.
    pub steps_max: usize,
    /// How many are asked at once.
    pub at_most: usize,
}

impl Default for WaveLimits {
    fn default() -> Self {
        Self {
            confidence: 0.8,
            waves_max: 8,
            steps_max: 256,
            at_most: AT_MOST,
        }
    }
}

/// Waves of questions: each runs in parallel, and what it found chooses the next.
///
/// They end when the planner is sure enough or has nothing left to ask, and always at a limit, a budget without room, a deadline or a cancellation.
/// The report is in the order in which the questions were planned.
pub struct Waves<P> {
    name: String,
    planner: P,
    limits: WaveLimits,
    required: Required,
}

impl<P: WavePlanner> Waves<P> {
    /// Waves that a planner chooses.
    pub fn new(name: impl Into<String>, planner: P) -> Self {
        Self {
            name: name.into(),
            planner,
            limits: WaveLimits::default(),
            required: Required::default(),
        }
    }

    /// When they end.
    #[must_use]
    pub const fn limits(mut self, limits: WaveLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How many successes it needs to be a success as a step of something else.
    #[must_use]
    pub const fn required(mut self, required: Required) -> Self {
        self.required = required;
        self
    }

    /// Takes the planner back, with what it has learnt.
    #[must_use]
    pub fn into_planner(self) -> P {
        self.planner
    }

    /// Runs waves until they end.
    ///
    /// # Cancel safety
    /// Dropping the future drops the steps at work.
    pub async fn report(
        &self,
        context: &OrchestrationContext,
        start: P::Start,
    ) -> RunReport<P::Output> {
        let started = Instant::now();
        let mut found: Vec<NamedStep<P::Output>> = Vec::new();
        let mut asked = HashSet::new();
        let mut decisions = Vec::new();
        let mut stopped = None;
        while stopped.is_none() {
            let wave = match self.plan(&start, &found, decisions.len()) {
                Ok(Some(wave)) => wave,
                Ok(None) => break,
                Err(reason) => {
                    stopped = Some(reason);
                    break;
                }
            };
            let fresh = wave.into_iter().filter(|a| asked.insert(a.key.clone()));
            let mut wave: Vec<_> = fresh.collect();
            if wave.is_empty() {
                break;
            }
            let room = self.limits.steps_max.saturating_sub(found.len());
            let cut = wave.len() > room;
            wave.truncate(room);
            decisions.push(decision(found.len(), decisions.len(), &wave));
            let fanned = self.ask(context, wave, found.len()).await;
            found.extend(fanned.0);
            stopped = fanned.1.or(cut.then_some(StopReason::StepsMax {
                max: self.limits.steps_max,
            }));
        }
        RunReport {
            steps: found,
            stopped,
            decisions,
            duration: started.elapsed(),
        }
    }

    /// The next wave; `None` when there is nothing left to ask.
    fn plan(
        &self,
        start: &P::Start,
        found: &[NamedStep<P::Output>],
        waves: usize,
    ) -> Result<Option<Wave<P>>, StopReason> {
        let planner = |failure: crate::result::StepFailure| StopReason::Planner {
            detail: failure.message().to_owned(),
        };
        if waves > 0 {
            let confidence =
                call("the planner", || self.planner.confidence(found)).map_err(planner)?;
            if confidence >= self.limits.confidence {
                return Err(StopReason::Enough);
            }
        }
        let wave = call("the planner", || self.planner.next(start, found)).map_err(planner)?;
        if wave.is_empty() {
            return Ok(None);
        }
        if waves >= self.limits.waves_max {
            let max = self.limits.waves_max;
            return Err(StopReason::WavesMax { max });
        }
        Ok(Some(wave))
    }

    async fn ask(
        &self,
        context: &OrchestrationContext,
        wave: Wave<P>,
        done_before: usize,
    ) -> (Vec<NamedStep<P::Output>>, Option<StopReason>) {
        let (steps, questions): (Vec<_>, Vec<_>) =
            wave.into_iter().map(|a| (a.step, (a.key, a.input))).unzip();
        let job = |(step, (key, input))| Job {
            name: Cow::Owned(key),
            step,
            input,
        };
        let jobs = steps.iter().zip(questions).map(job).collect();
        let judge = &mut OnFailure::GoOn;
        let how = How::all(self.limits.at_most, done_before, judge);
        let fanned = fan_out(context, jobs, how).await;
        (fanned.steps, fanned.stopped)
    }
}

fn decision<I, O>(after_steps: usize, wave: usize, asked: &[Assignment<I, O>]) -> Decision {
    const SHOWN: usize = 8;
    let mut keys: Vec<_> = asked.iter().take(SHOWN).map(Assignment::key).collect();
    if asked.len() > SHOWN {
        keys.push("…");
    }
    Decision {
        after_steps,
        mode: Mode::Parallel,
        reason: format!("wave {} asks {}", wave + 1, keys.join(", ")),
    }
}

#[async_trait]
impl<P> Step<P::Start, RunReport<P::Output>> for Waves<P>
where
    P: WavePlanner,
    P::Output: Serialize,
{
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(
        &self,
        context: &OrchestrationContext,
        input: P::Start,
    ) -> StepResult<RunReport<P::Output>> {
        self.report(context, input).await.into_step(self.required)
    }
}

impl<P> fmt::Debug for Waves<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waves")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
