//! A circuit breaker that calls share.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use universal_orchestrator::{BreakerSettings, BreakerState, CircuitBreaker};

use crate::result::{ErrorCategory, RetryAdvice, StepFailure, StepOutcome, StepResult};

/// A circuit breaker that calls share: the core's [`CircuitBreaker`] with a clock.
///
/// It counts what the callee is to blame for: failing work, timeouts, overload, panics. Inputs that do not fit, vetoes, budgets and cancellations do not count.
#[derive(Debug)]
pub struct Breaker {
    name: String,
    epoch: Instant,
    state: Mutex<CircuitBreaker>,
}

impl Breaker {
    /// A closed breaker. The name is for failures.
    pub fn new(name: impl Into<String>, settings: BreakerSettings) -> Self {
        Self {
            name: name.into(),
            epoch: Instant::now(),
            state: Mutex::new(CircuitBreaker::new(settings)),
        }
    }

    /// What it lets through now.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.state.lock().state(self.now())
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Lets a call through, or says when to come back.
    pub(super) fn enter(&self) -> Result<Entered<'_>, StepFailure> {
        let now = self.now();
        let mut state = self.state.lock();
        if state.acquire(now) {
            return Ok(Entered {
                breaker: self,
                since: Some(now),
            });
        }
        let failure = StepFailure::new(
            ErrorCategory::Unavailable,
            format!("the breaker of {} lets nothing through", self.name),
        );
        let left = state.opens_until().map(|until| until.saturating_sub(now));
        Err(match left {
            Some(left) => failure.with_retry(RetryAdvice::After(left)),
            None => failure,
        })
    }
}

/// A call that was let through; forgotten when it is dropped without a result.
pub(super) struct Entered<'a> {
    breaker: &'a Breaker,
    since: Option<Duration>,
}

impl Entered<'_> {
    pub(super) fn ended<O>(mut self, result: &StepResult<O>) {
        let good = match result.outcome() {
            StepOutcome::Success { .. } => true,
            StepOutcome::Failure { failure } if is_to_blame(failure.category()) => false,
            _ => return,
        };
        if let Some(since) = self.since.take() {
            let now = self.breaker.now();
            let took = now.saturating_sub(since);
            self.breaker.state.lock().record(now, good, took);
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if self.since.is_some() {
            self.breaker.state.lock().forget();
        }
    }
}

const fn is_to_blame(category: ErrorCategory) -> bool {
    matches!(
        category,
        ErrorCategory::Work
            | ErrorCategory::Timeout
            | ErrorCategory::Unavailable
            | ErrorCategory::Overloaded
            | ErrorCategory::Dependency
            | ErrorCategory::Panicked
            | ErrorCategory::Internal
    )
}
