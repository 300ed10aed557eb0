//! How much of their slots agents use, from what the engine says of them once an interval.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hashbrown::HashMap;
use universal_orchestrator::{AgentId, AgentView, Availability, Capability};

/// One look at an agent.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// On a clock that adds up the intervals.
    at: Duration,
    busy: Duration,
    ended: u64,
    in_flight: u32,
}

/// The slots of the agents of a capability over the window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct CapabilityLoad {
    /// Agents that may take work.
    pub(crate) agents: usize,
    /// Their slots.
    pub(crate) slots: u32,
    /// Slots in use, on average over the window.
    pub(crate) busy_slots: f64,
}

impl CapabilityLoad {
    pub(crate) fn busy_percent(&self) -> f64 {
        match self.slots {
            0 => 0.0,
            slots => self.busy_slots * 100.0 / f64::from(slots),
        }
    }
}

/// The last looks at every agent.
#[derive(Debug)]
pub(crate) struct Loads {
    looks: HashMap<AgentId, VecDeque<Look>>,
    clock: Duration,
    slots: usize,
}

impl Loads {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            looks: HashMap::new(),
            clock: Duration::ZERO,
            slots,
        }
    }

    pub(crate) fn forget_all(&mut self) {
        self.looks.clear();
    }

    /// Takes a look and sums up by capability. `interval` is the time since the look before.
    pub(crate) fn look(
        &mut self,
        agents: &[AgentView],
        interval: Duration,
    ) -> BTreeMap<Capability, CapabilityLoad> {
        self.clock += interval;
        let mut by_capability: BTreeMap<Capability, CapabilityLoad> = BTreeMap::new();
        let mut before = std::mem::take(&mut self.looks);
        for agent in agents {
            let mut looks = before.remove(&agent.id).unwrap_or_default();
            looks.push_back(Look {
                at: self.clock,
                busy: agent.busy,
                ended: agent.completed + agent.failed,
                in_flight: agent.in_flight,
            });
            // One more than the window has intervals: the difference needs both ends.
            if looks.len() > self.slots + 1 {
                looks.pop_front();
            }
            if agent.availability == Availability::Available {
                let busy = busy_slots(&looks, agent.concurrency);
                for capability in agent.capabilities.iter() {
                    let load = by_capability.entry(capability.clone()).or_default();
                    load.agents += 1;
                    load.slots += agent.concurrency;
                    load.busy_slots += busy;
                }
            }
            self.looks.insert(agent.id.clone(), looks);
        }
        by_capability
    }
}

/// Slots in use on average: the growth of the busy time over the time between the looks.
/// The engine adds an attempt's time at its end; while none has ended, the attempts at work are counted instead.
fn busy_slots(looks: &VecDeque<Look>, slots: u32) -> f64 {
    let (Some(first), Some(last)) = (looks.front(), looks.back()) else {
        return 0.0;
    };
    let time = last.at.saturating_sub(first.at).as_secs_f64();
    let busy = if last.ended > first.ended && time > 0.0 {
        last.busy.saturating_sub(first.busy).as_secs_f64() / time
    } else {
        let at_work: f64 = looks.iter().map(|look| f64::from(look.in_flight)).sum();
        at_work / looks.len() as f64
    };
    busy.min(f64::from(slots))
}
