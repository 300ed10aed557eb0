//! Events tell; they never decide. A bounded broadcast that anybody may listen to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

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

/// Sends events when somebody listens.
#[derive(Debug)]
pub(crate) struct EventBus {
    sender: broadcast::Sender<EventRecord>,
    sequence: AtomicU64,
    lagged: Arc<AtomicU64>,
}

impl EventBus {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            sender: broadcast::Sender::new(capacity.max(1)),
            sequence: AtomicU64::new(0),
            lagged: Arc::default(),
        }
    }

    /// Builds and sends an event; costs one load when nobody listens.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if self.sender.receiver_count() == 0 {
            return;
        }
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        // The last listener may have left since; then nobody misses the event.
        let _ = self.sender.send(EventRecord {
            sequence,
            event: event(),
        });
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        EventStream {
            receiver: self.sender.subscribe(),
            lagged: Arc::clone(&self.lagged),
        }
    }

    pub(crate) fn lagged(&self) -> u64 {
        self.lagged.load(Ordering::Relaxed)
    }
}

/// A listener. One that is slower than the events loses the oldest; the loss is counted.
#[derive(Debug)]
pub struct EventStream {
    receiver: broadcast::Receiver<EventRecord>,
    lagged: Arc<AtomicU64>,
}

impl EventStream {
    /// The next event; `None` when the orchestrator is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<EventRecord> {
        loop {
            match self.receiver.recv().await {
                Ok(record) => return Some(record),
                Err(broadcast::error::RecvError::Closed) => return None,
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    self.lagged.fetch_add(missed, Ordering::Relaxed);
                }
            }
        }
    }

    /// The next event if one is there.
    pub fn try_next(&mut self) -> Option<EventRecord> {
        loop {
            match self.receiver.try_recv() {
                Ok(record) => return Some(record),
                Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                    self.lagged.fetch_add(missed, Ordering::Relaxed);
                }
                Err(_) => return None,
            }
        }
    }
}
