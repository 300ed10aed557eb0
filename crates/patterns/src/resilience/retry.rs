//! Tries again what may succeed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use universal_orchestrator::{Amount, RetryPolicy};

use crate::context::OrchestrationContext;
use crate::result::{RetryAdvice, StepResult};
use crate::step::{SharedStep, Step, contained};

/// Tries a step again when its failure says that this may help: never a budget, an input that does not fit, or a cancellation.
///
/// The delay is the policy's, or longer when the failure asks for it. A delay that would pass the deadline is not waited for.
/// The step must bear being run twice.
pub struct Retry<I, O> {
    step: SharedStep<I, O>,
    policy: RetryPolicy,
    /// Calls so far: calls that fail together do not come back together.
    calls: AtomicU64,
}

impl<I: Clone + Send + 'static, O: Send + 'static> Retry<I, O> {
    /// A step that is tried as often as the policy allows.
    pub fn new(step: impl Step<I, O> + 'static, policy: RetryPolicy) -> Self {
        Self {
            step: Arc::new(step),
            policy,
            calls: AtomicU64::new(0),
        }
    }
}

#[async_trait]
impl<I, O> Step<I, O> for Retry<I, O>
where
    I: Clone + Send + Sync + 'static,
    O: Send + Sync + 'static,
{
    fn name(&self) -> &str {
        self.step.name()
    }

    fn estimate(&self) -> Amount {
        self.step.estimate()
    }

    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<O> {
        let started = Instant::now();
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let seed = context.seed_for(self.name()).wrapping_add(call);
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut cost, mut attempts) = (Amount::default(), 0_u32);
        let mut tries = 0;
        let result = loop {
            tries += 1;
            let result = contained(&*self.step, context, input.clone()).await;
            cost = cost.plus(&result.cost());
            attempts = attempts.saturating_add(result.attempts());
            let Some(advice) = result.failure().map(|f| f.retry()) else {
                break result;
            };
            if advice == RetryAdvice::Never || !self.policy.allows_after(tries) {
                break result;
            }
            let mut delay = self.policy.delay_after(tries, random.f64());
            if let RetryAdvice::After(least) = advice {
                delay = delay.max(least);
            }
            if !waits(context, delay).await {
                break result;
            }
        };
        result
            .with_cost(cost)
            .with_attempts(attempts)
            .with_duration(started.elapsed())
    }
}

/// Waits, unless the context ends before.
async fn waits(context: &OrchestrationContext, delay: Duration) -> bool {
    if context.time_left().is_some_and(|left| left <= delay) {
        return false;
    }
    tokio::select! {
        biased;
        () = context.cancellation().cancelled() => false,
        () = tokio::time::sleep(delay) => true,
    }
}

impl<I, O> fmt::Debug for Retry<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
