//! A second request when the first is slow.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::{ErrorCategory, StepFailure, StepResult};
use crate::step::{SharedStep, Step, contained};

/// The most copies of one request.
const COPIES_MAX: u32 = 8;

/// Asks again when no answer has come after a time; the first success wins and the others are cancelled. A failure is answered by the next copy at once.
///
/// Every copy reserves its own budget, and the step must bear being run twice at the same time.
/// Source: J. Dean and L. Barroso, "The Tail at Scale", Communications of the ACM, 2013.
pub struct Hedged<I, O> {
    step: SharedStep<I, O>,
    after: Duration,
    copies: u32,
}

impl<I: Clone + Send + 'static, O: Send + 'static> Hedged<I, O> {
    /// A step that is asked a second time after so long.
    pub fn new(step: impl Step<I, O> + 'static, after: Duration) -> Self {
        Self {
            step: Arc::new(step),
            after,
            copies: 2,
        }
    }

    /// How often it is asked in all, the first time included; from 1 to 8.
    #[must_use]
    pub const fn copies(mut self, copies: u32) -> Self {
        self.copies = if copies == 0 {
            1
        } else if copies > COPIES_MAX {
            COPIES_MAX
        } else {
            copies
        };
        self
    }
}

#[async_trait]
impl<I, O> Step<I, O> for Hedged<I, O>
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
        let within = context.branch();
        let ask = || contained(&*self.step, &within, input.clone());
        let mut running = FuturesUnordered::new();
        running.push(ask());
        let mut asked = 1;
        let (mut cost, mut attempts) = (Amount::default(), 0_u32);
        let mut first_failure = None;
        let mut winner: Option<StepResult<O>> = None;
        loop {
            let may_ask = winner.is_none() && asked < self.copies;
            let ended = tokio::select! {
                biased;
                ended = running.next() => ended,
                () = tokio::time::sleep(self.after), if may_ask => {
                    asked += 1;
                    running.push(ask());
                    continue;
                }
            };
            let Some(result) = ended else { break };
            cost = cost.plus(&result.cost());
            attempts = attempts.saturating_add(result.attempts());
            if winner.is_some() {
                continue;
            }
            if result.is_success() {
                within.cancel();
                winner = Some(result);
                continue;
            }
            let again = result.failure().is_some_and(StepFailure::is_retryable);
            first_failure.get_or_insert(result);
            if again && asked < self.copies {
                asked += 1;
                running.push(ask());
            }
        }
        drop(running);
        let result = winner.or(first_failure).unwrap_or_else(|| {
            let text = "a hedged request ended without a result";
            StepFailure::new(ErrorCategory::Internal, text).into()
        });
        result
            .with_cost(cost)
            .with_attempts(attempts)
            .with_duration(started.elapsed())
    }
}

impl<I, O> fmt::Debug for Hedged<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedged")
            .field("after", &self.after)
            .field("copies", &self.copies)
            .finish_non_exhaustive()
    }
}
