//! A handle to one task.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast;

use crate::engine::{Signal, TaskKey};
use crate::id::TaskId;
use crate::orchestrator::shared::Shared;
use crate::principal::Principal;
use crate::task::{FailureKind, TaskOutcome, TaskView};

/// The task is over and its outcome is no longer retained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "outcome of task {task} is no longer retained: await it sooner, or raise tasks.retained_results_max or tasks.result_retention_ms"
)]
pub struct NotRetained {
    /// The task.
    pub task: TaskId,
}

/// A handle to one task. Dropping it changes nothing.
#[derive(Clone)]
pub struct TaskHandle {
    shared: Arc<Shared>,
    id: TaskId,
    key: TaskKey,
    /// Who looked the task up; unset in the hands of its submitter.
    holder: Option<Principal>,
}

impl TaskHandle {
    pub(crate) const fn new(shared: Arc<Shared>, id: TaskId, key: TaskKey) -> Self {
        Self {
            shared,
            id,
            key,
            holder: None,
        }
    }

    pub(crate) fn held_by(mut self, principal: &Principal) -> Self {
        self.holder = Some(principal.clone());
        self
    }

    /// The task.
    #[must_use]
    pub const fn id(&self) -> &TaskId {
        &self.id
    }

    /// Awaits the end of the task.
    ///
    /// # Errors
    /// [`NotRetained`] when the task ended and was forgotten before anybody waited.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing; it can be called again.
    pub async fn outcome(&self) -> Result<TaskOutcome, NotRetained> {
        match self.look_up() {
            Found::Outcome(outcome) => Ok(outcome),
            Found::Signal(signal) => Ok(signal.wait().await),
            Found::Nothing => Err(NotRetained {
                task: self.id.clone(),
            }),
        }
    }

    /// The outcome if the task is over.
    #[must_use]
    pub fn try_outcome(&self) -> Option<TaskOutcome> {
        self.shared.with_engine(|e, _| e.outcome(self.key))
    }

    /// How the task stands; `None` when it was forgotten.
    #[must_use]
    pub fn view(&self) -> Option<TaskView> {
        self.shared.with_engine(|e, now| e.task_view(self.key, now))
    }

    /// Cancels the task; `false` when it was over already.
    pub fn cancel(&self) -> bool {
        self.shared.with_engine(|e, now| match &self.holder {
            Some(holder) => e.cancel_for(self.key, "cancelled by request", holder, now),
            None => {
                let reason = "cancelled by its submitter";
                e.cancel(self.key, reason, FailureKind::Cancelled, now)
            }
        })
    }

    /// Progress from now on, until the task is over. A listener slower than `tasks.progress_buffer` reports loses the oldest.
    #[must_use]
    pub fn progress(&self) -> ProgressStream {
        let (receiver, signal) = match self.look_up() {
            Found::Signal(signal) => (
                Some(signal.subscribe(self.shared.config.tasks.progress_buffer)),
                Some(signal),
            ),
            _ => (None, None),
        };
        ProgressStream {
            receiver,
            signal,
            lost: 0,
        }
    }

    fn look_up(&self) -> Found {
        self.shared.with_engine(|e, _| {
            if let Some(outcome) = e.outcome(self.key) {
                return Found::Outcome(outcome);
            }
            e.signal(self.key).map_or(Found::Nothing, Found::Signal)
        })
    }
}

enum Found {
    Outcome(TaskOutcome),
    Signal(Arc<Signal>),
    Nothing,
}

impl std::fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskHandle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a task reports while it runs.
pub struct ProgressStream {
    receiver: Option<broadcast::Receiver<Arc<Value>>>,
    signal: Option<Arc<Signal>>,
    lost: u64,
}

impl ProgressStream {
    /// The next report; `None` when the task is over and everything was read.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Arc<Value>> {
        let (receiver, signal) = (self.receiver.as_mut()?, self.signal.as_ref()?);
        loop {
            let received = if signal.outcome().is_some() {
                receiver.try_recv().map_err(|error| match error {
                    broadcast::error::TryRecvError::Lagged(missed) => Some(missed),
                    _ => None,
                })
            } else {
                tokio::select! {
                    biased;
                    received = receiver.recv() => received.map_err(|error| match error {
                        broadcast::error::RecvError::Lagged(missed) => Some(missed),
                        broadcast::error::RecvError::Closed => None,
                    }),
                    () = signal.ended() => continue,
                }
            };
            match received {
                Ok(value) => return Some(value),
                Err(Some(missed)) => self.lost += missed,
                Err(None) => return None,
            }
        }
    }

    /// Reports that were lost because this listener was slow.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

impl std::fmt::Debug for ProgressStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProgressStream")
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}
