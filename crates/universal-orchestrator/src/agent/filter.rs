//! Which agents a list shows.

use crate::agent::{AgentRole, AgentView, Availability};
use crate::id::AgentId;

/// Which agents to list.
#[derive(Debug, Clone, Default)]
pub struct AgentFilter {
    capability: Option<String>,
    role: Option<AgentRole>,
    availability: Option<Availability>,
    pub(crate) after: Option<AgentId>,
    pub(crate) limit: Option<usize>,
}

impl AgentFilter {
    /// All agents.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Only agents with a capability.
    #[must_use]
    pub fn capability(mut self, name: impl Into<String>) -> Self {
        self.capability = Some(name.into());
        self
    }

    /// Only agents of a role.
    #[must_use]
    pub const fn role(mut self, role: AgentRole) -> Self {
        self.role = Some(role);
        self
    }

    /// Only agents that stand so.
    #[must_use]
    pub const fn availability(mut self, availability: Availability) -> Self {
        self.availability = Some(availability);
        self
    }

    /// Only agents whose id comes after this one: the next page.
    #[must_use]
    pub fn after(mut self, id: AgentId) -> Self {
        self.after = Some(id);
        self
    }

    /// At most so many; unset: `status.list_max`.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(crate) fn takes(&self, agent: &AgentView) -> bool {
        self.capability
            .as_ref()
            .is_none_or(|c| agent.capabilities.contains(c))
            && self.role.is_none_or(|r| r == agent.role)
            && self.availability.is_none_or(|a| a == agent.availability)
    }
}
