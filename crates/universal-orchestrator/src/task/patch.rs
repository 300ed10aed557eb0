//! What shape hooks may rewrite.

use std::time::Duration;

use serde_json::Value;

use crate::id::Key;
use crate::task::{Priority, RetryPolicy, Task};

/// What a shape hook may change: never id, principal, type or required capabilities.
///
/// Bounds are checked again after the change; a deadline can only come nearer.
#[derive(Debug, Clone, Default)]
pub struct TaskPatch {
    /// Another priority.
    pub priority: Option<Priority>,
    /// Another payload.
    pub payload: Option<Value>,
    /// A nearer deadline, counted from acceptance.
    pub deadline_in: Option<Duration>,
    /// Another attempt timeout.
    pub attempt_timeout: Option<Duration>,
    /// Another retry policy.
    pub retry: Option<RetryPolicy>,
    /// Another affinity key.
    pub affinity_key: Option<Key>,
    /// Further metadata.
    pub metadata: Vec<(String, String)>,
}

impl Task {
    /// Rewrites what a shape hook may rewrite.
    pub(crate) fn apply_patch(&mut self, patch: TaskPatch) {
        if let Some(priority) = patch.priority {
            self.priority = priority;
        }
        if let Some(payload) = patch.payload {
            self.set_payload(payload);
        }
        if let Some(time) = patch.deadline_in {
            let options = self.options_mut();
            options.deadline_in = Some(options.deadline_in.map_or(time, |old| old.min(time)));
        }
        if let Some(time) = patch.attempt_timeout {
            self.options_mut().attempt_timeout = Some(time);
        }
        if let Some(policy) = patch.retry {
            self.options_mut().retry = Some(policy);
        }
        if let Some(key) = patch.affinity_key {
            self.options_mut().affinity_key = Some(key);
        }
        for (name, value) in patch.metadata {
            self.options_mut().metadata.insert(&name, &value);
        }
    }
}
