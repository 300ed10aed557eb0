//! What a decision makes happen outside of the lock.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use smallvec::SmallVec;
use tokio::sync::{Notify, broadcast, oneshot};

use crate::agent::{Agent, AttemptCell};
use crate::engine::{AgentKey, TaskKey};
use crate::id::AgentId;
use crate::plugin::Stage;
use crate::principal::Principal;
use crate::task::{Delegation, TaskFailure, TaskOutcome, TaskRecord};

/// How far a bound attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Hooks before the delegation have to run.
    Reserved,
    /// Hooks before the start have to run.
    Assigned,
    /// Everything is committed.
    Running,
}

/// An attempt to be run or handed to an agent that waits.
pub(crate) struct Launch {
    pub(crate) task: TaskKey,
    pub(crate) agent: AgentKey,
    pub(crate) record: Arc<TaskRecord>,
    pub(crate) delegation: Delegation,
    pub(crate) phase: Phase,
    /// For an in-process agent.
    pub(crate) runs: Option<Arc<dyn Agent>>,
    /// The attempt of an in-process agent, from its start on.
    pub(crate) cell: Option<Arc<AttemptCell>>,
}

/// Wakes whoever waits for a task.
#[derive(Default)]
pub(crate) struct Signal {
    outcome: OnceLock<TaskOutcome>,
    notify: Notify,
    progress: OnceLock<broadcast::Sender<Arc<Value>>>,
}

impl Signal {
    pub(crate) fn finish(&self, outcome: TaskOutcome) {
        // A task ends once, so the cell is empty here.
        let _ = self.outcome.set(outcome);
        self.notify.notify_waiters();
    }

    pub(crate) async fn wait(&self) -> TaskOutcome {
        loop {
            let notified = self.notify.notified();
            if let Some(outcome) = self.outcome.get() {
                return outcome.clone();
            }
            notified.await;
        }
    }

    pub(crate) fn outcome(&self) -> Option<&TaskOutcome> {
        self.outcome.get()
    }

    pub(crate) fn subscribe(&self, buffer: usize) -> broadcast::Receiver<Arc<Value>> {
        self.progress
            .get_or_init(|| broadcast::Sender::new(buffer.max(1)))
            .subscribe()
    }

    pub(crate) fn progress(&self, value: &Arc<Value>) {
        if let Some(sender) = self.progress.get() {
            // Nobody listens any more: nothing is lost.
            let _ = sender.send(Arc::clone(value));
        }
    }

    pub(crate) async fn ended(&self) {
        let _ = self.wait().await;
    }
}

/// A decision that observers see.
pub(crate) enum Seen {
    Registered(AgentId, Principal, Duration),
    Deregistered(AgentId, Principal),
    Submitted(Arc<TaskRecord>),
    Delegated(Arc<TaskRecord>, Delegation, BindingTimes),
    Started(Arc<TaskRecord>, Delegation),
    Retrying(Arc<TaskRecord>, Delegation, TaskFailure, Duration),
}

/// How long a binding took.
#[derive(Clone, Copy)]
pub(crate) struct BindingTimes {
    pub(crate) took: Option<Duration>,
    pub(crate) queue_wait: Duration,
}

/// A task that ended.
pub(crate) struct Finished {
    pub(crate) record: Arc<TaskRecord>,
    pub(crate) outcome: TaskOutcome,
    pub(crate) was_assigned: bool,
}

/// A retry that waits for its guard.
pub(crate) struct Gate {
    pub(crate) task: TaskKey,
    pub(crate) record: Arc<TaskRecord>,
    pub(crate) delegation: Delegation,
    pub(crate) failure: TaskFailure,
    pub(crate) delay: Duration,
}

/// Things whose drop may run code of users, dropped outside of the lock.
#[expect(dead_code, reason = "held to be dropped later")]
pub(crate) enum Garbage {
    Record(Arc<TaskRecord>, Option<TaskOutcome>),
    Cell(Arc<AttemptCell>),
    Agent(Arc<dyn Agent>),
    Waiter(oneshot::Sender<Launch>),
}

/// What a decision makes happen outside of the lock. What happens at every completion stands here, the rest in a box.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) finished: SmallVec<[Finished; 1]>,
    pub(crate) garbage: SmallVec<[Garbage; 2]>,
    pub(crate) signals: SmallVec<[(Arc<Signal>, TaskOutcome); 1]>,
    /// What observers see, in the order in which it was decided, before what finished.
    pub(crate) seen: Vec<Seen>,
    rare: Option<Box<RareEffects>>,
    /// The background task has to look at its timers again.
    pub(crate) rearm: bool,
}

/// What few decisions make happen.
#[derive(Default)]
pub(crate) struct RareEffects {
    pub(crate) launches: Vec<Launch>,
    pub(crate) delivers: Vec<(oneshot::Sender<Launch>, Launch)>,
    pub(crate) cancels: Vec<Arc<AttemptCell>>,
    pub(crate) aborts: Vec<Arc<AttemptCell>>,
    pub(crate) gates: Vec<Gate>,
    /// Who cancelled what ended in this decision; unset, nobody but its submitter.
    pub(crate) canceller: Option<Principal>,
}

impl Effects {
    pub(crate) fn rare(&mut self) -> &mut RareEffects {
        self.rare.get_or_insert_default()
    }

    pub(crate) const fn take_rare(&mut self) -> Option<Box<RareEffects>> {
        self.rare.take()
    }

    /// Takes out one attempt of an in-process agent.
    pub(crate) fn take_launch(&mut self) -> Option<Launch> {
        let launches = &mut self.rare.as_mut()?.launches;
        let at = launches.iter().position(|l| l.runs.is_some())?;
        Some(launches.remove(at))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.finished.is_empty()
            && self.garbage.is_empty()
            && self.signals.is_empty()
            && self.seen.is_empty()
            && self.rare.is_none()
            && !self.rearm
    }
}

/// Observe hooks of a point are wanted: shorthand for the engine.
pub(crate) const OBSERVE: Stage = Stage::Observe;
