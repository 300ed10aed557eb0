//! Agents of one capability set, role and labels form a pool; a required set is a class that maps to the pools that satisfy it.
//!
//! Known elsewhere as auto-clustering (HTCondor). Cost of a decision grows with the number of pools of a class, never with the number of agents.

mod classes;
mod demand;
mod heads;

#[cfg(test)]
mod tests;

pub(crate) use demand::Demand;

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::agent::AgentRole;
use crate::capability::{CapabilitySet, Labels};
use crate::engine::AgentKey;
use crate::engine::line::Line;
use crate::engine::pools::demand::OwnedDemand;
use crate::engine::pools::heads::{HeadIndex, NONE, Packed};
use crate::id::Capability;

/// The order in which a policy takes agents: rank first, then the least recently assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RankKey {
    pub(crate) rank: u64,
    pub(crate) order: u64,
}

/// Which ready agents a decision may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those that the queue may push to.
    Push = 0,
    /// All of them.
    All = 1,
}

pub(crate) type PoolIx = u32;
pub(crate) type ClassIx = u32;

/// How a ready agent can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// In-process agents, and external ones that wait in `next_task`: the queue may push to them.
    Push,
    /// External agents that wait nowhere: only `delegate_task` binds them.
    Told,
}

#[derive(Debug, PartialEq, Eq, Hash, Clone)]
struct Signature {
    capabilities: CapabilitySet,
    role: AgentRole,
    labels: Labels,
}

/// Agents that routing cannot tell apart.
#[derive(Debug)]
pub(crate) struct Pool {
    signature: Signature,
    pub(crate) members: u32,
    pub(crate) slots: u64,
    push: Line<RankKey, AgentKey>,
    told: Line<RankKey, AgentKey>,
    pub(crate) classes: Vec<ClassIx>,
    /// Those of its classes that keep an index of heads.
    indexed: Vec<ClassIx>,
}

impl Pool {
    pub(crate) const fn capabilities(&self) -> &CapabilitySet {
        &self.signature.capabilities
    }

    pub(crate) const fn labels(&self) -> &Labels {
        &self.signature.labels
    }

    fn lane(&mut self, lane: Lane) -> &mut Line<RankKey, AgentKey> {
        match lane {
            Lane::Push => &mut self.push,
            Lane::Told => &mut self.told,
        }
    }

    /// Ready agents within reach, in no particular order.
    pub(crate) fn ready(&self, reach: Reach) -> impl Iterator<Item = (RankKey, AgentKey)> + '_ {
        let told = (reach == Reach::All).then_some(&self.told);
        self.push
            .iter()
            .chain(told.into_iter().flat_map(Line::iter))
    }
}

/// A required set with the pools that satisfy it.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) pools: Vec<PoolIx>,
    /// How many of its required capabilities are paused.
    pub(crate) paused: u32,
    /// Heaps of the pools' heads, kept when there are many pools.
    index: [Option<HeadIndex>; 2],
}

/// Pools, classes and the heads of the pools' ready orders.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    pools: Vec<Pool>,
    free_pools: Vec<PoolIx>,
    by_signature: HashMap<Signature, PoolIx>,
    /// Best ready agent of each pool: that the queue may push to, and of all.
    heads: [Vec<Packed>; 2],
    classes: Vec<Class>,
    by_demand: HashMap<OwnedDemand, ClassIx>,
    pools_with: HashMap<Capability, Vec<PoolIx>>,
    agents_with: BTreeMap<Capability, usize>,
    empty: usize,
}

impl Pools {
    pub(crate) fn pool(&self, ix: PoolIx) -> &Pool {
        &self.pools[ix as usize]
    }

    pub(crate) fn class(&self, ix: ClassIx) -> &Class {
        &self.classes[ix as usize]
    }

    pub(crate) fn class_count(&self) -> usize {
        self.classes.len()
    }

    pub(crate) fn agents_with(&self) -> &BTreeMap<Capability, usize> {
        &self.agents_with
    }

    /// The first required capability that no agent has.
    pub(crate) fn missing(&self, required: &CapabilitySet) -> Option<Capability> {
        required
            .iter()
            .find(|c| !self.agents_with.contains_key(*c))
            .cloned()
    }

