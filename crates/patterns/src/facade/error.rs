//! Why the facade refused something; what was given comes back.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use universal_orchestrator::IdError;

use crate::context::ContextError;
use crate::orchestration::{Layer, Orchestration, OrchestrationName};
use crate::result::StepFailure;

/// Why an orchestration was not registered.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterRefusal {
    /// Its name is none.
    #[error(transparent)]
    Name(#[from] IdError),
    /// One of this name is registered.
    #[error(
        "orchestration {name} is registered already: unregister it first, or choose another name"
    )]
    Duplicate {
        /// The name.
        name: OrchestrationName,
    },
    /// As many are registered as may.
    #[error(
        "{max} orchestrations are registered, the limit: unregister one, or make the facade with more room"
    )]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// Its start failed, panicked, or took too long.
    #[error("orchestration {name} did not start: {failure}")]
    Start {
        /// The name.
        name: OrchestrationName,
        /// Why.
        failure: Box<StepFailure>,
    },
}

/// A refused orchestration with the reason.
#[derive(Clone, thiserror::Error)]
#[error("orchestration was refused: {reason}")]
pub struct RegisterRefused {
    #[source]
    pub(super) reason: RegisterRefusal,
    pub(super) orchestration: Arc<dyn Orchestration>,
}

impl RegisterRefused {
    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &RegisterRefusal {
        &self.reason
    }

    /// Takes the orchestration back.
    #[must_use]
    pub fn into_orchestration(self) -> Arc<dyn Orchestration> {
        self.orchestration
    }
}

impl fmt::Debug for RegisterRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterRefused")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// No orchestration of this name is registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no orchestration is named {name:?}: {}", known_text(known))]
pub struct UnknownOrchestration {
    /// The beginning of what was asked for.
    pub name: String,
    /// Some of those that are registered.
    pub known: Vec<OrchestrationName>,
}

impl UnknownOrchestration {
    pub(super) fn new(name: &str, mut known: Vec<OrchestrationName>) -> Self {
        known.truncate(16);
        Self {
            name: name.chars().take(80).collect(),
            known,
        }
    }
}

fn known_text(known: &[OrchestrationName]) -> String {
    if known.is_empty() {
        return "register one first".to_owned();
    }
    let names: Vec<_> = known.iter().map(OrchestrationName::as_str).collect();
    format!("there is {}", names.join(", "))
}

/// Why a call was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallRefusal {
    /// No orchestration of this name is registered.
    #[error(transparent)]
    Unknown(#[from] UnknownOrchestration),
    /// It is above the layer of its caller.
    #[error(
        "orchestration {caller} of layer {caller_layer} may not call {callee} of layer {callee_layer}: move one of them, or let a higher one call both"
    )]
    Layer {
        /// Who called.
        caller: OrchestrationName,
        /// Its layer.
        caller_layer: Layer,
        /// What it called.
        callee: OrchestrationName,
        /// The higher layer.
        callee_layer: Layer,
    },
    /// It has not started yet, or stops.
    #[error("orchestration {name} takes no calls: it is being started or removed")]
    NotRunning {
        /// The name.
        name: OrchestrationName,
    },
    /// As many calls wait as may.
    #[error(
        "orchestration {name} has {in_flight} calls at work and {waiting} waiting, its limits: call it later, or raise concurrency or waiting_max"
    )]
    Overloaded {
        /// The name.
        name: OrchestrationName,
        /// Calls at work.
        in_flight: usize,
        /// Calls that wait.
        waiting: usize,
    },
    /// All of its places are held by its own callers.
    #[error(
        "orchestration {name} would wait for itself: its callers hold all of its {concurrency} places; raise its concurrency"
    )]
    WouldDeadlock {
        /// The name.
        name: OrchestrationName,
        /// Its limit.
        concurrency: usize,
    },
    /// The context was cancelled, or its deadline passed, before there was a place.
    #[error("orchestration {name} was not called: {why}")]
    TooLate {
        /// The name.
        name: OrchestrationName,
        /// Which of the two.
        why: &'static str,
    },
    /// The context of the call would lie too deep.
    #[error(transparent)]
    Context(#[from] ContextError),
}

/// A call that was not made, with its input.
#[derive(Debug, Clone, thiserror::Error)]
#[error("call was refused: {reason}")]
pub struct CallRefused {
    #[source]
    pub(super) reason: Box<CallRefusal>,
    pub(super) input: Value,
}

impl CallRefused {
    pub(super) fn new(reason: impl Into<CallRefusal>, input: Value) -> Self {
        Self {
            reason: Box::new(reason.into()),
            input,
        }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &CallRefusal {
        &self.reason
    }

    /// Takes the input back.
    #[must_use]
    pub fn into_input(self) -> Value {
        self.input
    }
}
