//! Routing policies: each ranks agents, the engine keeps them in that order.

mod cheapest;
mod explain;
mod fastest;
mod least_loaded;
mod round_robin;
mod sticky;

pub use cheapest::Cheapest;
pub use explain::{Candidate, CandidateVerdict, RoutingExplanation};
pub use fastest::Fastest;
pub use least_loaded::LeastLoaded;
pub use round_robin::RoundRobin;
pub(crate) use sticky::rendezvous_weight;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What a policy knows of an agent.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AgentFigures {
    /// Tasks that it has.
    pub in_flight: u32,
    /// Tasks that it may have at once.
    pub concurrency: u32,
    /// What one task costs on it, as registered.
    pub cost: u64,
    /// Attempts that ended in the window `routing.window_ms`.
    pub recent_calls: u32,
    /// Those of them that failed.
    pub recent_failures: u32,
    /// Their mean time.
    pub recent_mean: Duration,
}

/// Ranks agents. The eligible agent of the lowest rank gets the task; among equals the least recently assigned, then the first registered.
///
/// The rank is computed when the agent's figures change, not for each task, so that routing costs the same with 50 agents and with 100,000.
///
/// ```
/// use universal_orchestrator::{AgentFigures, RoutingPolicy};
/// /// Cheap agents first, and of those the least loaded.
/// struct CheapThenIdle;
/// impl RoutingPolicy for CheapThenIdle {
///     fn name(&self) -> &str { "cheap_then_idle" }
///     fn rank(&self, agent: &AgentFigures) -> u64 {
///         agent.cost.saturating_mul(1_000).saturating_add(u64::from(agent.in_flight))
///     }
/// }
/// ```
pub trait RoutingPolicy: Send + Sync + 'static {
    /// The name shown in explanations and the status.
    fn name(&self) -> &str;

    /// Lower comes first.
    ///
    /// It is called while the orchestrator decides: it must be quick and must not call the orchestrator, which would wait for itself.
    /// When it panics, the agent ranks last.
    fn rank(&self, agent: &AgentFigures) -> u64;

    /// Whether ranks depend on the window, so that they are computed again when it rolls.
    fn uses_window(&self) -> bool {
        false
    }
}

const _: fn(&dyn RoutingPolicy) = |_| {};

/// The rank of an agent; the last one when the policy panics, so that no decision is left half made.
pub(crate) fn rank_or_last(policy: &dyn RoutingPolicy, agent: &AgentFigures) -> u64 {
    let rank = AssertUnwindSafe(|| policy.rank(agent));
    catch_unwind(rank).unwrap_or_else(|_| {
        tracing::error!(
            policy = policy.name(),
            "the routing policy panicked: the agent ranks last"
        );
        u64::MAX
    })
}

/// In-flight share of the concurrency as a fraction of 2^32: exact for up to 65,535 slots.
fn load(agent: &AgentFigures) -> u64 {
    (u64::from(agent.in_flight) << 32) / u64::from(agent.concurrency.max(1))
}
