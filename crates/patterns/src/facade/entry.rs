//! One registered orchestration.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use universal_orchestrator::CancellationToken;

use crate::facade::OrchestrationView;
use crate::orchestration::{
    Background, Layer, Orchestration, OrchestrationKind, OrchestrationName, OrchestrationSpec,
};
use crate::result::{ErrorCategory, StepOutcome, StepResult};

const STARTING: u8 = 0;
const RUNNING: u8 = 1;
const STOPPING: u8 = 2;

/// One registered orchestration, shared by the calls at work.
pub(super) struct Entry {
    pub(super) name: OrchestrationName,
    pub(super) layer: Layer,
    pub(super) kind: OrchestrationKind,
    pub(super) orchestration: Arc<dyn Orchestration>,
    pub(super) background: Background,
    /// A permit for each call that may run.
    pub(super) places: Semaphore,
    pub(super) concurrency: usize,
    pub(super) waiting: AtomicUsize,
    pub(super) waiting_max: usize,
    pub(super) call_timeout: Option<Duration>,
    pub(super) lifecycle_timeout: Duration,
    /// Cancelled when calls that are left at its removal took too long.
    pub(super) abandoned: CancellationToken,
    /// The number of its registration: the last is the first to stop.
    pub(super) number: u64,
    phase: AtomicU8,
    succeeded: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
    panics: AtomicU64,
}

impl Entry {
    pub(super) fn new(
        name: OrchestrationName,
        spec: &OrchestrationSpec,
        orchestration: Arc<dyn Orchestration>,
        number: u64,
    ) -> Self {
        let concurrency = spec.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        // `acquire_many` counts in 32 bits.
        let concurrency = concurrency.min(u32::MAX as usize);
        Self {
            name,
            layer: spec.layer,
            kind: spec.kind,
            orchestration,
            background: Background::new(),
            places: Semaphore::new(concurrency),
            concurrency,
            waiting: AtomicUsize::new(0),
            waiting_max: spec.waiting_max,
            call_timeout: spec.call_timeout,
            lifecycle_timeout: spec.lifecycle_timeout,
            abandoned: CancellationToken::new(),
            number,
            phase: AtomicU8::new(STARTING),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        }
    }

    pub(super) fn started(&self) {
        self.phase.store(RUNNING, Ordering::Release);
    }

    /// Takes no further calls; `false` when somebody removes it already, or it has not started.
    pub(super) fn stop_taking(&self) -> bool {
        let change =
            self.phase
                .compare_exchange(RUNNING, STOPPING, Ordering::AcqRel, Ordering::Acquire);
        change.is_ok()
    }

    pub(super) fn takes_calls(&self) -> bool {
        self.phase.load(Ordering::Acquire) == RUNNING
    }

    pub(super) fn in_flight(&self) -> usize {
        self.concurrency
            .saturating_sub(self.places.available_permits())
    }

    pub(super) fn count(&self, result: &StepResult) {
        let counter = match result.outcome() {
            StepOutcome::Success { .. } => &self.succeeded,
            StepOutcome::Failure { failure } => {
                if failure.category() == ErrorCategory::Panicked {
                    self.count_panic();
                }
                &self.failed
            }
            StepOutcome::Skipped { .. } => &self.skipped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn view(&self) -> OrchestrationView {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        OrchestrationView {
            name: self.name.clone(),
            layer: self.layer,
            kind: self.kind,
            running: self.takes_calls(),
            in_flight: self.in_flight(),
            waiting: self.waiting.load(Ordering::Relaxed),
            succeeded: count(&self.succeeded),
            failed: count(&self.failed),
            skipped: count(&self.skipped),
            panics: count(&self.panics),
            background_tasks: self.background.running(),
        }
    }
}
