//! Why an agent was chosen, or why none was.

use serde::Serialize;

use crate::id::{AgentId, Capability};

/// What routing would decide now for a task, and why.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RoutingExplanation {
    /// The policy that ranks.
    pub policy: String,
    /// What holds the task back whoever is free: a pause, the shutdown, `max_concurrent_tasks`. Nobody is chosen then.
    pub held_back: Option<String>,
    /// The agent that would get the task.
    pub chosen: Option<AgentId>,
    /// Agents looked at, best first, at most `status.list_max`.
    pub candidates: Vec<Candidate>,
    /// How many agents there are in all.
    pub agents: usize,
    /// How many of them are capable.
    pub capable: usize,
}

/// One agent of an explanation.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Candidate {
    /// The agent.
    pub agent: AgentId,
    /// Why it was chosen or not.
    pub verdict: CandidateVerdict,
    /// Its rank under the policy; lower is better.
    pub rank: u64,
    /// Tasks that it has.
    pub in_flight: u32,
    /// Tasks that it may have at once.
    pub concurrency: u32,
}

/// Why an agent was chosen or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
#[non_exhaustive]
pub enum CandidateVerdict {
    /// It would get the task.
    Chosen,
    /// It could do the task; another one ranks better.
    RanksLower,
    /// Every slot of it is taken.
    Busy,
    /// It sleeps.
    Sleeping,
    /// It drains.
    Draining,
    /// It is in quarantine.
    Quarantined,
    /// Its heartbeat is overdue.
    Unreachable,
    /// Its circuit breaker is open.
    BreakerOpen,
    /// Its own budget has no room.
    OverBudget,
    /// It lacks a required capability.
    LacksCapability {
        /// The first that it lacks.
        capability: Capability,
    },
    /// It has another role.
    OtherRole,
    /// A required label differs.
    OtherLabel,
}
