//! The next when one fails.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde::Serialize;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::{SkipReason, StepResult};
use crate::step::{SharedStep, Step, contained};
use crate::strategy::report::{RunReport, StopReason};
use crate::strategy::{OnFailure, steps};

/// One step, and others for when it fails, in their order. The first success is the result.
///
/// Who served is counted: a fallback's success is not one of the primary.
pub struct Fallback<I, O> {
    name: String,
    steps: Vec<SharedStep<I, O>>,
    primary: AtomicU64,
    fallback: AtomicU64,
    nobody: AtomicU64,
}

/// Who served the calls of a [`Fallback`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FallbackCounts {
    /// Calls that the first step served.
    pub primary: u64,
    /// Calls that one of the others served.
    pub fallback: u64,
    /// Calls that nobody served.
    pub nobody: u64,
}

impl<I: Clone + Send + 'static, O: Send + 'static> Fallback<I, O> {
    /// No steps yet; the first that is added is the primary.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            steps: Vec::new(),
            primary: AtomicU64::new(0),
            fallback: AtomicU64::new(0),
            nobody: AtomicU64::new(0),
        }
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, step: impl Step<I, O> + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// Who served so far.
    #[must_use]
    pub fn counts(&self) -> FallbackCounts {
        FallbackCounts {
            primary: self.primary.load(Ordering::Relaxed),
            fallback: self.fallback.load(Ordering::Relaxed),
            nobody: self.nobody.load(Ordering::Relaxed),
        }
    }

    /// Runs the steps until one succeeds. Those after it are skipped.
    ///
    /// # Cancel safety
    /// Dropping the future drops the step at work.
    pub async fn report(&self, context: &OrchestrationContext, input: I) -> RunReport<O> {
        let started = Instant::now();
        let mut stopped = None;
        let mut done = Vec::with_capacity(self.steps.len());
        let mut served = None;
        for (at, step) in self.steps.iter().enumerate() {
            let result = match steps::may_begin(context, at, &mut stopped) {
                Err(skipped) => skipped.into(),
                Ok(()) => contained(&**step, context, input.clone()).await,
            };
            if result.is_success() {
                served = Some(at);
                stopped = (at + 1 < self.steps.len()).then_some(StopReason::Enough);
            } else {
                let go_on = OnFailure::GoOn;
                stopped = stopped.or_else(|| steps::stops(context, go_on, step.name(), &result));
            }
            done.push(steps::named(&**step, result));
            if served.is_some() {
                break;
            }
        }
        for step in self.steps.iter().skip(done.len()) {
            let result = StepResult::skipped(SkipReason::NotNeeded);
            done.push(steps::named(&**step, result));
        }
        let counter = match served {
            Some(0) => &self.primary,
            Some(_) => &self.fallback,
            None => &self.nobody,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        RunReport {
            steps: done,
            stopped,
            decisions: Vec::new(),
            duration: started.elapsed(),
        }
    }
}

#[async_trait]
impl<I, O> Step<I, O> for Fallback<I, O>
where
    I: Clone + Send + 'static,
    O: Serialize + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    /// That of the primary: the others run only when it fails.
    fn estimate(&self) -> Amount {
        let primary = self.steps.first().map(|step| step.estimate());
        primary.unwrap_or_default()
    }

    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<O> {
        self.report(context, input).await.into_first()
    }
}

impl<I, O> fmt::Debug for Fallback<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("name", &self.name)
            .field("steps", &self.steps.len())
            .finish_non_exhaustive()
    }
}
