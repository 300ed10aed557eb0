//! Why a door did not take a task. The task comes back with the reason.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::agent::AgentRole;
use crate::budget::BudgetError;
use crate::capability::{CapabilitySet, Labels};
use crate::id::{AgentId, Capability, Key, TaskId, shortened};
use crate::task::{Task, TaskFault, TaskState};

/// A plugin's refusal: who, a stable code for programs, a text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("plugin {plugin} refused ({code}): {text}")]
pub struct Veto {
    /// The plugin; filled in by the host.
    pub plugin: Cow<'static, str>,
    /// Stable code, for example `rate_limited`.
    pub code: Cow<'static, str>,
    /// Text for people.
    pub text: String,
}

impl Veto {
    /// A veto with a stable code and a text that says what to do instead.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self {
            plugin: Cow::Borrowed(""),
            code: code.into(),
            text: text.into(),
        }
    }
}

/// Why capable agents are not available, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct UnavailableCounts {
    /// Put to sleep.
    pub sleeping: u32,
    /// Finishing what they have, taking nothing new.
    pub draining: u32,
    /// In quarantine.
    pub quarantined: u32,
    /// Heartbeat overdue.
    pub unreachable: u32,
    /// Behind an open circuit breaker, or all half-open probes taken.
    pub breaker_open: u32,
    /// With a budget of their own that has no room.
    pub over_budget: u32,
}

impl UnavailableCounts {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.sleeping
            + self.draining
            + self.quarantined
            + self.unreachable
            + self.breaker_open
            + self.over_budget
    }
}

impl fmt::Display for UnavailableCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.sleeping, "sleeping"),
            (self.draining, "draining"),
            (self.quarantined, "quarantined"),
            (self.unreachable, "unreachable"),
            (self.breaker_open, "behind an open breaker"),
            (self.over_budget, "over budget"),
        ];
        let mut first = true;
        for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{}{count} {what}", if first { "" } else { ", " })?;
            first = false;
        }
        Ok(())
    }
}

/// What a child needs and its own ancestors have until it ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Deadlock {
    /// Every slot that could run it.
    #[error(
        "its ancestors hold every slot that could run it, one of agent {agent}: raise that agent's concurrency or register another"
    )]
    Slots {
        /// One of the agents whose slots they hold.
        agent: AgentId,
    },
    /// All of `max_concurrent_tasks`.
    #[error("its ancestors are all of max_concurrent_tasks {max}: raise the limit")]
    ConcurrentTasks {
        /// The limit.
        max: usize,
    },
    /// Every place of its concurrency key.
    #[error(
        "its ancestors hold concurrency key {key}: raise its limit in [concurrency_keys] or give the child another"
    )]
    Key {
        /// The key.
        key: Key,
    },
    /// An ancestor is what it comes after, directly or through other tasks.
    #[error("it comes after its ancestor {ancestor}: remove the dependency")]
    After {
        /// The ancestor.
        ancestor: TaskId,
    },
}

/// What a task asks of an agent, in words; `None` when any agent does.
pub(crate) fn demand_text(
    required: &CapabilitySet,
    role: Option<AgentRole>,
    labels: &Labels,
) -> Option<String> {
    let names: Vec<&str> = required.iter().map(Capability::as_str).collect();
    let pairs: Vec<String> = labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let rest = [
        role.map(|role| format!("role {}", role.as_str())),
        match pairs.len() {
            0 => None,
            1 => Some(format!("label {}", pairs[0])),
            _ => Some(format!("labels {}", pairs.join(", "))),
        },
    ];
    let rest: Vec<String> = rest.into_iter().flatten().collect();
    let parts = [names.join(", "), rest.join(" and ")];
    let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    (!parts.is_empty()).then(|| shortened(&parts.join(" with "), 300))
}

fn nobody(required: &CapabilitySet, role: Option<AgentRole>, labels: &Labels) -> String {
    match demand_text(required, role, labels) {
        Some(demand) => format!("no agent registered has {demand}"),
        None => "no agent is registered that fits".to_owned(),
    }
}

pub(crate) fn busy_text(busy: u32, capable: u32) -> String {
    match capable.saturating_sub(busy) {
        0 => format!("{busy} busy"),
        others => format!("{busy} busy, {others} not available"),
    }
}

fn lack(nearest: Option<&Capability>, similar: Option<&Capability>) -> String {
    let quoted = |c: &Capability| shortened(&format!("{c:?}"), 80);
    match (nearest, similar) {
        (_, Some(c)) => format!(" (names are case-sensitive: there is {})", quoted(c)),
        (Some(c), None) => format!(" (nobody has {})", quoted(c)),
        (None, None) => String::new(),
    }
}

