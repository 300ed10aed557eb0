//! What limits throughput now, and what would help.
//!
//! A capability limits when its agents' slots are used up (utilisation law: busy time over slots times window) and tasks wait
//! for them. How many wait follows from Little's law, L = λ·W (J. D. C. Little, "A Proof for the Queuing Formula: L = λW",
//! Operations Research 9(3), 1961). While the wait grows by g seconds a second, tasks leave the queue at (1 − g) of the rate at
//! which they come, so the load offered is the load carried divided by (1 − g).

use std::collections::BTreeMap;

use serde::Serialize;
use universal_orchestrator::{AgentId, Capability, QueueStatus};

use crate::collect::CapabilityFlow;
use crate::config::PerformanceConfig;
use crate::find::CapabilityLoad;

/// A wait that grows faster than this is taken as this: above, the estimate of the load is worth nothing.
const GROWTH_MAX: f64 = 0.9;

/// What limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "name")]
#[non_exhaustive]
pub enum Limit {
    /// The slots of the agents that have a capability.
    Capability(String),
    /// An agent that is much slower than its peers.
    Agent(String),
    /// The queue itself: tasks wait for something that more agents do not give.
    Queue(String),
}

/// A finding, with the figures that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Bottleneck {
    /// What limits.
    pub limit: Limit,
    /// What would help, and why.
    pub recommendation: String,
    /// Use of the slots in the window, in percent.
    pub busy_percent: Option<f64>,
    /// 95th percentile of the queue wait.
    pub queue_wait_p95_ms: Option<f64>,
    /// Tasks that wait on average, by Little's law.
    pub expected_waiting: Option<f64>,
    /// Slots that would be needed for the target use at this load.
    pub slots_needed: Option<u32>,
}

/// An agent's p95 beside that of its peers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AgentPace {
    pub(crate) agent: AgentId,
    pub(crate) ended: u64,
    pub(crate) p95_ms: f64,
}

/// Figures for the search.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) loads: &'a BTreeMap<Capability, CapabilityLoad>,
    pub(crate) flows: &'a BTreeMap<Capability, CapabilityFlow>,
    /// Agents of the same capabilities, with what each did in the window.
    pub(crate) peers: &'a [Vec<AgentPace>],
    pub(crate) queue: &'a QueueStatus,
    /// Tasks that were bound in the window.
    pub(crate) bound: u64,
    pub(crate) window_seconds: f64,
}

/// Searches; the worst first.
pub(crate) fn find_bottlenecks(
    evidence: &Evidence<'_>,
    config: &PerformanceConfig,
) -> Vec<Bottleneck> {
    let mut found: Vec<Bottleneck> = evidence
        .loads
        .iter()
        .filter_map(|(name, load)| {
            let flow = evidence.flows.get(name).copied().unwrap_or_default();
            capability(name, *load, flow, evidence, config)
        })
        .collect();
    found.sort_by(|a, b| {
        b.queue_wait_p95_ms
            .unwrap_or(0.0)
            .total_cmp(&a.queue_wait_p95_ms.unwrap_or(0.0))
    });
    found.extend(
        evidence
            .peers
            .iter()
            .flat_map(|peers| slow_agents(peers, config)),
    );
    found.extend(queue(evidence.queue));
    found.extend(stalled(evidence, config));
    found
}

/// Tasks wait and none was bound in the whole window: the agents have long work.
fn stalled(evidence: &Evidence<'_>, config: &PerformanceConfig) -> Option<Bottleneck> {
    let queue = evidence.queue;
    let waiting = queue.ready.saturating_sub(queue.unroutable);
    if evidence.bound > 0 || waiting == 0 || queue.queue_paused {
        return None;
    }
    let busy: Vec<String> = evidence
        .loads
        .iter()
        .filter(|(_, load)| load.busy_percent() >= config.busy_percent)
        .map(|(name, load)| format!("`{name}` {:.0} %", load.busy_percent()))
        .collect();
    if busy.is_empty() {
        return None;
    }
    Some(Bottleneck {
        limit: Limit::Queue("stalled".to_owned()),
        recommendation: format!(
            "queue: {waiting} tasks are ready and none was bound within {:.0} s; busy capabilities: {}: register more agents of those, or shorten their tasks",
            evidence.window_seconds,
            busy.join(", ")
        ),
        busy_percent: None,
        queue_wait_p95_ms: None,
        expected_waiting: Some(waiting as f64),
        slots_needed: None,
    })
}

