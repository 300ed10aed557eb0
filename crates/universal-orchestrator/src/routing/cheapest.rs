//! By price.

use crate::routing::{AgentFigures, RoutingPolicy};

/// Lowest registered cost first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cheapest;

impl RoutingPolicy for Cheapest {
    fn name(&self) -> &'static str {
        "cheapest"
    }

    fn rank(&self, agent: &AgentFigures) -> u64 {
        agent.cost
    }
}
