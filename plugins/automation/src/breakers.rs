//! Circuit breakers by task type.
//!
//! The breaker itself is the core's. A probe is a value that travels with its task and gives itself back when it is
//! dropped, so that no ending of a task, however it comes about, keeps a place of a half-open breaker taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use universal_orchestrator::{BreakerState, CircuitBreaker, TaskRecord, TaskType};

use crate::config::BreakersConfig;

/// A breaker that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TypeBreakerView {
    /// The task type.
    pub task_type: TaskType,
    /// What it lets through.
    pub state: BreakerState,
    /// How often it has opened.
    pub opened: u64,
}

#[derive(Debug)]
struct Guarded {
    breaker: CircuitBreaker,
    /// How often it has opened: a probe of an earlier opening is none of a later one.
    opened: u64,
    /// The last attempt of its type, on the plugin's clock.
    recorded: Duration,
}

type Slot = Arc<Mutex<Guarded>>;

/// A place of a half-open breaker, taken by a task.
struct Probe {
    slot: Slot,
    opened: u64,
    spent: Mutex<bool>,
}

impl Probe {
    /// Whether it still counts; only once.
    fn spend(&self, guarded: &Guarded) -> bool {
        !std::mem::replace(&mut *self.spent.lock(), true) && guarded.opened == self.opened
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if *self.spent.lock() {
            return;
        }
        let mut guarded = self.slot.lock();
        if self.spend(&guarded) {
            guarded.breaker.forget();
        }
    }
}

/// The breakers of all task types.
#[derive(Debug, Default)]
pub(crate) struct TypeBreakers {
    types: RwLock<HashMap<TaskType, Slot, RandomState>>,
    /// How many are not closed: while none is, no guard looks for one.
    not_closed: AtomicUsize,
    untracked: AtomicU64,
    /// When breakers to forget were looked for last.
    searched: Mutex<Option<Duration>>,
}

/// The least time between two searches for breakers that can be forgotten.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

impl TypeBreakers {
    /// Lets a task in, or says when to come back.
    pub(crate) fn admit(&self, task: &TaskRecord, now: Duration) -> Result<(), Duration> {
        if self.not_closed.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let Some(slot) = task.task().task_type().and_then(|name| self.slot(name)) else {
            return Ok(());
        };
        let mut guarded = slot.lock();
        if guarded.breaker.state(now) == BreakerState::Closed {
            return Ok(());
        }
        if !guarded.breaker.acquire(now) {
            let until = guarded.breaker.opens_until().unwrap_or(now);
            return Err(until.saturating_sub(now));
        }
        let opened = guarded.opened;
        drop(guarded);
        // A door that asks twice replaces the first probe, which gives its place back.
        task.extensions().insert(Probe {
            slot,
            opened,
            spent: Mutex::new(false),
        });
        Ok(())
    }

    fn slot(&self, name: &TaskType) -> Option<Slot> {
        self.types.read().get(name).cloned()
    }

