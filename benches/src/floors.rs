//! What the operations of an orchestrator cost at the very least: plain maps, without routing, rules or plugins.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What a map of running tasks holds for one of them.
#[derive(Debug, Clone, Copy)]
pub struct InFlight {
    /// The agent that runs the task.
    pub agent: u64,
    /// The attempt that the agent is to report.
    pub attempt: u32,
    /// The time at which the attempt started.
    pub started: Instant,
}

/// A map of running tasks: the floor of delegate and complete.
#[derive(Debug)]
pub struct InFlightMap {
    entries: Mutex<HashMap<u64, InFlight>>,
    next: AtomicU64,
    size: u64,
    sample: InFlight,
}

impl InFlightMap {
    /// Builds a map that holds `size` tasks.
    #[must_use]
    pub fn with_tasks(size: u64) -> Self {
        let sample = InFlight {
            agent: 0,
            attempt: 1,
            started: Instant::now(),
        };
        let entries = (0..size).map(|task| (task, sample)).collect();
        Self {
            entries: Mutex::new(entries),
            next: AtomicU64::new(size),
            size,
            sample,
        }
    }

    /// Inserts a new task and removes the oldest, as delegate and complete do, and returns the removed one.
    ///
    /// The lock is taken twice, since two calls do this. The time is not read, so that only the map is paid for.
    ///
    /// # Panics
    ///
    /// Panics when an earlier call did.
    pub fn insert_remove(&self) -> Option<InFlight> {
        let task = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = InFlight {
            agent: task,
            ..self.sample
        };
        self.entries
            .lock()
            .expect("no call panics")
            .insert(task, entry);
        self.entries
            .lock()
            .expect("no call panics")
            .remove(&task.wrapping_sub(self.size))
    }
}

/// An agent that is nothing but its registration.
#[derive(Debug, Clone)]
pub struct PlainAgent {
    /// The unique name.
    pub id: String,
    /// What the agent can do.
    pub capabilities: [String; 4],
}

/// The distinct capabilities of [`plain_agents`].
pub const CAPABILITIES: usize = 16;

/// Makes `count` agents with four of sixteen capabilities each.
#[must_use]
pub fn plain_agents(count: usize) -> Vec<PlainAgent> {
    let capability = |n: usize| format!("capability-{:02}", n % CAPABILITIES);
    let agent = |n: usize| PlainAgent {
        id: format!("agent-{n:06}"),
        capabilities: [
            capability(n),
            capability(n + 1),
            capability(n + 2),
            capability(n + 3),
        ],
    };
    (0..count).map(agent).collect()
}

/// A registry of structs with an index by id and one by capability: the floor of registering.
#[derive(Debug, Default)]
pub struct PlainRegistry {
    agents: Vec<PlainAgent>,
    by_id: HashMap<String, usize>,
    by_capability: HashMap<String, Vec<usize>>,
}

impl PlainRegistry {
    /// Adds an agent; returns false and changes nothing when the id is taken.
    pub fn register(&mut self, agent: PlainAgent) -> bool {
        if self.by_id.contains_key(&agent.id) {
            return false;
        }
        let index = self.agents.len();
        self.by_id.insert(agent.id.clone(), index);
        for capability in &agent.capabilities {
            match self.by_capability.get_mut(capability) {
                Some(agents) => agents.push(index),
                None => {
                    self.by_capability.insert(capability.clone(), vec![index]);
                }
            }
        }
        self.agents.push(agent);
        true
    }

    /// Returns the agent with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&PlainAgent> {
        self.by_id.get(id).and_then(|index| self.agents.get(*index))
    }

    /// Returns how many agents have this capability.
    #[must_use]
    pub fn count_with(&self, capability: &str) -> usize {
        self.by_capability.get(capability).map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_keeps_its_size_and_gives_back_the_oldest() {
        let map = InFlightMap::with_tasks(50);
        for call in 0..120 {
            let removed = map.insert_remove().expect("the oldest is there");
            assert_eq!(
                removed.agent,
                if call < 50 { 0 } else { call },
                "call {call}"
            );
            assert_eq!(map.entries.lock().expect("no panic").len(), 50);
        }
    }

    #[test]
    fn both_indexes_know_every_agent() {
        let mut registry = PlainRegistry::default();
        for agent in plain_agents(32) {
            assert!(registry.register(agent));
        }
        assert_eq!(
            registry.get("agent-000031").map(|agent| agent.id.as_str()),
            Some("agent-000031")
        );
        assert_eq!(registry.count_with("capability-00"), 8);
        assert!(
            !registry.register(plain_agents(1).remove(0)),
            "the id is taken"
        );
        assert_eq!(registry.count_with("capability-00"), 8);
    }
}