    /// A capability of an agent that differs from this one in upper and lower case alone.
    pub(crate) fn in_other_case(&self, capability: &Capability) -> Option<Capability> {
        fn lower(name: &Capability) -> impl Iterator<Item = char> + '_ {
            name.as_str().chars().flat_map(char::to_lowercase)
        }
        let mut known = self.agents_with.keys();
        known
            .find(|known| lower(known).eq(lower(capability)))
            .cloned()
    }

    /// Counts an agent into the pool of its signature.
    pub(crate) fn join(
        &mut self,
        capabilities: &CapabilitySet,
        role: AgentRole,
        labels: &Labels,
        slots: u32,
    ) -> PoolIx {
        let signature = Signature {
            capabilities: capabilities.clone(),
            role,
            labels: labels.clone(),
        };
        for capability in capabilities.iter() {
            match self.agents_with.get_mut(capability) {
                Some(count) => *count += 1,
                None => {
                    self.agents_with.insert(capability.clone(), 1);
                }
            }
        }
        let ix = match self.by_signature.get(&signature) {
            Some(ix) => {
                if self.pools[*ix as usize].members == 0 {
                    self.empty -= 1;
                }
                *ix
            }
            None => self.new_pool(signature),
        };
        let pool = &mut self.pools[ix as usize];
        pool.members += 1;
        pool.slots += u64::from(slots);
        ix
    }

    fn new_pool(&mut self, signature: Signature) -> PoolIx {
        self.sweep();
        let ix = self.free_pools.pop().unwrap_or(self.pools.len() as PoolIx);
        for capability in signature.capabilities.iter() {
            self.pools_with.entry_ref(capability).or_default().push(ix);
        }
        let mut classes = Vec::new();
        for (demand, class) in &self.by_demand {
            if demand.as_demand().is_met_by(
                &signature.capabilities,
                signature.role,
                &signature.labels,
            ) {
                classes.push(*class);
            }
        }
        classes.sort_unstable();
        for class in &classes {
            let class = &mut self.classes[*class as usize];
            class.pools.push(ix);
            // Built again on its next use, with this pool.
            class.index = [None, None];
        }
        self.by_signature.insert(signature.clone(), ix);
        let pool = Pool {
            signature,
            members: 0,
            slots: 0,
            push: Line::default(),
            told: Line::default(),
            classes,
            indexed: Vec::new(),
        };
        if ix as usize == self.pools.len() {
            self.pools.push(pool);
            for heads in &mut self.heads {
                heads.push(NONE);
            }
        } else {
            self.pools[ix as usize] = pool;
        }
        ix
    }

    /// Forgets empty pools when there are many, so that signatures that come and go do not pile up.
    fn sweep(&mut self) {
        const EMPTY_KEPT: usize = 256;
        if self.empty <= EMPTY_KEPT || self.empty * 2 < self.by_signature.len() {
            return;
        }
        let pools = &self.pools;
        let mut gone: Vec<PoolIx> = Vec::new();
        self.by_signature.retain(|_, ix| {
            let keep = pools[*ix as usize].members > 0;
            if !keep {
                gone.push(*ix);
            }
            keep
        });
        gone.sort_unstable();
        let is_gone = |ix: &PoolIx| gone.binary_search(ix).is_ok();
        for class in &mut self.classes {
            class.pools.retain(|ix| !is_gone(ix));
            class.index = [None, None];
        }
        self.pools_with.retain(|_, pools| {
            pools.retain(|ix| !is_gone(ix));
            !pools.is_empty()
        });
        for ix in &gone {
            self.pools[*ix as usize].classes.clear();
            self.pools[*ix as usize].indexed.clear();
        }
        self.free_pools.extend(gone);
        self.empty = 0;
    }

    /// Counts an agent out of its pool.
    pub(crate) fn leave(&mut self, ix: PoolIx, slots: u32) {
        let pool = &mut self.pools[ix as usize];
        pool.members -= 1;
        pool.slots -= u64::from(slots);
        if pool.members == 0 {
            self.empty += 1;
        }
        for capability in pool.signature.capabilities.iter() {
            if let Some(count) = self.agents_with.get_mut(capability) {
                *count -= 1;
                if *count == 0 {
                    self.agents_with.remove(capability);
                }
            }
        }
    }

    pub(crate) fn change_slots(&mut self, ix: PoolIx, before: u32, after: u32) {
        let pool = &mut self.pools[ix as usize];
        pool.slots = pool.slots - u64::from(before) + u64::from(after);
    }
}