    fn slot_or_new(&self, name: &TaskType, config: &BreakersConfig, now: Duration) -> Option<Slot> {
        if let Some(slot) = self.slot(name) {
            return Some(slot);
        }
        let mut types = self.types.write();
        if types.len() >= config.types_max && !types.contains_key(name) {
            self.forget_quiet(&mut types, config, now);
        }
        if types.len() >= config.types_max && !types.contains_key(name) {
            self.untracked.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let new = || {
            Arc::new(Mutex::new(Guarded {
                breaker: CircuitBreaker::new(config.settings()),
                opened: 0,
                recorded: now,
            }))
        };
        Some(Arc::clone(types.entry_ref(name).or_insert_with(new)))
    }

    /// Makes room by forgetting closed breakers whose window is over: they are as new. Who names types at random takes their places no longer than that.
    fn forget_quiet(
        &self,
        types: &mut HashMap<TaskType, Slot, RandomState>,
        config: &BreakersConfig,
        now: Duration,
    ) {
        let mut searched = self.searched.lock();
        if searched.is_some_and(|at| now.saturating_sub(at) < SEARCH_INTERVAL) {
            return;
        }
        *searched = Some(now);
        let window = Duration::from_millis(config.window_ms);
        types.retain(|_, slot| {
            // Somebody who holds it is about to write into it.
            if Arc::strong_count(slot) > 1 {
                return true;
            }
            let guarded = slot.lock();
            let is_over = now.saturating_sub(guarded.recorded) >= window;
            !(is_over && guarded.breaker.state(now) == BreakerState::Closed)
        });
    }

    /// Records the outcome of an attempt. Returns whether the breaker opened.
    pub(crate) fn record(
        &self,
        task: &TaskRecord,
        config: &BreakersConfig,
        now: Duration,
        success: bool,
        took: Duration,
    ) -> bool {
        let name = task.task().task_type();
        let Some(slot) = name.and_then(|name| self.slot_or_new(name, config, now)) else {
            return false;
        };
        let probing = self.not_closed.load(Ordering::Acquire) > 0;
        let probe = probing
            .then(|| task.extensions().remove::<Probe>())
            .flatten();
        // A probe of a breaker that was replaced meanwhile is none of this one. Dropping one takes the lock of its breaker.
        let own = probe.filter(|probe| Arc::ptr_eq(&probe.slot, &slot));
        let mut guarded = slot.lock();
        guarded.recorded = now;
        let before = guarded.breaker.state(now);
        let is_probe = own.as_ref().is_some_and(|probe| probe.spend(&guarded));
        // What was let in before the breaker opened says nothing about now.
        if before != BreakerState::Closed && !is_probe {
            return false;
        }
        // Queueing is no part of a probe's time, and the breaker takes those for late that began before it was half-open.
        guarded.breaker.record(now, success, took);
        let after = guarded.breaker.state(now);
        let opened = before != BreakerState::Open && after == BreakerState::Open;
        if opened {
            guarded.opened += 1;
        }
        if before == BreakerState::Closed && opened {
            self.not_closed.fetch_add(1, Ordering::AcqRel);
        }
        if before != BreakerState::Closed && after == BreakerState::Closed {
            // Breakers that were replaced meanwhile are counted no more.
            let less = |n: usize| Some(n.saturating_sub(1));
            let _ = self
                .not_closed
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        }
        drop(guarded);
        opened
    }

    /// Gives a probe back whose task ended without saying anything about its type.
    pub(crate) fn give_back(&self, task: &TaskRecord) {
        if self.not_closed.load(Ordering::Acquire) > 0 {
            drop(task.extensions().remove::<Probe>());
        }
    }

    /// Forgets all of them: their settings changed.
    pub(crate) fn clear(&self) {
        let mut types = self.types.write();
        types.clear();
        self.not_closed.store(0, Ordering::Release);
    }

    pub(crate) fn not_closed(&self) -> usize {
        self.not_closed.load(Ordering::Acquire)
    }

    /// Those that are not closed, by name, at most `max`.
    pub(crate) fn views(&self, now: Duration, max: usize) -> Vec<TypeBreakerView> {
        if self.not_closed() == 0 {
            return Vec::new();
        }
        let mut views: Vec<TypeBreakerView> = Vec::new();
        for (name, slot) in self.types.read().iter() {
            let guarded = slot.lock();
            let state = guarded.breaker.state(now);
            if state != BreakerState::Closed {
                views.push(TypeBreakerView {
                    task_type: name.clone(),
                    state,
                    opened: guarded.opened,
                });
            }
        }
        views.sort_by(|a, b| a.task_type.as_str().cmp(b.task_type.as_str()));
        views.truncate(max);
        views
    }

    /// Outcomes of types that found no place.
    pub(crate) fn untracked(&self) -> u64 {
        self.untracked.load(Ordering::Relaxed)
    }
}
