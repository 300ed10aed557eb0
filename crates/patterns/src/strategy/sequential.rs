//! One step after the other.

use std::fmt;

use async_trait::async_trait;
use serde::Serialize;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::StepResult;
use crate::step::{SharedStep, Step};
use crate::strategy::report::RunReport;
use crate::strategy::{OnFailure, Required, steps};

/// One step after the other, in the order in which they were declared.
///
/// The budget is asked before each step, and after it whether it was overdrawn. A failing step does not stop the rest, unless told so.
/// A budget without room, a deadline and a cancellation end the run; what was found is kept, and the rest is skipped with that reason.
pub struct Sequential<I, O> {
    name: String,
    steps: Vec<SharedStep<I, O>>,
    on_failure: OnFailure,
    required: Required,
}

impl<I: Clone + Send + 'static, O: Send + 'static> Sequential<I, O> {
    /// No steps yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            steps: Vec::new(),
            on_failure: OnFailure::default(),
            required: Required::default(),
        }
    }

    /// Adds a step. One beyond [`STEPS_MAX`](crate::STEPS_MAX) is skipped by every run.
    #[must_use]
    pub fn step(mut self, step: impl Step<I, O> + 'static) -> Self {
        self.steps.push(std::sync::Arc::new(step));
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
    /// Dropping the future drops the step at work.
    pub async fn report(&self, context: &OrchestrationContext, input: I) -> RunReport<O> {
        let started = Instant::now();
        let mut stopped = None;
        let mut done = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            if let Err(skipped) = steps::may_begin(context, done.len(), &mut stopped) {
                done.push(steps::named(&**step, skipped.into()));
                continue;
            }
            let ran = steps::run(context, step, input.clone(), self.on_failure).await;
            stopped = ran.1;
            done.push(ran.0);
        }
        RunReport {
            steps: done,
            stopped,
            decisions: Vec::new(),
            duration: started.elapsed(),
        }
    }
}

#[async_trait]
impl<I, O> Step<I, RunReport<O>> for Sequential<I, O>
where
    I: Clone + Send + 'static,
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

impl<I, O> fmt::Debug for Sequential<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequential")
            .field("name", &self.name)
            .field("steps", &self.steps.len())
            .finish_non_exhaustive()
    }
}
