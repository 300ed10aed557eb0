//! What registers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::Agent;
use crate::budget::Limits;
use crate::capability::{CapabilitySet, Labels};
use crate::id::{AgentId, Capability, IdError, shortened};
use crate::task::{DEPTH_MAX, walkable};

/// What part an agent plays. Routing uses it only when a task asks for it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum AgentRole {
    /// Splits work and hands it on.
    Coordinator,
    /// Does one kind of work well.
    Specialist,
    /// Does ordinary work.
    #[default]
    Worker,
    /// Watches.
    Monitor,
    /// Guards.
    Security,
    /// Improves.
    Optimizer,
}

impl AgentRole {
    /// All roles.
    pub const ALL: [Self; 6] = [
        Self::Coordinator,
        Self::Specialist,
        Self::Worker,
        Self::Monitor,
        Self::Security,
        Self::Optimizer,
    ];

    /// The name used in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Specialist => "specialist",
            Self::Worker => "worker",
            Self::Monitor => "monitor",
            Self::Security => "security",
            Self::Optimizer => "optimizer",
        }
    }
}

/// An agent that cannot be registered as it was described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentFault {
    /// An id, capability or label is not one.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The id is longer than configured.
    #[error("agent id has {bytes} bytes, the limit tasks.id_bytes_max is {max}: shorten it")]
    IdTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A capability is longer than configured.
    #[error("capability {} has {bytes} bytes, the limit tasks.id_bytes_max is {max}: shorten it", shortened(&format!("{capability:?}"), 80))]
    CapabilityTooLong {
        /// The capability.
        capability: Capability,
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Concurrency is zero or above the limit.
    #[error(
        "concurrency {concurrency} is outside 1 to agents.concurrency_max {max}: choose another, or raise the limit"
    )]
    Concurrency {
        /// The refused value.
        concurrency: u32,
        /// The limit.
        max: u32,
    },
    /// A list is too long.
    #[error("{what} has {count} entries, the limit {limit} is {max}: leave some out")]
    TooMany {
        /// The list.
        what: &'static str,
        /// Its length.
        count: usize,
        /// The configuration key of the limit.
        limit: &'static str,
        /// The limit.
        max: usize,
    },
    /// The metadata is nested too deeply.
    #[error("metadata is nested deeper than tasks.payload_depth_max {max}: flatten it")]
    MetadataTooDeep {
        /// The limit.
        max: usize,
    },
    /// The metadata is too large.
    #[error(
        "metadata has at least {bytes} bytes of JSON, the limit agents.metadata_bytes_max is {max}: keep a reference to the data instead"
    )]
    MetadataTooLarge {
        /// Bytes counted until the limit was passed.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A heartbeat interval of zero.
    #[error("heartbeat interval is zero: leave it out for an agent without heartbeats")]
    ZeroHeartbeat,
}

/// Describes an agent to register. Built with chained calls; what is wrong with it is reported by `register_agent`.
///
/// ```
/// use universal_orchestrator::{AgentRole, AgentSpec};
/// let agent = AgentSpec::new("my_agent_001", AgentRole::Worker)
///     .capabilities(["python", "javascript", "testing"])
///     .concurrency(4)
///     .label("zone", "eu");
/// ```
#[derive(Clone)]
pub struct AgentSpec {
    pub(crate) id: Option<AgentId>,
    pub(crate) role: AgentRole,
    pub(crate) capabilities: CapabilitySet,
    pub(crate) labels: Labels,
    pub(crate) concurrency: u32,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) cost: u64,
    pub(crate) budget: Option<Limits>,
    pub(crate) metadata: Value,
    pub(crate) runs: Option<Arc<dyn Agent>>,
    pub(crate) fault: Option<Box<AgentFault>>,
}

impl AgentSpec {
    /// An external agent with one slot and no capability yet.
    #[must_use]
    pub fn new(id: impl AsRef<str>, role: AgentRole) -> Self {
        let (id, fault) = match AgentId::new(id) {
            Ok(id) => (Some(id), None),
            Err(error) => (None, Some(Box::new(error.into()))),
        };
        Self {
            id,
            role,
            capabilities: CapabilitySet::empty(),
            labels: Labels::none(),
            concurrency: 1,
            heartbeat: None,
            cost: 0,
            budget: None,
            metadata: Value::Null,
            runs: None,
            fault,
        }
    }

    /// What it can do.
    #[must_use]
    pub fn capabilities<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        match CapabilitySet::new(names) {
            Ok(set) => self.capabilities = set,
            Err(error) => {
                self.fault.get_or_insert_with(|| Box::new(error.into()));
            }
        }
        self
    }

    /// What it can do, as a set made earlier.
    #[must_use]
    pub fn capability_set(mut self, set: CapabilitySet) -> Self {
        self.capabilities = set;
        self
    }

    /// Makes it an in-process agent that runs `agent`.
    #[must_use]
    pub fn in_process(mut self, agent: impl Agent) -> Self {
        self.runs = Some(Arc::new(agent));
        self
    }

    /// Makes it an in-process agent that shares `agent` with others.
    #[must_use]
    pub fn in_process_shared(mut self, agent: Arc<dyn Agent>) -> Self {
        self.runs = Some(agent);
        self
    }

    /// How many tasks it may have at once; 1 unless said.
    #[must_use]
    pub const fn concurrency(mut self, slots: u32) -> Self {
        self.concurrency = slots;
        self
    }

    /// A label that tasks may require.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name, value);
        self
    }

    /// It promises a sign of life at least this often: any call that names it counts. After `agents.heartbeat_timeout_factor` missed intervals it gets no work until the next sign. Of an external agent; one of this process is never taken for lost in silence.
    #[must_use]
    pub const fn heartbeat_every(mut self, interval: Duration) -> Self {
        self.heartbeat = Some(interval);
        self
    }

    /// What one task costs on it, in any unit, for the `cheapest` routing policy.
    #[must_use]
    pub const fn cost(mut self, cost: u64) -> Self {
        self.cost = cost;
        self
    }

    /// What it may spend in its lifetime, all tasks together.
    #[must_use]
    pub const fn budget(mut self, limits: Limits) -> Self {
        self.budget = Some(limits);
        self
    }

    /// A note that is kept with it and shown in its view.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        let kept = walkable(metadata.into());
        if kept.is_none() {
            let fault = AgentFault::MetadataTooDeep { max: DEPTH_MAX };
            self.fault.get_or_insert_with(|| Box::new(fault));
        }
        self.metadata = kept.unwrap_or_default();
        self
    }

    /// The id; `None` when what was given is not one.
    #[must_use]
    pub const fn id(&self) -> Option<&AgentId> {
        self.id.as_ref()
    }

    /// The role.
    #[must_use]
    pub const fn role(&self) -> AgentRole {
        self.role
    }

    /// The capabilities.
    #[must_use]
    pub const fn capability_list(&self) -> &CapabilitySet {
        &self.capabilities
    }

    /// The labels.
    #[must_use]
    pub const fn label_list(&self) -> &Labels {
        &self.labels
    }

    /// The metadata.
    #[must_use]
    pub const fn metadata_value(&self) -> &Value {
        &self.metadata
    }

    /// Whether it runs in this process.
    #[must_use]
    pub const fn is_in_process(&self) -> bool {
        self.runs.is_some()
    }
}

impl fmt::Debug for AgentSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentSpec")
            .field("id", &self.id)
            .field("role", &self.role)
            .field("capabilities", &self.capabilities)
            .field("labels", &self.labels)
            .field("concurrency", &self.concurrency)
            .field("in_process", &self.runs.is_some())
            .finish_non_exhaustive()
    }
}
