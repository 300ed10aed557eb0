//! What is remembered of each agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use parking_lot::{Mutex, RwLock};
use universal_orchestrator::{AgentId, AgentView};

use crate::window::Window;

/// What the outcomes of one agent add up to.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Tokens that its tasks charged since it last woke.
    pub(crate) tokens: u64,
    pub(crate) window: Window,
    pub(crate) failures_in_a_row: u32,
    /// Sleeps since its last success.
    pub(crate) sleeps_in_a_row: u32,
    /// Since when it has had nothing to do, on the plugin's clock.
    pub(crate) idle_since: Duration,
    /// Attempts seen by the last tick, of its view.
    pub(crate) attempts_seen: u64,
    /// Attempts since the last tick, for the limiter.
    pub(crate) sample: Sample,
    /// What the limiter knows.
    pub(crate) limit: Option<crate::limiter::Limit>,
}

/// Attempts of one tick.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) calls: u64,
    pub(crate) nanos: u64,
    /// Attempts that ran out of time or asked for another try: signs of overload.
    pub(crate) drops: u64,
    /// Time that its slots were taken until now, of its view.
    pub(crate) busy: Duration,
}

pub(crate) type Entry = Arc<Mutex<Figures>>;

/// All followed agents.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    agents: RwLock<HashMap<AgentId, Entry, RandomState>>,
    untracked: AtomicU64,
}

impl Roster {
    pub(crate) fn get(&self, agent: &AgentId) -> Option<Entry> {
        self.agents.read().get(agent).cloned()
    }

    /// The entry of an agent, made on first use; `None` when too many are followed.
    pub(crate) fn entry(&self, agent: &AgentId, max: usize, now: Duration) -> Option<Entry> {
        if let Some(entry) = self.get(agent) {
            return Some(entry);
        }
        let mut agents = self.agents.write();
        if agents.len() >= max && !agents.contains_key(agent) {
            self.untracked.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let new = || {
            Arc::new(Mutex::new(Figures {
                idle_since: now,
                ..Figures::default()
            }))
        };
        let entry = agents.entry_ref(agent).or_insert_with(new);
        Some(Arc::clone(entry))
    }

    pub(crate) fn remove(&self, agent: &AgentId) {
        self.agents.write().remove(agent);
    }

    /// Follows whom the plugin did not see register, forgets who left, and notes who had something to do since the last look.
    pub(crate) fn reconcile(&self, views: &[AgentView], max: usize, now: Duration) {
        for view in views {
            let Some(entry) = self.entry(&view.id, max, now) else {
                continue;
            };
            let mut figures = entry.lock();
            let attempts = view.completed + view.failed;
            if view.in_flight > 0 || attempts != figures.attempts_seen {
                figures.idle_since = now;
                figures.attempts_seen = attempts;
            }
        }
        // A list that was cut short says nothing about those behind its end.
        if views.len() < max {
            let here: HashSet<&AgentId> = views.iter().map(|view| &view.id).collect();
            self.agents.write().retain(|id, _| here.contains(id));
        }
    }

    /// How often an agent could not be followed.
    pub(crate) fn untracked(&self) -> u64 {
        self.untracked.load(Ordering::Relaxed)
    }
}
