//! `next_task`: external agents fetch work.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::agent::AgentCallError;
use crate::engine::{Launch, Pull};
use crate::id::{AgentId, TaskId};
use crate::orchestrator::UniversalOrchestrator;
use crate::orchestrator::hooks::{Answer, refusal_failure};
use crate::orchestrator::shared::Shared;
use crate::plugin::{HeldCommands, HookPoint};
use crate::task::{Delegation, Task, TaskEvent, TaskRecord};

/// A task that an external agent fetched, with the lease under which it works.
#[derive(Debug, Clone)]
pub struct PulledTask {
    delegation: Delegation,
    record: Arc<TaskRecord>,
}

impl PulledTask {
    /// What every report about it carries.
    #[must_use]
    pub const fn delegation(&self) -> &Delegation {
        &self.delegation
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &TaskId {
        self.record.id()
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &Task {
        self.record.task()
    }

    /// What to work on.
    #[must_use]
    pub fn payload(&self) -> &Value {
        self.record.task().payload_value()
    }
}

/// Gives a fetched task back unless it reaches the agent.
struct Fetched<'a> {
    shared: &'a Shared,
    launch: Option<Launch>,
}

impl Drop for Fetched<'_> {
    fn drop(&mut self) {
        if let Some(launch) = self.launch.take() {
            self.shared.with_engine(|e, now| e.unbind(&launch, now));
        }
    }
}

/// Takes the agent out of the lane that the queue pushes to when nobody waits any more.
struct Waiting<'a> {
    shared: &'a Shared,
    agent: &'a AgentId,
    receiver: Option<tokio::sync::oneshot::Receiver<Launch>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(mut receiver) = self.receiver.take() else {
            return;
        };
        receiver.close();
        let late = receiver.try_recv().ok();
        drop(receiver);
        self.shared.with_engine(|e, now| {
            if let Some(launch) = &late {
                e.unbind(launch, now);
            }
            e.stop_waiting(self.agent, now);
        });
    }
}

impl UniversalOrchestrator {
    /// The next queued task for an external agent; `None` when none came within `wait`.
    ///
    /// The agent then holds a lease of `agents.lease_ms`, which every call that names the agent renews; when it runs out the attempt is lost and the task is tried elsewhere.
    /// While the call waits, the agent counts as ready for the queue.
    ///
    /// # Errors
    /// [`AgentCallError`] when the agent is unknown or runs in this process, or the orchestrator shuts down.
    ///
    /// # Cancel safety
    /// Dropping the future loses no task: one that was on its way waits again.
    pub async fn next_task(
        &self,
        agent: &AgentId,
        wait: Duration,
    ) -> Result<Option<PulledTask>, AgentCallError> {
        let shared = &*self.shared;
        let now = Instant::now();
        let until = now.checked_add(wait);
        loop {
            let launch = match shared.with_engine(|e, now| e.pull(agent, now))? {
                Pull::Launch(launch) => Some(launch),
                Pull::Wait(receiver) => shared.wait_for_launch(agent, receiver, until).await?,
            };
            let Some(launch) = launch else {
                return Ok(None);
            };
            if let Some(pulled) = shared.hand_out(launch).await {
                return Ok(Some(pulled));
            }
        }
    }
}

impl Shared {
    async fn wait_for_launch(
        &self,
        agent: &AgentId,
        receiver: tokio::sync::oneshot::Receiver<Launch>,
        until: Option<Instant>,
    ) -> Result<Option<Launch>, AgentCallError> {
        let mut waiting = Waiting {
            shared: self,
            agent,
            receiver: Some(receiver),
        };
        let Some(receiver) = waiting.receiver.as_mut() else {
            return Ok(None);
        };
        let received = match until {
            Some(until) => match tokio::time::timeout_at(until, receiver).await {
                Ok(received) => received,
                Err(_) => return Ok(None),
            },
            None => receiver.await,
        };
        waiting.receiver = None;
        match received {
            Ok(launch) => Ok(Some(launch)),
            // The waiter was dismissed: the agent left, or everything ends.
            Err(_) if self.engine.lock().is_shutting_down() => Err(AgentCallError::ShuttingDown),
            Err(_) => Err(AgentCallError::Unknown { id: agent.clone() }),
        }
    }

    /// Asks the hooks, commits, and starts the lease; `None` when the attempt does not take place.
    async fn hand_out(&self, launch: Launch) -> Option<PulledTask> {
        let mut fetched = Fetched {
            shared: self,
            launch: Some(launch),
        };
        let mut commands = HeldCommands::default();
        if self.plugins.decides(HookPoint::Delegate) {
            let answer = self.ask_delegate(fetched.launch.as_ref()?).await;
            commands = self.take_answer(&mut fetched, answer)?;
        }
        let launch = fetched.launch.as_mut()?;
        if !self.with_engine(|e, now| e.still_eligible(launch, now) && e.commit_assign(launch, now))
        {
            fetched.launch = None;
            return None;
        }
        commands.release();
        let mut commands = HeldCommands::default();
        if self.plugins.decides(HookPoint::Start) {
            let answer = self.ask_start(fetched.launch.as_ref()?).await;
            commands = self.take_answer(&mut fetched, answer)?;
        }
        let launch = fetched.launch.as_mut()?;
        let started = self.with_engine(|e, now| {
            let started = e.commit_start(launch, now);
            if started {
                e.lease(launch.task, now);
            }
            started
        });
        let launch = fetched.launch.take()?;
        started.then(|| {
            commands.release();
            PulledTask {
                delegation: launch.delegation,
                record: launch.record,
            }
        })
    }

    fn take_answer(&self, fetched: &mut Fetched<'_>, answer: Answer) -> Option<HeldCommands> {
        match answer {
            Ok((record, commands)) => {
                fetched.launch.as_mut()?.record = record;
                Some(commands)
            }
            Err(refusal) => {
                let launch = fetched.launch.take()?;
                let failure = refusal_failure(&refusal);
                self.with_engine(|e, now| {
                    if e.is_current(&launch) {
                        e.finish(launch.task, TaskEvent::Reject, None, Some(failure), now);
                    }
                });
                None
            }
        }
    }
}
