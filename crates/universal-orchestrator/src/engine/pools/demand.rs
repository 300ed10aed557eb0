//! What a task asks of an agent.

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;

use crate::agent::AgentRole;
use crate::capability::{CapabilitySet, Labels};

/// What a task asks of an agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand<'a> {
    pub(crate) required: &'a CapabilitySet,
    pub(crate) role: Option<AgentRole>,
    pub(crate) labels: &'a Labels,
}

impl Demand<'_> {
    pub(crate) fn is_met_by(
        &self,
        capabilities: &CapabilitySet,
        role: AgentRole,
        labels: &Labels,
    ) -> bool {
        self.role.is_none_or(|r| r == role)
            && capabilities.contains_all(self.required)
            && (self.labels.is_empty() || labels.contains_all(self.labels))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OwnedDemand {
    pub(crate) required: CapabilitySet,
    pub(crate) role: Option<AgentRole>,
    pub(crate) labels: Labels,
}

impl OwnedDemand {
    pub(crate) const fn as_demand(&self) -> Demand<'_> {
        Demand {
            required: &self.required,
            role: self.role,
            labels: &self.labels,
        }
    }
}

impl Hash for Demand<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.required.hash(state);
        state.write_u8(self.role.map_or(u8::MAX, |r| r as u8));
        if !self.labels.is_empty() {
            self.labels.hash(state);
        }
    }
}

impl Hash for OwnedDemand {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_demand().hash(state);
    }
}

impl Equivalent<OwnedDemand> for Demand<'_> {
    fn equivalent(&self, key: &OwnedDemand) -> bool {
        self.role == key.role && *self.required == key.required && *self.labels == key.labels
    }
}
