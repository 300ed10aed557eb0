//! All steps at the same time.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::StepResult;
use crate::step::{SharedStep, Step};
use crate::strategy::fan_out::{How, fan_out, jobs};
use crate::strategy::report::RunReport;
use crate::strategy::{OnFailure, Required, steps};

/// How many steps run at once, unless the strategy says otherwise.
pub(super) const AT_MOST: usize = 32;

/// All steps at the same time, so many at once. It takes as long as the slowest, and the report is in declared order whatever finished first.
///
/// A budget without room lets nothing new begin; what runs holds its reservation and goes on.
pub struct Parallel<I, O> {
    name: String,
    steps: Vec<SharedStep<I, O>>,
    at_most: usize,
    on_failure: OnFailure,
    required: Required,
}

impl<I: Clone + Send + 'static, O: Send + 'static> Parallel<I, O> {
    /// No steps yet; at most 32 at once.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            steps: Vec::new(),
            at_most: AT_MOST,
            on_failure: OnFailure::default(),
            required: Required::default(),
        }
    }

    /// Adds a step. One beyond [`STEPS_MAX`](crate::STEPS_MAX) is skipped by every run.
    #[must_use]
    pub fn step(mut self, step: impl Step<I, O> + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// How many run at once; 0 is read as 1.
    #[must_use]
    pub const fn at_most(mut self, steps: usize) -> Self {
        self.at_most = steps;
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

    /// Runs all steps.
    ///
    /// # Cancel safety
    /// Dropping the future drops the steps at work.
    pub async fn report(&self, context: &OrchestrationContext, input: I) -> RunReport<O> {
        let started = Instant::now();
        let judge = &mut self.on_failure.clone();
        let how = How::all(self.at_most, 0, judge);
        let fanned = fan_out(context, jobs(&self.steps, &input), how).await;
        RunReport {
            steps: fanned.steps,
            stopped: fanned.stopped,
            decisions: Vec::new(),
            duration: started.elapsed(),
        }
    }
}

#[async_trait]
impl<I, O> Step<I, RunReport<O>> for Parallel<I, O>
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

impl<I, O> fmt::Debug for Parallel<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parallel")
            .field("name", &self.name)
            .field("steps", &self.steps.len())
            .field("at_most", &self.at_most)
            .finish_non_exhaustive()
    }
}
