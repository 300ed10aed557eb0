//! What a program gives, so that agents can be started and stopped.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use universal_orchestrator::{AgentId, AgentSpec, CapabilitySet, Principal};

use crate::error::FactoryError;

/// Makes agents of one kind. Each call has `scaling.create_timeout_ms`.
#[async_trait]
pub trait AgentFactory: Send + Sync + 'static {
    /// Makes agent number `number`: 1, 2, …, never the same twice, so that ids can be made of it.
    ///
    /// # Errors
    /// [`FactoryError`] when there is none to be had; the group tries again after `scaling.out_cooldown_ms`, and at the earliest after a second.
    async fn create(&self, number: u64) -> Result<AgentSpec, FactoryError>;

    /// An agent that it made has left.
    async fn retired(&self, agent: &AgentId) {
        let _ = agent;
    }
}

const _: fn(&dyn AgentFactory) = |_| {};

/// Agents of one factory, between a minimum and a maximum.
#[derive(Clone)]
pub struct ScalingGroup {
    pub(super) name: String,
    pub(super) factory: Arc<dyn AgentFactory>,
    pub(super) capabilities: Result<CapabilitySet, String>,
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) principal: Option<Principal>,
}

impl ScalingGroup {
    /// A group that keeps exactly one agent.
    #[must_use]
    pub fn new(name: impl Into<String>, factory: Arc<dyn AgentFactory>) -> Self {
        Self {
            name: name.into(),
            factory,
            capabilities: Ok(CapabilitySet::empty()),
            min: 1,
            max: 1,
            principal: None,
        }
    }

    /// How many agents it has at least and at most.
    #[must_use]
    pub const fn between(mut self, min: usize, max: usize) -> Self {
        self.min = min;
        self.max = max;
        self
    }

    /// What its agents can do: tasks that require nothing else make it grow.
    #[must_use]
    pub fn capabilities<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.capabilities = CapabilitySet::new(names).map_err(|error| error.to_string());
        self
    }

    /// In whose name its agents are registered; the plugin's principal unless said.
    #[must_use]
    pub fn principal(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }
}

impl fmt::Debug for ScalingGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScalingGroup")
            .field("name", &self.name)
            .field("min", &self.min)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}
