//! The agents, and which of them are ready.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde_json::Value;
use slotmap::SlotMap;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::agent::{Agent, AgentCounts, AgentRole, Availability, Intent};
use crate::breaker::{BreakerState, CircuitBreaker};
use crate::clock::Stamp;
use crate::engine::effects::Launch;
use crate::engine::pools::{Lane, PoolIx, RankKey};
use crate::engine::{AgentKey, TaskKey};
use crate::id::AgentId;
use crate::routing::AgentFigures;

/// One registered agent.
pub(crate) struct AgentSlot {
    pub(crate) id: AgentId,
    pub(crate) pool: PoolIx,
    pub(crate) role: AgentRole,
    pub(crate) intent: Intent,
    pub(crate) reachable: bool,
    pub(crate) concurrency: u32,
    pub(crate) zombies: u32,
    /// Tasks whose attempt holds a slot; its length is the in-flight count.
    pub(crate) tasks: SmallVec<[TaskKey; 2]>,
    /// Rank among equals: registration, then each assignment.
    pub(crate) order: u64,
    /// Where it stands in its pool's ready order.
    pub(crate) ready: Option<(Lane, RankKey)>,
    /// Where it is counted.
    pub(crate) counted: Availability,
    pub(crate) runs: Option<Arc<dyn Agent>>,
    pub(crate) registered_at: Stamp,
    pub(crate) last_seen: Stamp,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) busy_nanos: u64,
    pub(crate) cost: u64,
    pub(crate) rare: Option<Box<RareAgent>>,
}

/// What few agents have.
#[derive(Default)]
pub(crate) struct RareAgent {
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) quarantine: Option<String>,
    pub(crate) breaker: Option<CircuitBreaker>,
    pub(crate) recent: Option<Recent>,
    pub(crate) waiters: Vec<oneshot::Sender<Launch>>,
    pub(crate) metadata: Value,
    /// Whether it has a budget of its own.
    pub(crate) capped: bool,
    /// That budget has no room for another attempt.
    pub(crate) spent: bool,
}

/// Two half windows of calls, for policies that rank by measured time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Recent {
    pub(crate) since: Stamp,
    pub(crate) current: RecentHalf,
    pub(crate) previous: RecentHalf,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RecentHalf {
    calls: u32,
    failures: u32,
    nanos: u64,
}

impl Recent {
    pub(crate) fn roll(&mut self, now: Stamp, half: u64) {
        let half = half.max(1);
        let passed = now.0.saturating_sub(self.since.0) / half;
        if passed == 0 {
            return;
        }
        self.previous = if passed == 1 {
            self.current
        } else {
            RecentHalf::default()
        };
        self.current = RecentHalf::default();
        self.since = Stamp(self.since.0 + passed * half);
    }

