//! By measured time.

use crate::routing::{AgentFigures, RoutingPolicy};

/// Lowest expected time to a success in the window first: mean latency divided by the success rate.
///
/// An agent without a call in the window ranks first, so that new and recovered agents are tried.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fastest;

impl RoutingPolicy for Fastest {
    fn name(&self) -> &'static str {
        "fastest"
    }

    fn rank(&self, agent: &AgentFigures) -> u64 {
        if agent.recent_calls == 0 {
            return 0;
        }
        let mean = agent.recent_mean.as_nanos().max(1);
        let successes = u128::from(agent.recent_calls.saturating_sub(agent.recent_failures));
        // With no success at all the expected time is that of one more call than was made.
        let expected = mean * u128::from(agent.recent_calls + 1) / (successes + 1).max(1);
        u64::try_from(expected).unwrap_or(u64::MAX)
    }

    fn uses_window(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn rank(calls: u32, failures: u32, mean_ms: u64) -> u64 {
        Fastest.rank(&AgentFigures {
            in_flight: 0,
            concurrency: 1,
            cost: 0,
            recent_calls: calls,
            recent_failures: failures,
            recent_mean: Duration::from_millis(mean_ms),
        })
    }

    #[test]
    fn slow_and_failing_agents_come_later() {
        assert!(rank(0, 0, 0) < rank(10, 0, 1));
        assert!(rank(10, 0, 10) < rank(10, 0, 20));
        assert!(rank(10, 0, 10) < rank(10, 5, 10));
        assert!(rank(10, 9, 10) < rank(10, 10, 10));
    }
}
