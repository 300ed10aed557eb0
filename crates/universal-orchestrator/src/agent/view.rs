//! How an agent stands.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::agent::AgentRole;
use crate::capability::{CapabilitySet, Labels};
use crate::id::AgentId;

/// What somebody wants of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// It takes work.
    Active,
    /// It takes no work until woken.
    Sleeping,
    /// It finishes what it has and takes nothing new.
    Draining,
}

/// Whether an agent may take work, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Availability {
    /// It may take work as soon as it has a free slot.
    Available,
    /// It sleeps.
    Sleeping,
    /// It drains.
    Draining,
    /// It is in quarantine.
    Quarantined,
    /// Its heartbeat is overdue.
    Unreachable,
    /// Its circuit breaker is open, or all half-open probes are taken.
    BreakerOpen,
    /// Its own budget has no room for another attempt.
    OverBudget,
}

impl Availability {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::OverBudget as usize + 1;
}

/// A snapshot of an agent.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct AgentView {
    /// The agent.
    pub id: AgentId,
    /// Its role.
    pub role: AgentRole,
    /// What it can do.
    pub capabilities: CapabilitySet,
    /// Its labels.
    pub labels: Labels,
    /// Whether it runs in this process.
    pub in_process: bool,
    /// How many tasks it may have at once.
    pub concurrency: u32,
    /// How many it has.
    pub in_flight: u32,
    /// Slots taken by attempts that are over and could not be stopped yet.
    pub zombies: u32,
    /// Whether it may take work.
    pub availability: Availability,
    /// Why it is in quarantine.
    pub quarantine_reason: Option<String>,
    /// Attempts that succeeded.
    pub completed: u64,
    /// Attempts that did not.
    pub failed: u64,
    /// Time that its slots were taken, all slots together.
    pub busy: Duration,
    /// Mean time of its attempts.
    pub average_task_duration: Duration,
    /// Time since it was registered.
    pub age: Duration,
    /// Time since the last call that named it.
    pub last_seen: Duration,
    /// The note given at registration.
    pub metadata: Value,
}

/// What `update_agent` changes; absent fields stay.
#[derive(Debug, Clone, Default)]
pub struct AgentChange {
    pub(crate) capabilities: Option<CapabilitySet>,
    pub(crate) labels: Option<Labels>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) metadata: Option<Value>,
}

impl AgentChange {
    /// Changes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another set of capabilities, for tasks routed from now on.
    #[must_use]
    pub fn capabilities(mut self, set: CapabilitySet) -> Self {
        self.capabilities = Some(set);
        self
    }

    /// Other labels.
    #[must_use]
    pub fn labels(mut self, labels: Labels) -> Self {
        self.labels = Some(labels);
        self
    }

    /// Another number of slots. Tasks in flight above it finish.
    #[must_use]
    pub const fn concurrency(mut self, slots: u32) -> Self {
        self.concurrency = Some(slots);
        self
    }

    /// Another note.
    #[must_use]
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.metadata = Some(metadata);
        self
    }
}

/// Agents counted, for the status document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AgentCounts {
    pub(crate) total: usize,
    pub(crate) available: usize,
    pub(crate) busy: usize,
    pub(crate) sleeping: usize,
    pub(crate) draining: usize,
    pub(crate) quarantined: usize,
    pub(crate) unreachable: usize,
    pub(crate) breaker_open: usize,
    pub(crate) over_budget: usize,
    pub(crate) zombies: usize,
    pub(crate) by_role: [usize; 6],
}
