//! `[[plugins.automation.rules]]`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use universal_orchestrator::{AgentId, Priority, Task};

use crate::config::{ConfigFault, YEAR_MS, within};

/// What makes a rule look at its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum When {
    /// A task succeeded.
    TaskCompleted,
    /// A task failed, timed out or was rejected.
    TaskFailed,
    /// An attempt failed and another one follows.
    TaskRetrying,
    /// A task was cancelled.
    TaskCancelled,
    /// An agent was registered.
    AgentRegistered,
    /// An agent left.
    AgentDeregistered,
    /// Each `tick_ms`.
    Tick,
}

impl When {
    pub(crate) const COUNT: usize = Self::Tick as usize + 1;

    const fn is_of_task(self) -> bool {
        matches!(
            self,
            Self::TaskCompleted | Self::TaskFailed | Self::TaskRetrying | Self::TaskCancelled
        )
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::TaskCompleted => "task_completed",
            Self::TaskFailed => "task_failed",
            Self::TaskRetrying => "task_retrying",
            Self::TaskCancelled => "task_cancelled",
            Self::AgentRegistered => "agent_registered",
            Self::AgentDeregistered => "agent_deregistered",
            Self::Tick => "tick",
        }
    }
}

macro_rules! fields {
    ($($variant:ident $name:literal $kind:ident $of:ident $help:literal)+) => {
        /// What a condition compares.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Field {
            $(#[doc = $help] $variant,)+
        }

        impl Field {
            /// All fields.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name used in configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            const fn is_text(self) -> bool {
                match self { $(Self::$variant => fields!(@kind $kind),)+ }
            }

            const fn is_set_by(self, when: When) -> bool {
                match self { $(Self::$variant => fields!(@of $of when),)+ }
            }
        }
    };
    (@kind text) => { true };
    (@kind number) => { false };
    (@of task $when:ident) => { $when.is_of_task() };
    (@of failure $when:ident) => { matches!($when, When::TaskFailed | When::TaskRetrying) };
    (@of agent $when:ident) => { !matches!($when, When::Tick) };
    (@of tick $when:ident) => { matches!($when, When::Tick) };
}

fields! {
    Agent "agent" text agent "Text: the agent of the event; absent when it has none."
    TaskType "task_type" text task "Text: the type of the task."
    Priority "priority" text task "Text: `critical`, `high`, `medium` or `low`."
    FailureKind "failure_kind" text failure "Text: the category of the failure, such as `panicked`."
    Attempts "attempts" number task "Attempts so far."
    RunTimeMs "run_time_ms" number task "From the last assignment to the end, in milliseconds; 0 for `task_retrying`."
    QueueWaitMs "queue_wait_ms" number task "From acceptance to the last assignment, in milliseconds; 0 for `task_retrying`."
    Tokens "tokens" number task "Tokens that the task charged, all attempts together; 0 for `task_retrying`."
    FailuresInARow "failures_in_a_row" number task "Failed attempts of the agent since its last success, this one included."
    AgentErrorRatePercent "agent_error_rate_percent" number task "Failed share of the agent's attempts within `sleep.window_ms`, in percent."
    QueueDepth "queue_depth" number tick "Waiting tasks."
    LongestWaitMs "longest_wait_ms" number tick "The longest wait of a ready task, in milliseconds."
    AgentsAvailable "agents_available" number tick "Agents that may take work."
    AgentsSleeping "agents_sleeping" number tick "Agents asleep."
    ErrorRatePercent "error_rate_percent" number tick "Failed share of all tasks within `status.window_ms`, in percent."
    CpuPercent "cpu_percent" number tick "CPU use of the host at the last health check, in percent; absent before the first."
    MemoryPercent "memory_percent" number tick "Memory use of the host at the last health check, in percent; absent before the first."
}

/// A comparison of one field. An absent field fails every comparison.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ConditionConfig {
    /// What is compared.
    pub field: Field,
    /// Number: it is this or more.
    #[serde(default)]
    pub at_least: Option<f64>,
    /// Number: it is this or less.
    #[serde(default)]
    pub at_most: Option<f64>,
    /// Text: it is this.
    #[serde(default)]
    pub equals: Option<String>,
    /// Text: it is one of these.
    #[serde(default)]
    pub one_of: Option<Vec<String>>,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum RuleAction {
    /// Puts an agent to sleep: the one of the event, or `agent`.
    Sleep {
        /// Another agent than that of the event.
        #[serde(default)]
        agent: Option<AgentId>,
        /// For how long, in milliseconds. Default 300_000.
        #[serde(default = "five_minutes")]
        for_ms: u64,
    },
    /// Wakes an agent.
    Wake {
        /// Another agent than that of the event.
        #[serde(default)]
        agent: Option<AgentId>,
    },
    /// Lets an agent finish what it has and take nothing new.
    Drain {
        /// Another agent than that of the event.
        #[serde(default)]
        agent: Option<AgentId>,
    },
    /// Puts an agent in quarantine.
    Quarantine {
        /// Another agent than that of the event.
        #[serde(default)]
        agent: Option<AgentId>,
    },
    /// Asks a scaling group for agents more (positive) or fewer (negative), within its bounds.
    Scale {
        /// The group.
        group: String,
        /// How many.
        by: i32,
    },
    /// Raises an alert.
    Notify {
        /// Its text.
        text: String,
    },
    /// Submits a task. What such a task causes makes no rule submit another.
    Submit {
        /// Its type.
        task_type: String,
        /// What an agent must have.
        #[serde(default)]
        requires: Vec<String>,
        /// Its priority. Default `medium`.
        #[serde(default)]
        priority: Priority,
        /// Its payload. Default null.
        #[serde(default)]
        payload: Value,
        /// Notes for agents. Default none.
        #[serde(default)]
        metadata: BTreeMap<String, String>,
    },
}

