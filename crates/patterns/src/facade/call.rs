//! A call: layer, place, time, and what came of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use crate::contain::{Bounds, CancelledBy, bounded, call};
use crate::context::OrchestrationContext;
use crate::facade::entry::Entry;
use crate::facade::{CallRefusal, CallRefused, Facade, UnknownOrchestration};
use crate::result::{SkipReason, StepResult};

impl Facade {
    /// Calls an orchestration by name and awaits what comes of it.
    ///
    /// The orchestration runs in the caller's task, with a context one below the caller's. A call above the orchestration's limit waits.
    ///
    /// # Errors
    /// [`CallRefused`] hands the input back: the orchestration did not run. What fails while it runs is a [`StepResult`].
    ///
    /// # Cancel safety
    /// Dropping the future drops the orchestration's; the orchestration itself stays registered.
    pub async fn orchestrate(
        &self,
        name: &str,
        context: &OrchestrationContext,
        input: Value,
    ) -> Result<StepResult, CallRefused> {
        let Some(entry) = self.entry(name) else {
            let unknown = UnknownOrchestration::new(name, self.names());
            return Err(CallRefused::new(unknown, input));
        };
        let begun = match entry.begin(context).await {
            Ok(begun) => begun,
            Err(refusal) => return Err(CallRefused::new(refusal, input)),
        };
        let (context, _place) = begun;
        let started = Instant::now();
        let result = entry.run(&context, input, started).await;
        let result = result
            .with_duration(started.elapsed())
            .with_trace(context.trace().clone());
        entry.count(&result);
        Ok(result)
    }
}

impl Entry {
    async fn begin(
        &self,
        context: &OrchestrationContext,
    ) -> Result<(OrchestrationContext, SemaphorePermit<'_>), CallRefusal> {
        if let Some(caller) = context.frame()
            && self.layer > caller.layer
        {
            return Err(CallRefusal::Layer {
                caller: caller.name.clone(),
                caller_layer: caller.layer,
                callee: self.name.clone(),
                callee_layer: self.layer,
            });
        }
        let context = context.called(&self.name, self.layer)?;
        let place = match self.places.try_acquire() {
            Ok(place) => place,
            // Boxed, so that the usual call stays small.
            Err(_) => Box::pin(self.wait(&context)).await?,
        };
        // It may have been removed while the call waited.
        if !self.takes_calls() {
            return Err(self.not_running());
        }
        Ok((context, place))
    }

    fn not_running(&self) -> CallRefusal {
        CallRefusal::NotRunning {
            name: self.name.clone(),
        }
    }

    async fn wait(
        &self,
        context: &OrchestrationContext,
    ) -> Result<SemaphorePermit<'_>, CallRefusal> {
        let callers = std::iter::successors(context.parent(), |c| c.parent());
        let held = callers.filter(|c| c.calls_itself(&self.name)).count();
        if held >= self.concurrency {
            return Err(CallRefusal::WouldDeadlock {
                name: self.name.clone(),
                concurrency: self.concurrency,
            });
        }
        let waits = Waits::new(&self.waiting);
        if waits.before >= self.waiting_max {
            return Err(CallRefusal::Overloaded {
                name: self.name.clone(),
                in_flight: self.in_flight(),
                waiting: waits.before,
            });
        }
        let bounds = Bounds {
            timeout: None,
            deadline: context.deadline(),
            cancelled: CancelledBy::Context(context),
        };
        match bounded("the wait", bounds, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_closed)) => Err(self.not_running()),
            Err(_) if context.is_cancelled() => Err(self.too_late("the context was cancelled")),
            Err(_) => Err(self.too_late("the deadline passed while it waited")),
        }
    }

    fn too_late(&self, why: &'static str) -> CallRefusal {
        CallRefusal::TooLate {
            name: self.name.clone(),
            why,
        }
    }

    async fn run(
        &self,
        context: &OrchestrationContext,
        input: Value,
        started: Instant,
    ) -> StepResult {
        if context.is_cancelled() {
            return SkipReason::Cancelled.into();
        }
        if context
            .deadline()
            .is_some_and(|deadline| deadline <= started)
        {
            return SkipReason::DeadlinePassed.into();
        }
        let name = self.name.as_str();
        let bounds = Bounds {
            timeout: self.call_timeout.and_then(|t| started.checked_add(t)),
            deadline: context.deadline(),
            cancelled: CancelledBy::Context(context),
        };
        match call(name, || self.orchestration.accepts(context, &input)) {
            Ok(Ok(())) => {}
            Ok(Err(detail)) => return SkipReason::Declined { detail }.into(),
            Err(panicked) => return panicked.into(),
        }
        // The work is made inside of what contains it: a method may panic before its first await.
        let work = async { self.orchestration.orchestrate(context, input).await };
        let until_removed = async {
            tokio::select! {
                biased;
                result = work => result,
                () = async { Box::pin(self.abandoned.cancelled()).await } => {
                    let text = format!("{name} was removed while it ran");
                    crate::result::StepFailure::new(crate::result::ErrorCategory::Cancelled, text).into()
                }
            }
        };
        bounded(name, bounds, until_removed)
            .await
            .unwrap_or_else(StepResult::failed)
    }
}

/// A call that waits for a place.
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
