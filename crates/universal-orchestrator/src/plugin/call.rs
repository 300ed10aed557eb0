//! What hooks are called with, and what they answer.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::agent::AgentSpec;
use crate::id::{AgentId, PrincipalName};
use crate::plugin::HookFault;
use crate::task::{Delegation, TaskFailure, TaskOutcome, TaskPatch, TaskRecord, Veto};

/// A shape hook's call.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum ShapeCall<'a> {
    /// A task is given to one of the doors.
    Submit {
        /// The task.
        task: &'a TaskRecord,
    },
    /// An attempt is about to be bound.
    Delegate {
        /// The task.
        task: &'a TaskRecord,
        /// The agent.
        agent: &'a AgentId,
    },
    /// An agent is about to begin.
    Start {
        /// The task.
        task: &'a TaskRecord,
        /// The attempt.
        delegation: &'a Delegation,
    },
}

/// A guard hook's call.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum GuardCall<'a> {
    /// An agent wants to register, or is to have other capabilities or labels.
    Register {
        /// What it says of itself; of a registered agent, what it would become.
        agent: &'a AgentSpec,
        /// Who registers it.
        principal: &'a PrincipalName,
    },
    /// A task is given to one of the doors.
    Submit {
        /// The task.
        task: &'a TaskRecord,
    },
    /// An attempt is about to be bound.
    Delegate {
        /// The task.
        task: &'a TaskRecord,
        /// The agent.
        agent: &'a AgentId,
    },
    /// An agent is about to begin.
    Start {
        /// The task.
        task: &'a TaskRecord,
        /// The attempt.
        delegation: &'a Delegation,
    },
    /// A failed attempt is about to be followed by another.
    Retry {
        /// The task.
        task: &'a TaskRecord,
        /// Why the attempt failed.
        failure: &'a TaskFailure,
        /// The attempt that failed.
        attempt: u32,
    },
}

/// What an observe hook sees: decisions, after they were committed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Observed<'a> {
    /// An agent was registered.
    Registered {
        /// The agent.
        agent: &'a AgentId,
        /// How long the call took until the agent was in.
        took: Duration,
    },
    /// An agent left.
    Deregistered {
        /// The agent.
        agent: &'a AgentId,
    },
    /// A task was accepted.
    Submitted {
        /// The task.
        task: &'a TaskRecord,
    },
    /// An attempt was bound.
    Delegated {
        /// The task.
        task: &'a TaskRecord,
        /// The attempt.
        delegation: &'a Delegation,
        /// How long a `delegate_task` call took until the attempt was bound; `None` for what comes from the queue.
        took: Option<Duration>,
        /// From acceptance to the binding; zero when it was bound at once.
        queue_wait: Duration,
    },
    /// An agent began.
    Started {
        /// The task.
        task: &'a TaskRecord,
        /// The attempt.
        delegation: &'a Delegation,
    },
    /// A task succeeded.
    Completed {
        /// The task.
        task: &'a TaskRecord,
        /// What came of it.
        outcome: &'a TaskOutcome,
    },
    /// A task failed, timed out or was rejected.
    Failed {
        /// The task.
        task: &'a TaskRecord,
        /// What came of it.
        outcome: &'a TaskOutcome,
    },
    /// An attempt failed and another one follows.
    Retrying {
        /// The task.
        task: &'a TaskRecord,
        /// The attempt that failed.
        delegation: &'a Delegation,
        /// Why.
        failure: &'a TaskFailure,
        /// The delay before the next one.
        delay: Duration,
    },
    /// A task was cancelled.
    Cancelled {
        /// The task.
        task: &'a TaskRecord,
        /// What came of it.
        outcome: &'a TaskOutcome,
    },
    /// The health check.
    HealthCheck,
    /// The tick.
    Tick,
    /// Shutdown began.
    Shutdown,
}

/// A guard's answer.
#[must_use]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Refuse.
    Veto(Veto),
    /// Could not decide: a fault, which refuses.
    Fault(HookFault),
    /// Answers later; the time limit holds.
    Later(BoxFuture<'static, Result<(), Veto>>),
}

impl Verdict {
    /// Refuses with a stable code and a text that says what to do instead.
    pub fn veto(code: &'static str, text: impl Into<String>) -> Self {
        Self::Veto(Veto::new(code, text))
    }

    /// Answers when the future is done.
    pub fn later(answer: impl Future<Output = Result<(), Veto>> + Send + 'static) -> Self {
        Self::Later(Box::pin(answer))
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("Allow"),
            Self::Veto(veto) => f.debug_tuple("Veto").field(veto).finish(),
            Self::Fault(fault) => f.debug_tuple("Fault").field(fault).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// A shape hook's answer.
#[must_use]
pub enum Shape {
    /// Leave the task as it is.
    Keep,
    /// Change it.
    Patch(Box<TaskPatch>),
    /// Could not: a fault, after which the task goes on unchanged.
    Fault(HookFault),
    /// Answers later; the time limit holds.
    Later(BoxFuture<'static, Result<TaskPatch, HookFault>>),
}

impl Shape {
    /// Changes the task.
    pub fn patch(patch: TaskPatch) -> Self {
        Self::Patch(Box::new(patch))
    }

    /// Answers when the future is done.
    pub fn later(
        answer: impl Future<Output = Result<TaskPatch, HookFault>> + Send + 'static,
    ) -> Self {
        Self::Later(Box::pin(answer))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("Keep"),
            Self::Patch(patch) => f.debug_tuple("Patch").field(patch).finish(),
            Self::Fault(fault) => f.debug_tuple("Fault").field(fault).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}
