//! A step behind a circuit breaker.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::resilience::Breaker;
use crate::result::StepResult;
use crate::step::{SharedStep, Step, contained};

/// A step behind a circuit breaker: while that is open, a call fails at once as unavailable, with the time after which to come back.
pub struct Guarded<I, O> {
    step: SharedStep<I, O>,
    breaker: Arc<Breaker>,
}

impl<I: Send + 'static, O: Send + 'static> Guarded<I, O> {
    /// A step behind a breaker, which others may share.
    pub fn new(step: impl Step<I, O> + 'static, breaker: Arc<Breaker>) -> Self {
        Self {
            step: Arc::new(step),
            breaker,
        }
    }
}

#[async_trait]
impl<I: Send + 'static, O: Send + Sync + 'static> Step<I, O> for Guarded<I, O> {
    fn name(&self) -> &str {
        self.step.name()
    }

    fn estimate(&self) -> Amount {
        self.step.estimate()
    }

    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<O> {
        let entered = match self.breaker.enter() {
            Ok(entered) => entered,
            Err(failure) => return StepResult::failed(failure).with_attempts(0),
        };
        let result = contained(&*self.step, context, input).await;
        entered.ended(&result);
        result
    }
}

impl<I, O> fmt::Debug for Guarded<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}
