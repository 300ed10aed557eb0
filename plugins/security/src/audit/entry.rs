//! An entry before it is written: cheap to make in a hook.

use std::sync::Arc;
use std::time::SystemTime;

use universal_orchestrator::{AgentId, PrincipalName, TaskId, TaskType};

use crate::refusal::Code;
use crate::tokens::TokenRecord;

macro_rules! events {
    ($($variant:ident $name:literal)+) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Event {
            $($variant,)+
        }

        impl Event {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

events! {
    LogOpened "log_opened"
    LogClosed "log_closed"
    LogRecovered "log_recovered"
    EntriesLost "entries_lost"
    RegisterAgent "register_agent"
    SubmitTask "submit_task"
    DelegateTask "delegate_task"
    AgentRegistered "agent_registered"
    AgentDeregistered "agent_deregistered"
    TaskFailed "task_failed"
    TaskCancelled "task_cancelled"
    RuleFired "rule_fired"
    Blocked "blocked"
    Unblocked "unblocked"
    TokenIssued "token_issued"
    TokenRotated "token_rotated"
    TokenRevoked "token_revoked"
    Reconfigured "reconfigured"
}

/// What it happened to.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    None,
    Task(TaskId),
    Agent(AgentId),
    Text(String),
}

impl Subject {
    pub(super) fn text(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Task(id) => id.to_string(),
            Self::Agent(id) => id.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// What else there is to say.
#[derive(Debug, Clone)]
pub(crate) enum Detail {
    None,
    TaskType(TaskType),
    Text(String),
}

impl Detail {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::None => "",
            Self::TaskType(name) => name.as_str(),
            Self::Text(text) => text,
        }
    }
}

/// An entry.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) time: SystemTime,
    pub(crate) event: Event,
    pub(crate) code: Code,
    /// `None`: the plugin itself, or its service.
    pub(crate) principal: Option<PrincipalName>,
    pub(crate) token: Option<Arc<TokenRecord>>,
    pub(crate) subject: Subject,
    pub(crate) detail: Detail,
}

impl Entry {
    /// Something that the plugin did.
    pub(crate) fn own(time: SystemTime, event: Event, subject: Subject, detail: Detail) -> Self {
        Self {
            time,
            event,
            code: Code::Allowed,
            principal: None,
            token: None,
            subject,
            detail,
        }
    }
}
