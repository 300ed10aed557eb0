//! Agents in turn.

use crate::routing::{AgentFigures, RoutingPolicy};

/// The least recently assigned agent first, however loaded it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoundRobin;

impl RoutingPolicy for RoundRobin {
    fn name(&self) -> &'static str {
        "round_robin"
    }

    fn rank(&self, _agent: &AgentFigures) -> u64 {
        0
    }
}
