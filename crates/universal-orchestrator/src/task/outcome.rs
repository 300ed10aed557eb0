//! What came of a task, and how it stands.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::budget::Amount;
use crate::capability::CapabilitySet;
use crate::id::{AgentId, PrincipalName, RunId, TaskId, TaskType, Tenant};
use crate::task::{FailureKind, Priority, TaskFailure, TaskRecord, TaskState};

/// What came of a task. A cheap clone.
#[must_use = "a task that did not succeed says so here and nowhere else"]
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct TaskOutcome(Arc<OutcomeParts>);

#[derive(Debug, Clone, Serialize)]
pub(crate) struct OutcomeParts {
    pub(crate) task: TaskId,
    pub(crate) task_type: TaskType,
    pub(crate) state: TaskState,
    pub(crate) result: Value,
    pub(crate) failure: Option<TaskFailure>,
    pub(crate) partial: Option<Value>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) attempts: u32,
    pub(crate) queue_wait: Duration,
    pub(crate) run_time: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<Box<Amount>>,
}

impl TaskOutcome {
    pub(crate) fn new(parts: OutcomeParts) -> Self {
        Self(Arc::new(parts))
    }

    /// What is left to say of a task that ended and was dropped before anybody could ask.
    pub(crate) fn forgotten(record: &TaskRecord) -> Self {
        Self::new(OutcomeParts {
            task: record.id().clone(),
            task_type: record.task_type(),
            state: TaskState::Cancelled,
            result: Value::Null,
            failure: Some(TaskFailure::new(
                FailureKind::Shutdown,
                "its outcome is no longer retained",
            )),
            partial: None,
            agent: None,
            attempts: 0,
            queue_wait: Duration::ZERO,
            run_time: Duration::ZERO,
            cost: None,
        })
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &TaskId {
        &self.0.task
    }

    /// Its type.
    #[must_use]
    pub fn task_type(&self) -> &TaskType {
        &self.0.task_type
    }

    /// The terminal state.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.0.state
    }

    /// Whether the task succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.0.state == TaskState::Succeeded
    }

    /// The agent's result; `null` unless the task succeeded.
    #[must_use]
    pub fn result(&self) -> &Value {
        &self.0.result
    }

    /// Why it did not succeed.
    #[must_use]
    pub fn failure(&self) -> Option<&TaskFailure> {
        self.0.failure.as_ref()
    }

    /// The category of the failure.
    #[must_use]
    pub fn failure_kind(&self) -> Option<FailureKind> {
        self.failure().map(TaskFailure::kind)
    }

    /// The last progress of an attempt that did not finish: what was done so far.
    #[must_use]
    pub fn partial(&self) -> Option<&Value> {
        self.0.partial.as_ref()
    }

    /// The agent of the last attempt.
    #[must_use]
    pub fn agent(&self) -> Option<&AgentId> {
        self.0.agent.as_ref()
    }

    /// How many attempts were made.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// From acceptance to the last assignment.
    #[must_use]
    pub fn queue_wait(&self) -> Duration {
        self.0.queue_wait
    }

    /// From the last assignment to the end.
    #[must_use]
    pub fn run_time(&self) -> Duration {
        self.0.run_time
    }

    /// What the task spent, all attempts together; zero when it charged nothing.
    #[must_use]
    pub fn cost(&self) -> Amount {
        self.0.cost.as_deref().copied().unwrap_or_default()
    }

    /// The result, or the failure.
    ///
    /// # Errors
    /// The [`TaskFailure`] of a task that did not succeed.
    pub fn into_result(self) -> Result<Value, TaskFailure> {
        match &self.0.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(Arc::try_unwrap(self.0)
                .map_or_else(|shared| shared.result.clone(), |parts| parts.result)),
        }
    }
}

/// How a task stands: a snapshot.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct TaskView {
    /// The task.
    pub id: TaskId,
    /// Its type.
    pub task_type: TaskType,
    /// Where it stands.
    pub state: TaskState,
    /// Its priority.
    pub priority: Priority,
    /// What an agent must have.
    pub required: CapabilitySet,
    /// Who submitted it.
    pub principal: PrincipalName,
    /// Whom it is for.
    pub tenant: Option<Tenant>,
    /// The run whose budget it shares.
    pub run: Option<RunId>,
    /// The task that submitted it as a child.
    pub parent: Option<TaskId>,
    /// The dead letter that it replays.
    pub replay_of: Option<TaskId>,
    /// The agent of the current or last attempt.
    pub agent: Option<AgentId>,
    /// The number of the current or last attempt; 0 before the first.
    pub attempt: u32,
    /// Time since it was accepted.
    pub age: Duration,
    /// Why a live task does not run yet, in words; `None` when it runs or is over.
    pub waiting_for: Option<String>,
    /// The last progress that the current attempt reported.
    pub progress: Option<Value>,
}
