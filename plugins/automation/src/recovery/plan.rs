//! What a recovery plan says of itself.

use std::time::SystemTime;

use serde::Serialize;
use universal_orchestrator::{AgentId, FailureKind, TaskType};

use crate::config::Tier;

/// How bad a failure is, from its typed category and never from words in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// A deadline passed.
    Minor,
    /// The agent reported an error, or a budget had no room.
    Moderate,
    /// An attempt ran out of time, its result was refused, or nobody could do the task.
    Serious,
    /// The agent panicked or was lost.
    Severe,
}

impl Severity {
    /// The severity of a failure; `None` for what is somebody's decision or follows from another failure.
    #[must_use]
    pub const fn of(kind: FailureKind) -> Option<Self> {
        match kind {
            FailureKind::DeadlineExceeded => Some(Self::Minor),
            FailureKind::Retryable | FailureKind::Permanent | FailureKind::OverBudget => {
                Some(Self::Moderate)
            }
            FailureKind::AttemptTimeout
            | FailureKind::IdleTimeout
            | FailureKind::ResultRefused
            | FailureKind::Unroutable => Some(Self::Serious),
            FailureKind::Panicked | FailureKind::AgentLost => Some(Self::Severe),
            _ => None,
        }
    }

    /// The name used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minor => "minor",
            Self::Moderate => "moderate",
            Self::Serious => "serious",
            Self::Severe => "severe",
        }
    }

    /// The first tier that can help.
    pub(crate) const fn first_tier(self) -> Tier {
        match self {
            Self::Minor | Self::Moderate => Tier::Retry,
            Self::Serious => Tier::OtherAgent,
            Self::Severe => Tier::Restart,
        }
    }
}

/// Whether the agent is to blame for a failure of this kind, if it had one.
pub(crate) const fn blames_agent(kind: FailureKind) -> bool {
    !matches!(
        kind,
        FailureKind::DeadlineExceeded | FailureKind::OverBudget | FailureKind::Unroutable
    )
}

/// How a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PlanState {
    /// At work.
    Open,
    /// It worked: enough tasks succeeded afterwards.
    Recovered,
    /// Its deadline passed, and nothing came that could have shown whether it worked.
    Unproven,
    /// No allowed tier was left.
    Exhausted,
    /// Nobody answered the question in time.
    Expired,
    /// A human approved what the question proposed, and it was done.
    Approved,
    /// A human rejected what the question proposed.
    Rejected,
    /// The agent left.
    AgentLeft,
}

impl PlanState {
    /// The name used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Recovered => "recovered",
            Self::Unproven => "unproven",
            Self::Exhausted => "exhausted",
            Self::Expired => "expired",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::AgentLeft => "agent_left",
        }
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlanStep {
    /// The tier.
    pub tier: Tier,
    /// Whether it was taken; a tier that could not help was skipped.
    pub taken: bool,
    /// What was done, or why the tier was skipped.
    pub what: String,
    /// When, by the wall clock.
    pub at: SystemTime,
    /// Until when it has to show that it worked; of a step that was taken.
    pub deadline: Option<SystemTime>,
}

/// What is done about the failures of one agent, or of one task type when no agent is to blame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecoveryPlan {
    /// 1, 2, … in the order in which they were opened.
    pub id: u64,
    /// The agent whose failures it is about.
    pub agent: Option<AgentId>,
    /// The agent that took its place.
    pub replaced_by: Option<AgentId>,
    /// The type of the task whose failure opened it.
    pub task_type: Option<TaskType>,
    /// The category of the latest failure.
    pub failure: FailureKind,
    /// The worst severity so far.
    pub severity: Severity,
    /// Failed attempts so far.
    pub failures: u32,
    /// Successes since the last failure.
    pub successes_in_a_row: u32,
    /// What was done, in order.
    pub steps: Vec<PlanStep>,
    /// How it stands.
    pub state: PlanState,
}

impl RecoveryPlan {
    /// The tier of the last step that was taken.
    #[must_use]
    pub fn tier(&self) -> Option<Tier> {
        let taken = self.steps.iter().rev().find(|step| step.taken);
        taken.map(|step| step.tier)
    }
}

/// What a human is asked to approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Proposal {
    /// Put the agent in quarantine.
    Quarantine,
    /// Release the agent from quarantine.
    Release,
    /// Look at it; approving says that somebody did.
    Look,
}

/// A question that waits for a human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PendingDecision {
    /// What `approve` and `reject` of the service name; that of its plan.
    pub plan: u64,
    /// The agent that it is about.
    pub agent: Option<AgentId>,
    /// What is proposed.
    pub proposal: Proposal,
    /// The question in words.
    pub question: String,
    /// Until when it can be answered, by the wall clock.
    pub deadline: SystemTime,
}