    pub(crate) fn record(&mut self, now: Stamp, half: u64, success: bool, took: Duration) {
        self.roll(now, half);
        self.current.calls = self.current.calls.saturating_add(1);
        self.current.failures = self.current.failures.saturating_add(u32::from(!success));
        self.current.nanos = self
            .current
            .nanos
            .saturating_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

impl AgentSlot {
    pub(crate) fn in_flight(&self) -> u32 {
        self.tasks.len() as u32
    }

    pub(crate) fn has_free_slot(&self) -> bool {
        self.in_flight() + self.zombies < self.concurrency
    }

    pub(crate) fn rare_mut(&mut self) -> &mut RareAgent {
        self.rare.get_or_insert_default()
    }

    pub(crate) fn quarantine(&self) -> Option<&str> {
        self.rare.as_ref()?.quarantine.as_deref()
    }

    pub(crate) fn heartbeat(&self) -> Option<Duration> {
        self.rare.as_ref()?.heartbeat
    }

    pub(crate) fn waits(&self) -> bool {
        self.rare.as_ref().is_some_and(|r| !r.waiters.is_empty())
    }

    pub(crate) fn availability(&self, now: Stamp) -> Availability {
        if self.quarantine().is_some() {
            return Availability::Quarantined;
        }
        match self.intent {
            Intent::Sleeping => return Availability::Sleeping,
            Intent::Draining => return Availability::Draining,
            Intent::Active => {}
        }
        if !self.reachable {
            return Availability::Unreachable;
        }
        let breaker = self.rare.as_ref().and_then(|r| r.breaker.as_ref());
        if breaker.is_some_and(|b| !b.admits(Duration::from_nanos(now.0))) {
            return Availability::BreakerOpen;
        }
        if self.is_spent() {
            return Availability::OverBudget;
        }
        Availability::Available
    }

    /// Whether its own budget has no room for another attempt.
    pub(crate) fn is_spent(&self) -> bool {
        self.rare.as_ref().is_some_and(|r| r.spent)
    }

    /// Whether a call that its breaker has let through before may be made now.
    pub(crate) fn is_available_to_one_let_through(&self, now: Stamp) -> bool {
        match self.availability(now) {
            // What its own budget had no room for is not this one.
            Availability::Available | Availability::OverBudget => true,
            Availability::BreakerOpen => {
                let breaker = self.rare.as_ref().and_then(|r| r.breaker.as_ref());
                // Half-open with as many probes as it may have, of which this is one; open again, it would not be.
                breaker.is_some_and(|b| b.state(Duration::from_nanos(now.0)) != BreakerState::Open)
            }
            _ => false,
        }
    }

    pub(crate) fn lane(&self) -> Lane {
        if self.runs.is_some() || self.waits() {
            Lane::Push
        } else {
            Lane::Told
        }
    }

    pub(crate) fn figures(&self) -> AgentFigures {
        let recent = self
            .rare
            .as_ref()
            .and_then(|r| r.recent)
            .unwrap_or_default();
        let calls = recent.current.calls + recent.previous.calls;
        let nanos = recent.current.nanos.saturating_add(recent.previous.nanos);
        AgentFigures {
            in_flight: self.in_flight() + self.zombies,
            concurrency: self.concurrency,
            cost: self.cost,
            recent_calls: calls,
            recent_failures: recent.current.failures + recent.previous.failures,
            recent_mean: Duration::from_nanos(nanos.checked_div(u64::from(calls)).unwrap_or(0)),
        }
    }
}

/// All agents by key and by id.
#[derive(Default)]
pub(crate) struct AgentTable {
    pub(crate) slots: SlotMap<AgentKey, AgentSlot>,
    index: HashTable<AgentKey>,
    hasher: RandomState,
    pub(crate) counts: AgentCounts,
    /// Agents of each pool by availability, in the order of [`Availability`].
    by_pool: Vec<[u32; Availability::COUNT]>,
    /// Those whose breaker lets nothing through, so that the status need not look for them.
    pub(crate) breaker_open: BTreeSet<AgentKey>,
}

impl AgentTable {
    pub(crate) fn key(&self, id: &AgentId) -> Option<AgentKey> {
        let hash = self.hasher.hash_one(id);
        self.index
            .find(hash, |key| self.slots[*key].id == *id)
            .copied()
    }

    pub(crate) fn insert(&mut self, slot: AgentSlot) -> AgentKey {
        let hash = self.hasher.hash_one(&slot.id);
        self.counts.total += 1;
        self.counts.by_role[slot.role as usize] += 1;
        *count_of(&mut self.counts, slot.counted) += 1;
        self.in_pool(slot.pool)[slot.counted as usize] += 1;
        let key = self.slots.insert(slot);
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index
            .insert_unique(hash, key, |key| hasher.hash_one(&slots[*key].id));
        key
    }

    pub(crate) fn remove(&mut self, key: AgentKey) -> Option<AgentSlot> {
        let hash = self.hasher.hash_one(&self.slots.get(key)?.id);
        if let Ok(entry) = self.index.find_entry(hash, |k| *k == key) {
            entry.remove();
        }
        let slot = self.slots.remove(key)?;
        self.breaker_open.remove(&key);
        self.counts.total -= 1;
        self.counts.by_role[slot.role as usize] -= 1;
        *count_of(&mut self.counts, slot.counted) -= 1;
        self.in_pool(slot.pool)[slot.counted as usize] -= 1;
        self.counts.zombies -= slot.zombies as usize;
        self.counts.busy -= usize::from(!slot.tasks.is_empty());
        Some(slot)
    }

    /// Counts an agent where it stands now; `true` when that changed.
    pub(crate) fn recount(&mut self, key: AgentKey, now: Stamp) -> bool {
        let Some(slot) = self.slots.get_mut(key) else {
            return false;
        };
        let availability = slot.availability(now);
        if availability == slot.counted {
            return false;
        }
        let (pool, before) = (slot.pool, slot.counted);
        if availability == Availability::BreakerOpen {
            self.breaker_open.insert(key);
        } else if before == Availability::BreakerOpen {
            self.breaker_open.remove(&key);
        }
        slot.counted = availability;
        *count_of(&mut self.counts, before) -= 1;
        *count_of(&mut self.counts, availability) += 1;
        let of_pool = self.in_pool(pool);
        of_pool[before as usize] -= 1;
        of_pool[availability as usize] += 1;
        true
    }

    /// Moves an agent to another pool.
    pub(crate) fn change_pool(&mut self, key: AgentKey, pool: PoolIx) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let before = std::mem::replace(&mut slot.pool, pool);
        let counted = slot.counted as usize;
        self.in_pool(before)[counted] -= 1;
        self.in_pool(pool)[counted] += 1;
    }

    fn in_pool(&mut self, pool: PoolIx) -> &mut [u32; Availability::COUNT] {
        let at = pool as usize;
        if self.by_pool.len() <= at {
            self.by_pool.resize(at + 1, [0; Availability::COUNT]);
        }
        &mut self.by_pool[at]
    }

    /// How many agents of some pools are as available as that.
    pub(crate) fn count_in(&self, pools: &[PoolIx], availability: Availability) -> u32 {
        let of = |ix: &PoolIx| self.by_pool.get(*ix as usize);
        let counts = pools.iter().filter_map(of);
        counts.map(|counts| counts[availability as usize]).sum()
    }
}

fn count_of(counts: &mut AgentCounts, availability: Availability) -> &mut usize {
    match availability {
        Availability::Available => &mut counts.available,
        Availability::Sleeping => &mut counts.sleeping,
        Availability::Draining => &mut counts.draining,
        Availability::Quarantined => &mut counts.quarantined,
        Availability::Unreachable => &mut counts.unreachable,
        Availability::BreakerOpen => &mut counts.breaker_open,
        Availability::OverBudget => &mut counts.over_budget,
    }
}
