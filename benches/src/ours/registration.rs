//! Agents that come and go.

use std::time::{Duration, Instant};

use universal_orchestrator::AgentSpec;

use crate::ours::{World, config, spec};

/// Registers `count` agents with a new orchestrator and deregisters them; returns the time of each. Runs inside the runtime.
///
/// The descriptions are made before, the orchestrator is dropped after.
///
/// # Panics
///
/// Panics when an agent is refused, or unknown when it leaves.
pub async fn register_deregister(count: usize) -> (Duration, Duration) {
    let specs: Vec<AgentSpec> = (0..count).map(spec).collect();
    let mut ids = Vec::with_capacity(count);
    let world = World::start(config(count, 1_000)).await;
    let start = Instant::now();
    for spec in specs {
        let id = world.orchestrator().register_agent(spec).await;
        ids.push(id.expect("the agents are valid and there is room"));
    }
    let registered = start.elapsed();
    let start = Instant::now();
    for id in &ids {
        let left = world.orchestrator().deregister_agent(id).await;
        left.expect("the agent is registered");
    }
    (registered, start.elapsed())
}
