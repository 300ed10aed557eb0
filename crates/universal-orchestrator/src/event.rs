//! Events tell; they never decide. A bounded broadcast that anybody may listen to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use crate::agent::Availability;
use crate::id::{AgentId, TaskId};
use crate::task::{FailureKind, TaskState};

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
#[non_exhaustive]
pub enum Event {
    /// An agent was registered.
    AgentRegistered {
        /// The agent.
        agent: AgentId,
    },
    /// An agent left.
    AgentDeregistered {
        /// The agent.
        agent: AgentId,
    },
    /// An agent became available or unavailable.
    AgentAvailability {
        /// The agent.
        agent: AgentId,
        /// How it stands now.
        availability: Availability,
    },
    /// A task was accepted.
    TaskAccepted {
        /// The task.
        task: TaskId,
    },
    /// A task was bound to an agent.
    TaskDelegated {
        /// The task.
        task: TaskId,
        /// The agent.
        agent: AgentId,
        /// The attempt.
        attempt: u32,
    },
    /// An attempt reported progress.
    TaskProgress {
        /// The task.
        task: TaskId,
        /// What it reported.
        progress: Arc<Value>,
    },
    /// An attempt failed and another one follows.
    TaskRetrying {
        /// The task.
        task: TaskId,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        failure: FailureKind,
        /// The delay before the next one.
        delay: Duration,
    },
    /// A task is over.
    TaskFinished {
        /// The task.
        task: TaskId,
        /// Its terminal state.
        state: TaskState,
    },
    /// No registered agent can do a queued task any more.
    TaskUnroutable {
        /// The task.
        task: TaskId,
    },
    /// A report was refused: duplicate, stale, or from a stranger.
    ReportRefused {
        /// The task that it named.
        task: TaskId,
    },
    /// A hook failed, panicked or overran its time limit.
    PluginFault {
        /// The plugin.
        plugin: Arc<str>,
        /// What happened.
        fault: Arc<str>,
    },
    /// A target was exceeded or a plugin raised an alert.
    Alert {
        /// Who says so: `target` or the plugin.
        source: Arc<str>,
        /// The text.
        text: Arc<str>,
    },
    /// Shutdown began.
    ShutdownStarted,
}

/// An event with its place in the order of all events.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct EventRecord {
    /// 1, 2, … without gaps as long as somebody listens; a gap seen by a listener is what it missed.
    pub sequence: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// The last events, for whoever listens. Its owner emits under a lock of its own, so events are in the order of the decisions.
#[derive(Debug)]
pub(crate) struct EventBus {
    ring: Mutex<Ring>,
    listeners: AtomicUsize,
    waiting: AtomicUsize,
    notify: Notify,
    closed: AtomicBool,
    lagged: AtomicU64,
}

#[derive(Debug)]
struct Ring {
    slots: Box<[Option<EventRecord>]>,
    /// Sequence of the last event.
    last: u64,
    /// The slot of the next one.
    next: usize,
}

impl EventBus {
    pub(crate) fn new(capacity: usize) -> Self {
        let ring = Ring {
            slots: vec![None; capacity.max(1)].into_boxed_slice(),
            last: 0,
            next: 0,
        };
        Self {
            ring: Mutex::new(ring),
            listeners: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            notify: Notify::new(),
            closed: AtomicBool::new(false),
            lagged: AtomicU64::new(0),
        }
    }

    /// Builds and keeps an event; costs one load when nobody listens.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if self.listeners.load(Ordering::Relaxed) == 0 {
            return;
        }
        let event = event();
        let mut ring = self.ring.lock();
        ring.last += 1;
        let (sequence, at) = (ring.last, ring.next);
        ring.next = if at + 1 == ring.slots.len() {
            0
        } else {
            at + 1
        };
        ring.slots[at] = Some(EventRecord { sequence, event });
        drop(ring);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.notify.notify_waiters();
        }
    }

    pub(crate) fn subscribe(self: &Arc<Self>) -> EventStream {
        self.listeners.fetch_add(1, Ordering::SeqCst);
        let seen = self.ring.lock().last;
        EventStream {
            bus: Arc::clone(self),
            seen,
        }
    }

    /// Nothing follows any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    pub(crate) fn lagged(&self) -> u64 {
        self.lagged.load(Ordering::Relaxed)
    }
}

/// A listener. One that is slower than the events loses the oldest; the loss is counted.
#[derive(Debug)]
pub struct EventStream {
    bus: Arc<EventBus>,
    seen: u64,
}

impl EventStream {
    /// The next event; `None` when the orchestrator has ended and everything was read.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<EventRecord> {
        loop {
            let bus = Arc::clone(&self.bus);
            let notified = bus.notify.notified();
            let _waiting = Waiting::new(&bus.waiting);
            if let Some(record) = self.try_next() {
                return Some(record);
            }
            if bus.closed.load(Ordering::SeqCst) {
                return None;
            }
            notified.await;
        }
    }

    /// The next event if one is there.
    pub fn try_next(&mut self) -> Option<EventRecord> {
        let ring = self.bus.ring.lock();
        let capacity = ring.slots.len() as u64;
        let oldest = ring.last.saturating_sub(capacity);
        if self.seen < oldest {
            self.bus
                .lagged
                .fetch_add(oldest - self.seen, Ordering::Relaxed);
            self.seen = oldest;
        }
        if self.seen == ring.last {
            return None;
        }
        self.seen += 1;
        let behind = (ring.last - self.seen) as usize;
        let at = (ring.next + ring.slots.len() - 1 - behind) % ring.slots.len();
        ring.slots[at].clone()
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.bus.listeners.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Counts a listener that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_listener_loses_the_oldest_and_the_loss_is_counted() {
        let bus = Arc::new(EventBus::new(3));
        bus.emit(|| Event::ShutdownStarted);
        let mut listener = bus.subscribe();
        assert!(listener.try_next().is_none(), "what was before it listened");
        for _ in 0..5 {
            bus.emit(|| Event::ShutdownStarted);
        }
        let sequences: Vec<_> = std::iter::from_fn(|| listener.try_next())
            .map(|r| r.sequence)
            .collect();
        assert_eq!(sequences, [3, 4, 5]);
        assert_eq!(bus.lagged(), 2);
    }

    #[tokio::test]
    async fn a_waiting_listener_wakes_and_ends_with_the_bus() {
        let bus = Arc::new(EventBus::new(3));
        let mut listener = bus.subscribe();
        let emitter = Arc::clone(&bus);
        let (record, ()) = tokio::join!(listener.next(), async move {
            emitter.emit(|| Event::ShutdownStarted)
        });
        assert_eq!(record.map(|r| r.sequence), Some(1));
        let closer = Arc::clone(&bus);
        let (end, ()) = tokio::join!(listener.next(), async move { closer.close() });
        assert!(end.is_none());
    }
}
