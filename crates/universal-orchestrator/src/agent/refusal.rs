//! Why an agent was not registered, or a call about one did nothing.

use crate::agent::{AgentFault, AgentSpec};
use crate::id::AgentId;
use crate::task::Veto;

/// Why an agent was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterRefusal {
    /// It cannot be registered as it was described.
    #[error(transparent)]
    Invalid(#[from] AgentFault),
    /// An agent of this id is registered.
    #[error("agent {id} is registered already: deregister it first, or choose another id")]
    Duplicate {
        /// The id.
        id: AgentId,
    },
    /// As many agents are registered as may be.
    #[error("max_agents {max} are registered: deregister one, or raise the limit")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// A plugin's guard refused it.
    #[error(transparent)]
    Vetoed(Veto),
    /// The orchestrator is shutting down.
    #[error("orchestrator is shutting down: nothing new is accepted")]
    ShuttingDown,
}

/// A refused registration with the reason. Nothing of it stayed behind.
#[derive(Debug, Clone, thiserror::Error)]
#[error("agent was refused: {reason}")]
pub struct RegisterRefused {
    #[source]
    reason: RegisterRefusal,
    spec: Box<AgentSpec>,
}

impl RegisterRefused {
    pub(crate) fn new(reason: impl Into<RegisterRefusal>, spec: AgentSpec) -> Self {
        Self {
            reason: reason.into(),
            spec: Box::new(spec),
        }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &RegisterRefusal {
        &self.reason
    }

    /// Takes the description back.
    #[must_use]
    pub fn into_spec(self) -> AgentSpec {
        *self.spec
    }
}

/// Why a call about an agent did nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentCallError {
    /// No agent of this id is registered.
    #[error("agent {id} is not registered: register it first")]
    Unknown {
        /// The id.
        id: AgentId,
    },
    /// The change does not fit.
    #[error(transparent)]
    Invalid(#[from] AgentFault),
    /// An in-process agent is pushed to and does not pull.
    #[error("agent {id} runs in this process: the queue pushes to it, so it cannot call next_task")]
    InProcess {
        /// The id.
        id: AgentId,
    },
    /// The orchestrator is shutting down.
    #[error("orchestrator is shutting down: there is no further task")]
    ShuttingDown,
    /// A plugin's guard refused the change.
    #[error(transparent)]
    Vetoed(#[from] Veto),
}
