//! What all runs together may ask of a provider.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::contain::{Bounds, CancelledBy, bounded};
use crate::context::OrchestrationContext;
use crate::result::{ErrorCategory, RetryAdvice, StepFailure};

/// So many calls in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls; 0 is read as 1.
    pub calls: u32,
    /// The time.
    pub per: Duration,
    /// Calls that may come at once after a pause; 0 is read as 1.
    pub burst: u32,
}

/// What all runs together may ask of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderLimits {
    /// Calls at once; 0 is read as 1.
    pub concurrency: usize,
    /// Calls in a time; `None`: no limit.
    pub rate: Option<Rate>,
    /// Calls that may wait for their turn; further ones are refused.
    pub waiting_max: usize,
}

impl Default for ProviderLimits {
    /// Eight calls at once, at any rate, with 1,024 that wait.
    fn default() -> Self {
        Self {
            concurrency: 8,
            rate: None,
            waiting_max: 1_024,
        }
    }
}

/// How a provider stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProviderView {
    /// Its name.
    pub name: String,
    /// Calls at work, or waiting for their time within the rate.
    pub in_flight: usize,
    /// Calls that wait for a place.
    pub waiting: usize,
    /// Calls let through so far.
    pub admitted: u64,
    /// Calls refused so far: too many waited, or their time would have come after the deadline.
    pub refused: u64,
    /// How long the provider still asks to be left alone.
    pub paused_for: Duration,
}

/// A provider that many runs call, with one limit for all of them: those that come too early wait in line instead of failing and trying again.
///
/// The rate is kept by the generic cell rate algorithm.
/// Source: ITU-T recommendation I.371, annex A, in the virtual scheduling form.
pub struct Provider {
    name: String,
    limits: ProviderLimits,
    places: Semaphore,
    waiting: AtomicUsize,
    pace: Mutex<Pace>,
    admitted: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug)]
struct Pace {
    /// When a call would come that kept the rate exactly.
    next: Instant,
    /// Nothing before this: the provider asked for it.
    paused_until: Instant,
}

impl Provider {
    /// A provider that nobody has called yet.
    pub fn new(name: impl Into<String>, limits: ProviderLimits) -> Self {
        let now = Instant::now();
        let places = limits.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            name: name.into(),
            limits,
            places: Semaphore::new(places),
            waiting: AtomicUsize::new(0),
            pace: Mutex::new(Pace {
                next: now,
                paused_until: now,
            }),
            admitted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// How it stands.
    #[must_use]
    pub fn view(&self) -> ProviderView {
        let paused_until = self.pace.lock().paused_until;
        let places = self.limits.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        ProviderView {
            name: self.name.clone(),
            in_flight: places.saturating_sub(self.places.available_permits()),
            waiting: self.waiting.load(Ordering::Relaxed),
            admitted: self.admitted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            paused_for: paused_until.saturating_duration_since(Instant::now()),
        }
    }

    /// Lets nobody through for so long: what a provider asks for when it throttles. A longer pause that is on stays.
    pub fn pause(&self, time: Duration) {
        if let Some(until) = Instant::now().checked_add(time) {
            let mut pace = self.pace.lock();
            pace.paused_until = pace.paused_until.max(until);
        }
    }

    /// Awaits a place and its time. First come, first served.
    ///
    /// # Errors
    /// [`StepFailure`] as overloaded when too many wait or the time would come after the deadline, else as cancelled or timed out.
    ///
    /// # Cancel safety
    /// Dropping the future gives its place to the next.
    pub async fn enter(&self, context: &OrchestrationContext) -> Result<Place<'_>, StepFailure> {
        let place = match self.places.try_acquire() {
            Ok(place) => place,
            Err(_) => self.wait_for_place(context).await?,
        };
        loop {
            let turn = self.turn(context)?;
            if turn.at > Instant::now() {
                let bounds = Bounds {
                    timeout: None,
                    deadline: context.deadline(),
                    cancelled: CancelledBy::Context(context),
                };
                let wait = tokio::time::sleep_until(turn.at);
                bounded(&self.name, bounds, wait).await?;
            }
            // A pause that came meanwhile takes the turn away, so that not all come back at its end.
            if self.pace.lock().paused_until <= turn.at {
                turn.taken();
                break;
            }
        }
        self.admitted.fetch_add(1, Ordering::Relaxed);
        Ok(Place { _permit: place })
    }

    async fn wait_for_place(
        &self,
        context: &OrchestrationContext,
    ) -> Result<SemaphorePermit<'_>, StepFailure> {
        let waiting = Waits::new(&self.waiting);
        if waiting.before >= self.limits.waiting_max {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let text = format!(
                "{} calls wait for provider {}, its limit: call it later, or raise waiting_max",
                waiting.before, self.name
            );
            return Err(StepFailure::new(ErrorCategory::Overloaded, text));
        }
        let bounds = Bounds {
            timeout: None,
            deadline: context.deadline(),
            cancelled: CancelledBy::Context(context),
        };
        match bounded(&self.name, bounds, self.places.acquire()).await? {
            Ok(place) => Ok(place),
            Err(closed) => Err(StepFailure::new(
                ErrorCategory::Internal,
                closed.to_string(),
            )),
        }
    }

    /// The time at which rate and pause let this call through.
    fn turn(&self, context: &OrchestrationContext) -> Result<Turn<'_>, StepFailure> {
        let rate = self.limits.rate.unwrap_or(Rate {
            calls: 1,
            per: Duration::ZERO,
            burst: 1,
        });
        let step = rate.per / rate.calls.max(1);
        let ahead = step.saturating_mul(rate.burst.max(1) - 1);
        let mut pace = self.pace.lock();
        let earliest = pace.paused_until.max(Instant::now());
        let due = pace.next.max(earliest);
        let at = due.checked_sub(ahead).unwrap_or(earliest).max(earliest);
        if context.deadline().is_some_and(|deadline| at >= deadline) {
            drop(pace);
            return Err(self.too_late());
        }
        let before = std::mem::replace(&mut pace.next, due.checked_add(step).unwrap_or(due));
        Ok(Turn {
            provider: self,
            at,
            before,
            after: pace.next,
            taken: false,
        })
    }

    fn too_late(&self) -> StepFailure {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let text = format!(
            "the rate of provider {} lets nobody through before the deadline",
            self.name
        );
        StepFailure::new(ErrorCategory::Overloaded, text).with_retry(RetryAdvice::Never)
    }
}

/// A turn within the rate. Dropped untaken, it is given back if nobody came after; else those keep their times, and it is lost.
struct Turn<'a> {
    provider: &'a Provider,
    at: Instant,
    before: Instant,
    after: Instant,
    taken: bool,
}

impl Turn<'_> {
    fn taken(mut self) {
        self.taken = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut pace = self.provider.pace.lock();
        if !self.taken && pace.next == self.after {
            pace.next = self.before;
        }
    }
}

/// A place at a provider; free again when it is dropped.
#[must_use = "the place is free again when this is dropped"]
#[derive(Debug)]
pub struct Place<'a> {
    _permit: SemaphorePermit<'a>,
}

/// One that waits for a place.
struct Waits<'a> {
    waiting: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        Self { waiting, before }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
