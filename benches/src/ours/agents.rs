//! What the agents of the benches can do, and what the tasks need.

use std::sync::LazyLock;

use universal_orchestrator::{AgentRole, AgentSpec, CapabilitySet};

/// The capabilities of which each agent has four and each task needs two.
const CAPABILITIES: usize = 10;

/// All sets of four of the capabilities, in an order that spreads them.
static OF_AGENTS: LazyLock<Vec<[String; 4]>> = LazyLock::new(|| {
    let mut sets = Vec::new();
    for a in 0..CAPABILITIES {
        for b in a + 1..CAPABILITIES {
            for c in b + 1..CAPABILITIES {
                for d in c + 1..CAPABILITIES {
                    sets.push([a, b, c, d].map(|n| format!("capability-{n:02}")));
                }
            }
        }
    }
    spread(&sets, 97)
});

/// All sets of two of the capabilities: made once, as a caller does that has a few kinds of tasks.
static OF_TASKS: LazyLock<Vec<CapabilitySet>> = LazyLock::new(|| {
    let mut sets = Vec::new();
    for a in 0..CAPABILITIES {
        for b in a + 1..CAPABILITIES {
            let names = [a, b].map(|n| format!("capability-{n:02}"));
            sets.push(CapabilitySet::new(names).expect("the names are capabilities"));
        }
    }
    spread(&sets, 7)
});

/// Every `step`-th entry, round and round; `step` and the length have no common divisor.
fn spread<T: Clone>(sets: &[T], step: usize) -> Vec<T> {
    (0..sets.len())
        .map(|n| sets[n * step % sets.len()].clone())
        .collect()
}

/// The two capabilities that task `number` needs.
#[must_use]
pub fn required(number: u64) -> CapabilitySet {
    OF_TASKS[(number % OF_TASKS.len() as u64) as usize].clone()
}

/// The names of the four capabilities that agent `number` has.
#[must_use]
pub fn capabilities(number: usize) -> &'static [String; 4] {
    &OF_AGENTS[number % OF_AGENTS.len()]
}

/// The description of external agent `number`.
#[must_use]
pub fn spec(number: usize) -> AgentSpec {
    AgentSpec::new(format!("agent-{number:06}"), AgentRole::Worker)
        .capabilities(capabilities(number))
}

/// As [`spec`], with a capability that nobody else has: every agent is a class of its own.
#[must_use]
pub fn unique_spec(number: usize) -> AgentSpec {
    let own = format!("own-{number:06}");
    let names = capabilities(number).iter().chain(std::iter::once(&own));
    AgentSpec::new(format!("agent-{number:06}"), AgentRole::Worker).capabilities(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_has_four_of_ten_and_every_task_needs_two_that_somebody_has() {
        assert_eq!(OF_AGENTS.len(), 210);
        assert_eq!(OF_TASKS.len(), 45);
        let first_fifty: Vec<CapabilitySet> = (0..50)
            .map(|n| CapabilitySet::new(capabilities(n)).expect("valid"))
            .collect();
        for number in 0..45 {
            let able =
                |set: &&CapabilitySet| required(number).iter().all(|c| set.contains(c.as_str()));
            assert!(first_fifty.iter().filter(able).count() > 2, "task {number}");
        }
    }
}
