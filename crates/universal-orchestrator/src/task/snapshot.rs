//! A task as plain data, for dead letters and for a restart.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::agent::AgentRole;
use crate::budget::{Amount, Limits};
use crate::capability::{CapabilitySet, Labels};
use crate::id::{Key, RunId, TaskId, TaskType, Tenant};
use crate::task::{AfterFailure, Priority, RetryPolicy, Task, TaskOptions, TaskRecord};

/// A task as plain data. Times are relative to the moment at which it was taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TaskSnapshot {
    /// The id.
    pub id: TaskId,
    /// The type.
    pub task_type: TaskType,
    /// The required capabilities.
    pub required: CapabilitySet,
    /// The priority.
    pub priority: Priority,
    /// The payload.
    pub payload: Value,
    /// The required role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<AgentRole>,
    /// The required labels.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Time left until the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_in: Option<Duration>,
    /// Attempt timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout: Option<Duration>,
    /// Idle timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Duration>,
    /// Retry policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Time left until it may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// Tasks that it comes after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<TaskId>,
    /// What happens when one of them does not succeed.
    #[serde(default)]
    pub after_failure: AfterFailure,
    /// Concurrency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<Key>,
    /// Affinity key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity_key: Option<Key>,
    /// Tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
    /// Run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Budget of the task with its children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Limits>,
    /// Estimate of an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Amount>,
    /// Metadata.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub metadata: Labels,
    /// The task that submitted it as a child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// The dead letter that it replays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<TaskId>,
}

impl TaskSnapshot {
    /// Takes a snapshot; `None` for a task without a type, which no door accepts.
    pub(crate) fn of(
        record: &TaskRecord,
        now: Instant,
        deadline: Option<Instant>,
        due: Option<Instant>,
    ) -> Option<Self> {
        let task = record.task();
        let options = task.options.as_deref().cloned().unwrap_or_default();
        let left = |at: Option<Instant>| at.map(|at| at.saturating_duration_since(now));
        Some(Self {
            id: record.id().clone(),
            task_type: task.task_type.clone()?,
            required: task.required.clone(),
            priority: task.priority,
            payload: task.payload.clone(),
            role: options.role,
            labels: options.labels,
            deadline_in: left(deadline),
            attempt_timeout: options.attempt_timeout,
            idle_timeout: options.idle_timeout,
            retry: options.retry,
            delay: left(due),
            after: options.after,
            after_failure: options.after_failure,
            concurrency_key: options.concurrency_key,
            affinity_key: options.affinity_key,
            tenant: options.tenant,
            run: options.run,
            budget: options.budget,
            estimate: options.estimate,
            metadata: options.metadata,
            parent: options.parent,
            replay_of: options.replay_of,
        })
    }

    /// The task to submit again, under the same id. Its parent is gone, so it becomes a task of its own.
    #[must_use]
    pub fn into_task(self) -> Task {
        let mut task = Task {
            id: Some(self.id),
            task_type: Some(self.task_type),
            required: self.required,
            priority: self.priority,
            payload: Value::Null,
            options: Some(Box::new(TaskOptions {
                role: self.role,
                labels: self.labels,
                deadline_in: self.deadline_in,
                attempt_timeout: self.attempt_timeout,
                idle_timeout: self.idle_timeout,
                retry: self.retry,
                delay: self.delay,
                after: self.after,
                after_failure: self.after_failure,
                concurrency_key: self.concurrency_key,
                affinity_key: self.affinity_key,
                tenant: self.tenant,
                run: self.run,
                budget: self.budget,
                estimate: self.estimate,
                metadata: self.metadata,
                replay_of: self.replay_of,
                ..TaskOptions::default()
            })),
            fault: None,
        };
        task.set_payload(self.payload);
        task
    }
}
