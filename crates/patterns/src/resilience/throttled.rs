//! A step that calls a provider within its limits.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::resilience::Provider;
use crate::result::{ErrorCategory, RetryAdvice, StepResult};
use crate::step::{SharedStep, Step, contained};

/// A step that calls a provider within the limits that all runs share.
///
/// When the provider throttles all the same, and says for how long, everybody waits that long: see [`StepFailure::throttled`](crate::StepFailure::throttled).
/// Put [`Retry`](crate::Retry) around this, not into it, so that the place is free while a retry waits.
pub struct Throttled<I, O> {
    step: SharedStep<I, O>,
    provider: Arc<Provider>,
}

impl<I: Send + 'static, O: Send + 'static> Throttled<I, O> {
    /// A step that calls this provider.
    pub fn new(step: impl Step<I, O> + 'static, provider: Arc<Provider>) -> Self {
        Self {
            step: Arc::new(step),
            provider,
        }
    }
}

#[async_trait]
impl<I: Send + 'static, O: Send + Sync + 'static> Step<I, O> for Throttled<I, O> {
    fn name(&self) -> &str {
        self.step.name()
    }

    fn estimate(&self) -> Amount {
        self.step.estimate()
    }

    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<O> {
        let started = Instant::now();
        let place = match self.provider.enter(context).await {
            Ok(place) => place,
            Err(failure) => {
                return StepResult::failed(failure)
                    .with_attempts(0)
                    .with_duration(started.elapsed());
            }
        };
        let result = contained(&*self.step, context, input).await;
        drop(place);
        if let Some(failure) = result.failure()
            && failure.category() == ErrorCategory::Overloaded
            && let RetryAdvice::After(time) = failure.retry()
        {
            self.provider.pause(time);
        }
        result.with_duration(started.elapsed())
    }
}

impl<I, O> fmt::Debug for Throttled<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}
