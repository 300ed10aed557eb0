//! The default policy.

use crate::routing::{AgentFigures, RoutingPolicy, load};

/// Lowest share of taken slots first.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeastLoaded;

impl RoutingPolicy for LeastLoaded {
    fn name(&self) -> &'static str {
        "least_loaded"
    }

    fn rank(&self, agent: &AgentFigures) -> u64 {
        load(agent)
    }
}