const fn five_minutes() -> u64 {
    300_000
}

impl RuleAction {
    /// The agent that the action names, if it is about one.
    const fn agent(&self) -> Option<Option<&AgentId>> {
        match self {
            Self::Sleep { agent, .. }
            | Self::Wake { agent }
            | Self::Drain { agent }
            | Self::Quarantine { agent } => Some(agent.as_ref()),
            Self::Scale { .. } | Self::Notify { .. } | Self::Submit { .. } => None,
        }
    }
}

/// When something happens, if conditions hold, then do something.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RuleConfig {
    /// Its name: 1 to 64 bytes, unique.
    pub name: String,
    /// The event.
    pub when: When,
    /// The conditions; all must hold. Default none: always.
    #[serde(default, rename = "if")]
    pub conditions: Vec<ConditionConfig>,
    /// The action.
    pub then: RuleAction,
    /// After it acted, how long it does not act again for the same agent, in milliseconds. Default 60_000; 0 to 31_536_000_000.
    #[serde(default = "one_minute")]
    pub cooldown_ms: u64,
    /// Whether it only counts and logs what it would do. Default false.
    #[serde(default)]
    pub dry_run: bool,
}

const fn one_minute() -> u64 {
    60_000
}

impl RuleConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigFault> {
        let fault = |key: &str, value: &dyn std::fmt::Display, remedy: String| {
            ConfigFault::new(format!("rules {:?}: {key}", self.name), value, remedy)
        };
        within("length of rules.name", self.name.len(), 1, 64)?;
        if self.cooldown_ms > YEAR_MS {
            let remedy = format!("choose 0 to {YEAR_MS}");
            return Err(fault("cooldown_ms", &self.cooldown_ms, remedy));
        }
        for condition in &self.conditions {
            let field = condition.field;
            if !field.is_set_by(self.when) {
                let known = Field::ALL.iter().filter(|f| f.is_set_by(self.when));
                let known: Vec<_> = known.map(|f| f.as_str()).collect();
                let remedy = format!("the event {} has {}", self.when.as_str(), known.join(", "));
                return Err(fault("field", &field.as_str(), remedy));
            }
            let numbers = condition.at_least.is_some() || condition.at_most.is_some();
            let texts = condition.equals.is_some() || condition.one_of.is_some();
            let remedy = match field.is_text() {
                true if numbers || !texts => "it is a text: compare it with equals or one_of",
                false if texts || !numbers => "it is a number: compare it with at_least or at_most",
                _ => continue,
            };
            return Err(fault("field", &field.as_str(), remedy.to_owned()));
        }
        if self.when == When::Tick && self.then.agent() == Some(None) {
            let remedy = "a tick has no agent: name one in `then`".to_owned();
            return Err(fault("then.agent", &"unset", remedy));
        }
        if let RuleAction::Sleep { for_ms, .. } = &self.then
            && !(1..=YEAR_MS).contains(for_ms)
        {
            let remedy = format!("choose 1 to {YEAR_MS}");
            return Err(fault("then.for_ms", for_ms, remedy));
        }
        if let RuleAction::Submit {
            task_type,
            requires,
            ..
        } = &self.then
        {
            let parsed = universal_orchestrator::TaskType::new(task_type);
            parsed.map_err(|error| fault("then.task_type", task_type, error.to_string()))?;
            let set = universal_orchestrator::CapabilitySet::new(requires);
            set.map_err(|error| fault("then.requires", &requires.join(", "), error.to_string()))?;
        }
        Ok(())
    }

    /// The task of a `submit` action.
    pub(crate) fn task(&self) -> Option<Task> {
        let RuleAction::Submit {
            task_type,
            requires,
            priority,
            payload,
            metadata,
        } = &self.then
        else {
            return None;
        };
        let task = Task::new(task_type)
            .requires(requires)
            .priority(*priority)
            .payload(payload.clone());
        let noted = metadata
            .iter()
            .fold(task, |task, (name, value)| task.metadata(name, value));
        Some(noted.metadata(RULE_NOTE, &self.name))
    }
}

/// The note that marks a task as submitted by a rule, with the name of the rule.
pub(crate) const RULE_NOTE: &str = "automation_rule";
