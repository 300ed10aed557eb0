//! The first that succeeds.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::StepResult;
use crate::step::{SharedStep, Step};
use crate::strategy::quorum::first_of;
use crate::strategy::report::RunReport;
use crate::strategy::steps;

/// All steps at the same time; the first success wins and the others are cancelled.
///
/// Of two that succeed at the same instant, the one that is seen first wins: with measured time, that is not promised to be the same one again.
/// What a cancelled task of an agent has cost is in the accounts and not in the report.
pub struct Race<I, O> {
    name: String,
    steps: Vec<SharedStep<I, O>>,
}

impl<I: Clone + Send + 'static, O: Send + 'static> Race<I, O> {
    /// No steps yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            steps: Vec::new(),
        }
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, step: impl Step<I, O> + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// Runs all steps until one succeeds.
    ///
    /// # Cancel safety
    /// Dropping the future drops the steps at work.
    pub async fn report(&self, context: &OrchestrationContext, input: I) -> RunReport<O> {
        first_of(context, &self.steps, &input, 1, |_, _| true).await
    }
}

#[async_trait]
impl<I, O> Step<I, O> for Race<I, O>
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

    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<O> {
        let report = self.report(context, input).await;
        report.into_first()
    }
}

impl<I, O> fmt::Debug for Race<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race")
            .field("name", &self.name)
            .field("steps", &self.steps.len())
            .finish_non_exhaustive()
    }
}
