//! The binding of one attempt of a task to one agent.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, TaskId};

/// The binding of one attempt of a task to one agent. Every report about the attempt carries it.
///
/// It can be sent elsewhere as JSON and back; a report with a delegation that is not the current one is refused and changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delegation {
    task: TaskId,
    agent: AgentId,
    attempt: u32,
    /// Where the engine keeps the task, as a hint: checked against the id before it is used.
    #[serde(skip, default = "no_hint")]
    hint: u64,
}

const fn no_hint() -> u64 {
    u64::MAX
}

impl PartialEq for Delegation {
    fn eq(&self, other: &Self) -> bool {
        self.task == other.task && self.agent == other.agent && self.attempt == other.attempt
    }
}

impl Eq for Delegation {}

impl Delegation {
    /// A delegation from its parts, for a report that arrives as plain fields.
    #[must_use]
    pub const fn new(task: TaskId, agent: AgentId, attempt: u32) -> Self {
        Self {
            task,
            agent,
            attempt,
            hint: no_hint(),
        }
    }

    pub(crate) const fn with_hint(mut self, hint: u64) -> Self {
        self.hint = hint;
        self
    }

    pub(crate) const fn hint(&self) -> u64 {
        self.hint
    }

    /// The task.
    #[must_use]
    pub const fn task(&self) -> &TaskId {
        &self.task
    }

    /// The agent.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The attempt: 1, 2, ….
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }
}
