//! Registered and started once, stopped and removed once.

use std::sync::Arc;

use hashbrown::hash_map::Entry as Place;
use serde::Serialize;

use crate::contain::{Bounds, CancelledBy, bounded};
use crate::facade::entry::Entry;
use crate::facade::{Facade, RegisterRefusal, RegisterRefused, UnknownOrchestration};
use crate::orchestration::{Orchestration, OrchestrationName, OrchestrationSpec};
use crate::result::StepFailure;

/// How the removal of an orchestration went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Removed {
    /// Its name.
    pub name: OrchestrationName,
    /// Calls that took too long and were dropped.
    pub calls_abandoned: usize,
    /// Background tasks that took too long and were aborted.
    pub tasks_aborted: usize,
    /// Why its stop did not end well: it panicked or took too long.
    pub stop_failed: Option<String>,
}

impl Facade {
    /// Registers an orchestration and starts it. It takes calls when this returns.
    ///
    /// # Errors
    /// [`RegisterRefused`] hands it back. One whose start failed has no background tasks left.
    ///
    /// # Cancel safety
    /// Dropping the future before it is done leaves nothing registered.
    pub async fn register(
        &self,
        spec: OrchestrationSpec,
        orchestration: impl Orchestration,
    ) -> Result<(), RegisterRefused> {
        self.register_shared(spec, Arc::new(orchestration)).await
    }

    /// As [`register`](Self::register), for one that the caller keeps a handle to.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn register_shared(
        &self,
        spec: OrchestrationSpec,
        orchestration: Arc<dyn Orchestration>,
    ) -> Result<(), RegisterRefused> {
        let refuse = |reason| RegisterRefused {
            reason,
            orchestration: Arc::clone(&orchestration),
        };
        let entry = self.reserve(&spec, &orchestration).map_err(&refuse)?;
        let mut claim = Claim {
            facade: self,
            entry: Some(Arc::clone(&entry)),
        };
        if let Err(failure) = entry.start().await {
            // Nobody can have called it, so nothing but its background tasks is left.
            entry.background.end(entry.lifecycle_timeout).await;
            return Err(refuse(RegisterRefusal::Start {
                name: entry.name.clone(),
                failure: Box::new(failure),
            }));
        }
        entry.started();
        claim.entry = None;
        Ok(())
    }

    fn reserve(
        &self,
        spec: &OrchestrationSpec,
        orchestration: &Arc<dyn Orchestration>,
    ) -> Result<Arc<Entry>, RegisterRefusal> {
        let name = OrchestrationName::new(&spec.name)?;
        let mut entries = self.0.entries.write();
        let full = entries.len() >= self.0.orchestrations_max;
        let number = entries.values().map(|e| e.number + 1).max().unwrap_or(0);
        match entries.entry(name.clone()) {
            Place::Occupied(_) => Err(RegisterRefusal::Duplicate { name }),
            Place::Vacant(_) if full => Err(RegisterRefusal::TooMany {
                max: self.0.orchestrations_max,
            }),
            Place::Vacant(place) => {
                let entry = Entry::new(name, spec, Arc::clone(orchestration), number);
                Ok(Arc::clone(place.insert(Arc::new(entry))))
            }
        }
    }

    fn forget(&self, entry: &Arc<Entry>) {
        let mut entries = self.0.entries.write();
        if entries
            .get(entry.name.as_str())
            .is_some_and(|e| Arc::ptr_eq(e, entry))
        {
            entries.remove(entry.name.as_str());
        }
    }

    /// Removes an orchestration: takes no further calls, awaits those at work, stops it, ends its background tasks.
    ///
    /// Each of these takes at most the `lifecycle_timeout` of its spec; then it is dropped, and the answer says so.
    ///
    /// # Errors
    /// [`UnknownOrchestration`] when none of this name takes calls.
    ///
    /// # Cancel safety
    /// Dropped before its end, the orchestration is gone all the same; its background tasks are aborted.
    pub async fn unregister(&self, name: &str) -> Result<Removed, UnknownOrchestration> {
        match self.entry(name).filter(|entry| entry.stop_taking()) {
            None => Err(UnknownOrchestration::new(name, self.names())),
            Some(entry) => Ok(self.remove(entry).await),
        }
    }

    async fn remove(&self, entry: Arc<Entry>) -> Removed {
        let _claim = Claim {
            facade: self,
            entry: Some(Arc::clone(&entry)),
        };
        let drained = entry.drained().await;
        let calls_abandoned = if drained { 0 } else { entry.in_flight() };
        entry.abandoned.cancel();
        if !drained {
            // What was dropped ends at its next await; one that never awaits cannot be stopped.
            entry.drained().await;
        }
        // Those that wait learn that there will be no place.
        entry.places.close();
        let stop_failed = entry.stop().await.err().map(|failure| failure.to_string());
        let tasks_aborted = entry.background.end(entry.lifecycle_timeout).await;
        Removed {
            name: entry.name.clone(),
            calls_abandoned,
            tasks_aborted,
            stop_failed,
        }
    }

    /// Removes all orchestrations, the last registered first. The facade can be used again.
    pub async fn shutdown(&self) -> Vec<Removed> {
        let mut all: Vec<_> = self.0.entries.read().values().cloned().collect();
        all.sort_by_key(|entry| std::cmp::Reverse(entry.number));
        let mut removed = Vec::with_capacity(all.len());
        for entry in all {
            if entry.stop_taking() {
                removed.push(self.remove(entry).await);
            }
        }
        removed
    }
}

impl Entry {
    /// Awaits the end of all calls; `false` when they took too long.
    async fn drained(&self) -> bool {
        let all = u32::try_from(self.concurrency).unwrap_or(u32::MAX);
        let ended = tokio::time::timeout(self.lifecycle_timeout, self.places.acquire_many(all));
        ended.await.is_ok()
    }

    async fn start(&self) -> Result<(), StepFailure> {
        let work = async { self.orchestration.start(&self.background).await };
        self.in_time("start", work).await?
    }

    async fn stop(&self) -> Result<(), StepFailure> {
        let work = async { self.orchestration.stop().await };
        self.in_time("stop", work).await
    }

    async fn in_time<R>(
        &self,
        what: &str,
        work: impl Future<Output = R>,
    ) -> Result<R, StepFailure> {
        let bounds = Bounds {
            timeout: tokio::time::Instant::now().checked_add(self.lifecycle_timeout),
            deadline: None,
            cancelled: CancelledBy::Nobody,
        };
        let ended = bounded(&format!("{what} of {}", self.name), bounds, work).await;
        if let Err(failure) = &ended {
            tracing::error!(orchestration = %self.name, %failure, "orchestration failed to start or stop");
            if failure.category() == crate::result::ErrorCategory::Panicked {
                self.count_panic();
            }
        }
        ended
    }
}

/// Takes the entry out when it is dropped with one.
struct Claim<'a> {
    facade: &'a Facade,
    entry: Option<Arc<Entry>>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            entry.background.stopping().cancel();
            self.facade.forget(&entry);
        }
    }
}