/// Why a task was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The task cannot be accepted as it was written.
    #[error(transparent)]
    Invalid(#[from] TaskFault),
    /// A task of this id is live or retained.
    #[error("task {id} exists already and is {state:?}: choose another id, or use submit_or_get")]
    Duplicate {
        /// The id.
        id: TaskId,
        /// The state of the first.
        state: TaskState,
    },
    /// `submit_or_get` found a task of this id with another payload, type or requirement.
    #[error("task {id} exists already and asks for something else: choose another id")]
    Conflict {
        /// The id.
        id: TaskId,
    },
    /// No agent registered has all the capabilities, role and labels.
    #[error("{}{}: register one", nobody(required, *role, labels), lack(nearest.as_ref(), similar.as_ref()))]
    NoCapableAgent {
        /// What was required.
        required: CapabilitySet,
        /// The role that was asked for.
        role: Option<AgentRole>,
        /// The labels that were asked for.
        labels: Labels,
        /// A required capability that no agent has at all.
        nearest: Option<Capability>,
        /// What an agent has that differs from `nearest` in upper and lower case alone.
        similar: Option<Capability>,
    },
    /// Capable agents exist and every slot of theirs is taken.
    #[error("no capable agent is free ({}): submit_task queues, or register more agents", busy_text(*busy, *capable))]
    AllBusy {
        /// How many are capable.
        capable: u32,
        /// How many of them are available and busy; the others are not available.
        busy: u32,
    },
    /// Capable agents exist and none may take work.
    #[error("no capable agent is available ({counts}): wake or release one")]
    AllUnavailable {
        /// How many are capable.
        capable: u32,
        /// Why not.
        counts: UnavailableCounts,
    },
    /// The queue is at `queue.max_tasks`.
    #[error(
        "queue is full at queue.max_tasks {max}: await room with submit_task_wait, or raise the limit"
    )]
    QueueFull {
        /// The limit.
        max: usize,
    },
    /// As many attempts are in flight as `max_concurrent_tasks` allows.
    #[error("max_concurrent_tasks {max} are in flight: wait, or raise the limit")]
    TooManyInFlight {
        /// The limit.
        max: usize,
    },
    /// A plugin's guard refused it.
    #[error(transparent)]
    Vetoed(Veto),
    /// A budget has no room.
    #[error(transparent)]
    OverBudget(#[from] BudgetError),
    /// Intake is paused.
    #[error("intake is paused: call resume_intake")]
    IntakePaused,
    /// A required capability is paused, which refuses `delegate_task`.
    #[error("capability {capability} is paused: call resume_capability, or submit_task to queue")]
    CapabilityPaused {
        /// The capability.
        capability: Capability,
    },
    /// The orchestrator is shutting down.
    #[error("orchestrator is shutting down: nothing new is accepted")]
    ShuttingDown,
    /// The child would wait for what its own ancestors have until it ends.
    #[error("child would wait for ever: {0}")]
    WouldDeadlock(Deadlock),
    /// The parent is over, so it cannot have children.
    #[error("parent task {parent} is over: it cannot have children")]
    ParentOver {
        /// The parent.
        parent: TaskId,
    },
    /// Agents changed under every one of `routing.reroutes_max` tries.
    #[error("routing was overtaken by changes {tries} times: try again")]
    Overtaken {
        /// How many tries.
        tries: u32,
    },
    /// As many tasks of the concurrency key run as may, which refuses `delegate_task`.
    #[error(
        "concurrency key {key} is taken: submit_task queues, or raise its limit in [concurrency_keys]"
    )]
    KeyLimited {
        /// The key.
        key: Key,
    },
    /// This door cannot do what the task asks for.
    #[error("delegate_task binds at once and cannot honour {what}: use submit_task")]
    NotAtOnce {
        /// The option of the task.
        what: &'static str,
    },
}

impl Refusal {
    /// A stable name for metric labels and programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Duplicate { .. } => "duplicate",
            Self::Conflict { .. } => "conflict",
            Self::NoCapableAgent { .. } => "no_capable_agent",
            Self::AllBusy { .. } => "all_busy",
            Self::AllUnavailable { .. } => "all_unavailable",
            Self::QueueFull { .. } => "queue_full",
            Self::TooManyInFlight { .. } => "too_many_in_flight",
            Self::Vetoed(_) => "vetoed",
            Self::OverBudget(_) => "over_budget",
            Self::IntakePaused => "intake_paused",
            Self::CapabilityPaused { .. } => "capability_paused",
            Self::ShuttingDown => "shutting_down",
            Self::WouldDeadlock(_) => "would_deadlock",
            Self::ParentOver { .. } => "parent_over",
            Self::Overtaken { .. } => "overtaken",
            Self::KeyLimited { .. } => "key_limited",
            Self::NotAtOnce { .. } => "not_at_once",
        }
    }
}

/// A refused task with the reason. Nothing of it stayed behind.
#[derive(Debug, Clone, thiserror::Error)]
#[error("task was refused: {reason}")]
pub struct Refused {
    #[source]
    reason: Refusal,
    task: Box<Task>,
}

impl Refused {
    pub(crate) fn new(reason: impl Into<Refusal>, task: Task) -> Self {
        Self {
            reason: reason.into(),
            task: Box::new(task),
        }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &Refusal {
        &self.reason
    }

    /// The task as it was given.
    #[must_use]
    pub const fn task(&self) -> &Task {
        &self.task
    }

    /// Takes the task back.
    #[must_use]
    pub fn into_task(self) -> Task {
        *self.task
    }
}