fn capability(
    name: &Capability,
    load: CapabilityLoad,
    flow: CapabilityFlow,
    evidence: &Evidence<'_>,
    config: &PerformanceConfig,
) -> Option<Bottleneck> {
    let waits = flow.bound > 0 && flow.wait_p95_ms > config.wait_ms as f64;
    if load.slots == 0 || load.busy_percent() < config.busy_percent || !waits {
        return None;
    }
    let growth = flow.wait_growth.clamp(0.0, GROWTH_MAX);
    let offered = load.busy_slots / (1.0 - growth);
    // At least one more: those that are there are used up.
    let needed = (offered * 100.0 / config.target_busy_percent).ceil() as u32;
    let needed = needed.max(load.slots + 1);
    let rate = flow.bound as f64 / evidence.window_seconds.max(f64::MIN_POSITIVE);
    let waiting = rate * flow.mean_wait;
    let per_agent = f64::from(load.slots) / load.agents.max(1) as f64;
    let more_agents = (f64::from(needed - load.slots) / per_agent).ceil() as u32;
    let grows = match growth > 0.01 {
        true => format!(" and grows by {growth:.2} s each second"),
        false => String::new(),
    };
    let recommendation = format!(
        "capability `{name}`: {} agents with {} slots, {:.0} % busy, queue wait p95 {:.2} s{grows}; \
         {rate:.2} tasks/s of {:.2} s each offer a load of {offered:.1} slots and keep {waiting:.1} waiting: \
         {more_agents} more such agents ({needed} slots) bring the use below {:.0} % at this load",
        load.agents,
        load.slots,
        load.busy_percent(),
        flow.wait_p95_ms / 1e3,
        flow.mean_run,
        config.target_busy_percent,
    );
    Some(Bottleneck {
        limit: Limit::Capability(name.to_string()),
        recommendation,
        busy_percent: Some(load.busy_percent()),
        queue_wait_p95_ms: Some(flow.wait_p95_ms),
        expected_waiting: Some(waiting),
        slots_needed: Some(needed),
    })
}

fn slow_agents(peers: &[AgentPace], config: &PerformanceConfig) -> Vec<Bottleneck> {
    let mut judged: Vec<&AgentPace> = peers
        .iter()
        .filter(|pace| pace.ended >= config.judged_from)
        .collect();
    // Of two, nobody can say which is the odd one.
    if judged.len() < 3 {
        return Vec::new();
    }
    judged.sort_by(|a, b| a.p95_ms.total_cmp(&b.p95_ms));
    let median = judged[(judged.len() - 1) / 2].p95_ms;
    let slow = judged
        .into_iter()
        .filter(|pace| median > 0.0 && pace.p95_ms >= median * config.slow_agent_factor);
    slow.map(|pace| Bottleneck {
        limit: Limit::Agent(pace.agent.to_string()),
        recommendation: format!(
            "agent `{}`: p95 {:.1} ms over {} tasks, its peers' median p95 is {median:.1} ms: look at it, or drain it",
            pace.agent, pace.p95_ms, pace.ended
        ),
        busy_percent: None,
        queue_wait_p95_ms: None,
        expected_waiting: None,
        slots_needed: None,
    })
    .collect()
}

/// What waits for something that more agents of the same kind do not give.
fn queue(queue: &QueueStatus) -> Vec<Bottleneck> {
    let finding = |reason: &str, count: usize, remedy: &str| {
        (count > 0).then(|| Bottleneck {
            limit: Limit::Queue(reason.to_owned()),
            recommendation: format!("queue: {count} tasks {remedy}"),
            busy_percent: None,
            queue_wait_p95_ms: None,
            expected_waiting: Some(count as f64),
            slots_needed: None,
        })
    };
    let ready_behind_pause = if queue.queue_paused { queue.ready } else { 0 };
    [
        finding(
            "unroutable",
            queue.unroutable,
            "require what no registered agent has: register an agent for them",
        ),
        finding(
            "paused",
            ready_behind_pause,
            "are ready while the queue is paused: resume it",
        ),
        finding(
            "concurrency_key",
            queue.key_limited,
            "wait for their concurrency key: raise the limit of the key, or spread them over more keys",
        ),
        finding(
            "budget",
            queue.budget_limited,
            "wait until a budget has room: raise it, or wait for the next day",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paces(p95s: &[f64]) -> Vec<AgentPace> {
        let pace = |(at, p95_ms): (usize, &f64)| AgentPace {
            agent: AgentId::new(format!("agent-{at}")).unwrap(),
            ended: 100,
            p95_ms: *p95_ms,
        };
        p95s.iter().enumerate().map(pace).collect()
    }

    #[test]
    fn an_agent_much_slower_than_its_peers_is_found() {
        let config = PerformanceConfig::default();
        let found = slow_agents(&paces(&[10.0, 11.0, 12.0, 40.0]), &config);
        let limits: Vec<&Limit> = found.iter().map(|one| &one.limit).collect();
        assert_eq!(limits, [&Limit::Agent("agent-3".to_owned())]);
        assert!(slow_agents(&paces(&[10.0, 11.0, 30.0]), &config).is_empty());
        assert!(
            slow_agents(&paces(&[10.0, 400.0]), &config).is_empty(),
            "of two, neither is odd"
        );
    }
}
