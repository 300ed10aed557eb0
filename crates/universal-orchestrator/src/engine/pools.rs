//! Agents of one capability set, role and labels form a pool; a required set is a class that maps to the pools that satisfy it.
//!
//! Known elsewhere as auto-clustering (HTCondor). Cost of a decision grows with the number of pools of a class, never with the number of agents.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};
use std::hash::{Hash, Hasher};

use hashbrown::{Equivalent, HashMap};

use crate::agent::AgentRole;
use crate::capability::{CapabilitySet, Labels};
use crate::engine::AgentKey;
use crate::id::Capability;

/// The order in which a policy takes agents: rank first, then the least recently assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RankKey {
    pub(crate) rank: u64,
    pub(crate) order: u64,
}

/// A rank key as one number: compared at once.
type Packed = u128;

const NONE: Packed = u128::MAX;

impl RankKey {
    const fn packed(self) -> Packed {
        (self.rank as u128) << 64 | self.order as u128
    }
}

/// Heads of pools, each at most the true one.
type HeadIndex = BinaryHeap<Reverse<(Packed, PoolIx)>>;

/// Classes of at most so many pools look at all heads.
const SCANNED: usize = 48;

/// A pool's heads are copied to at most so many classes.
const COPIES: usize = 32;

/// Which ready agents a decision may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those that the queue may push to.
    Push = 0,
    /// All of them.
    All = 1,
}

/// Mends the top of an index until it is the true head of its pool.
fn true_top(index: &mut HeadIndex, heads: &[Packed]) -> (Packed, PoolIx) {
    while let Some(mut top) = index.peek_mut() {
        let Reverse((head, ix)) = *top;
        let now = heads[ix as usize];
        if now == head {
            return (head, ix);
        }
        if now == NONE {
            PeekMut::pop(top);
        } else {
            *top = Reverse((now, ix));
        }
    }
    (NONE, 0)
}

/// The least of some heads and where it stands. Without a branch that could be mispredicted: any of them may be the least.
fn least(heads: &[Packed]) -> (Packed, usize) {
    let (mut least, mut at) = (NONE, 0);
    for (here, head) in heads.iter().enumerate() {
        let is_less = *head < least;
        least = if is_less { *head } else { least };
        at = if is_less { here } else { at };
    }
    (least, at)
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
    push: BTreeMap<RankKey, AgentKey>,
    told: BTreeMap<RankKey, AgentKey>,
    pub(crate) classes: Vec<ClassIx>,
    /// Those of its classes that keep a copy of its heads, and where.
    copied: Vec<(ClassIx, u32)>,
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

    fn lane(&mut self, lane: Lane) -> &mut BTreeMap<RankKey, AgentKey> {
        match lane {
            Lane::Push => &mut self.push,
            Lane::Told => &mut self.told,
        }
    }

    /// Ready agents within reach.
    pub(crate) fn ready(&self, reach: Reach) -> impl Iterator<Item = (RankKey, AgentKey)> + '_ {
        let told = (reach == Reach::All).then_some(&self.told);
        let both = self.push.iter().chain(told.into_iter().flatten());
        both.map(|(rank, key)| (*rank, *key))
    }
}

/// What a task asks of an agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand<'a> {
    pub(crate) required: &'a CapabilitySet,
    pub(crate) role: Option<AgentRole>,
    pub(crate) labels: &'a Labels,
}

impl Demand<'_> {
    pub(crate) fn is_met_by(
        &self,
        capabilities: &CapabilitySet,
        role: AgentRole,
        labels: &Labels,
    ) -> bool {
        self.role.is_none_or(|r| r == role)
            && capabilities.contains_all(self.required)
            && (self.labels.is_empty() || labels.contains_all(self.labels))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OwnedDemand {
    pub(crate) required: CapabilitySet,
    pub(crate) role: Option<AgentRole>,
    pub(crate) labels: Labels,
}

impl OwnedDemand {
    pub(crate) const fn as_demand(&self) -> Demand<'_> {
        Demand {
            required: &self.required,
            role: self.role,
            labels: &self.labels,
        }
    }
}

impl Hash for Demand<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.required.hash(state);
        state.write_u8(self.role.map_or(u8::MAX, |r| r as u8));
    }
}

impl Hash for OwnedDemand {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_demand().hash(state);
    }
}

impl Equivalent<OwnedDemand> for Demand<'_> {
    fn equivalent(&self, key: &OwnedDemand) -> bool {
        self.role == key.role && *self.required == key.required && *self.labels == key.labels
    }
}

/// A required set with the pools that satisfy it.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) pools: Vec<PoolIx>,
    /// How many of its required capabilities are paused.
    pub(crate) paused: u32,
    /// The pools' heads side by side, kept when there are few pools and none of them has many classes.
    copies: Option<Box<[Vec<Packed>; 2]>>,
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
        let joined = classes.clone();
        self.by_signature.insert(signature.clone(), ix);
        let pool = Pool {
            signature,
            members: 0,
            slots: 0,
            push: BTreeMap::new(),
            told: BTreeMap::new(),
            classes,
            copied: Vec::new(),
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
        for class in joined {
            self.copy_heads(class);
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
            class.copies = None;
        }
        self.pools_with.retain(|_, pools| {
            pools.retain(|ix| !is_gone(ix));
            !pools.is_empty()
        });
        for ix in &gone {
            self.pools[*ix as usize].classes.clear();
            self.pools[*ix as usize].indexed.clear();
            self.pools[*ix as usize].copied.clear();
        }
        self.free_pools.extend(gone);
        self.empty = 0;
        for pool in &mut self.pools {
            pool.copied.clear();
        }
        for class in 0..self.classes.len() {
            self.copy_heads(class as ClassIx);
        }
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

    /// Puts an agent into its pool's ready order.
    pub(crate) fn insert(&mut self, ix: PoolIx, lane: Lane, rank: RankKey, agent: AgentKey) {
        let pool = &mut self.pools[ix as usize];
        pool.lane(lane).insert(rank, agent);
        let head = rank.packed();
        if lane == Lane::Push {
            self.lower(ix, Reach::Push, head);
        }
        self.lower(ix, Reach::All, head);
    }

    /// A pool may have a better head: tells the classes that keep an index of heads.
    fn lower(&mut self, ix: PoolIx, reach: Reach, head: Packed) {
        if head >= self.heads[reach as usize][ix as usize] {
            return;
        }
        self.set_head(ix, reach, head);
        for class in &self.pools[ix as usize].indexed {
            if let Some(index) = &mut self.classes[*class as usize].index[reach as usize] {
                index.push(Reverse((head, ix)));
            }
        }
    }

    fn set_head(&mut self, ix: PoolIx, reach: Reach, head: Packed) {
        self.heads[reach as usize][ix as usize] = head;
        for (class, at) in &self.pools[ix as usize].copied {
            if let Some(copies) = &mut self.classes[*class as usize].copies {
                copies[reach as usize][*at as usize] = head;
            }
        }
    }

    /// Keeps the heads of a class's pools side by side, if it has few pools and none of them has many such classes.
    fn copy_heads(&mut self, ix: ClassIx) {
        let class = &mut self.classes[ix as usize];
        for pool in &class.pools {
            self.pools[*pool as usize]
                .copied
                .retain(|(class, _)| *class != ix);
        }
        class.copies = None;
        let few = class.pools.len() <= SCANNED;
        if !few
            || class
                .pools
                .iter()
                .any(|p| self.pools[*p as usize].copied.len() >= COPIES)
        {
            return;
        }
        for (at, pool) in class.pools.iter().enumerate() {
            self.pools[*pool as usize].copied.push((ix, at as u32));
        }
        let copy = |heads: &Vec<Packed>| class.pools.iter().map(|p| heads[*p as usize]).collect();
        class.copies = Some(Box::new([copy(&self.heads[0]), copy(&self.heads[1])]));
    }

    /// Takes an agent out of its pool's ready order.
    pub(crate) fn remove(&mut self, ix: PoolIx, lane: Lane, rank: RankKey) {
        let pool = &mut self.pools[ix as usize];
        pool.lane(lane).remove(&rank);
        let first = |map: &BTreeMap<RankKey, AgentKey>| {
            map.first_key_value()
                .map_or(NONE, |(rank, _)| rank.packed())
        };
        let (push, told) = (first(&pool.push), first(&pool.told));
        if lane == Lane::Push {
            self.set_head(ix, Reach::Push, push);
        }
        self.set_head(ix, Reach::All, push.min(told));
    }

    /// The class of a demand, made on first use.
    pub(crate) fn class_of(
        &mut self,
        demand: Demand<'_>,
        paused: impl Fn(&Capability) -> bool,
    ) -> ClassIx {
        if let Some(ix) = self.by_demand.get(&demand) {
            return *ix;
        }
        let ix = self.classes.len() as ClassIx;
        let pools = self.pools_of(&demand);
        for pool in &pools {
            self.pools[*pool as usize].classes.push(ix);
        }
        self.classes.push(Class {
            pools,
            paused: demand.required.iter().filter(|c| paused(c)).count() as u32,
            copies: None,
            index: [None, None],
        });
        self.copy_heads(ix);
        self.by_demand.insert(
            OwnedDemand {
                required: demand.required.clone(),
                role: demand.role,
                labels: demand.labels.clone(),
            },
            ix,
        );
        ix
    }

    /// Pools that satisfy a demand, found through its rarest capability.
    fn pools_of(&self, demand: &Demand<'_>) -> Vec<PoolIx> {
        let rarest = demand
            .required
            .iter()
            .map(|c| self.pools_with.get(c).map_or(&[][..], Vec::as_slice))
            .min_by_key(|pools| pools.len());
        let meets = |ix: &PoolIx| {
            let s = &self.pools[*ix as usize].signature;
            demand.is_met_by(&s.capabilities, s.role, &s.labels)
        };
        let mut pools: Vec<PoolIx> = match rarest {
            Some(pools) => pools.iter().copied().filter(meets).collect(),
            None => self.by_signature.values().copied().filter(meets).collect(),
        };
        pools.sort_unstable();
        pools
    }

    /// The best ready agent of a class.
    ///
    /// A class of few pools looks at the head of each.
    /// One of many keeps a heap of heads that are never above the true ones, and mends its top until it is true.
    pub(crate) fn best(&mut self, class: ClassIx, reach: Reach) -> Option<AgentKey> {
        let heads = &self.heads[reach as usize];
        let class_state = &mut self.classes[class as usize];
        let (head, ix) = if let Some(copies) = &class_state.copies {
            let (head, at) = least(&copies[reach as usize]);
            (head, class_state.pools.get(at).copied().unwrap_or_default())
        } else if class_state.pools.len() <= SCANNED {
            let mut best = (NONE, 0);
            for ix in &class_state.pools {
                let head = heads[*ix as usize];
                if head < best.0 {
                    best = (head, *ix);
                }
            }
            best
        } else {
            if class_state.index[reach as usize].is_none() {
                for ix in &class_state.pools {
                    let indexed = &mut self.pools[*ix as usize].indexed;
                    if !indexed.contains(&class) {
                        indexed.push(class);
                    }
                }
            }
            let pools = &class_state.pools;
            let rebuild = || -> HeadIndex {
                let ready = pools.iter().map(|ix| Reverse((heads[*ix as usize], *ix)));
                ready.filter(|Reverse((head, _))| *head != NONE).collect()
            };
            let index = class_state.index[reach as usize].get_or_insert_with(rebuild);
            if index.len() > pools.len() * 4 {
                *index = rebuild();
            }
            true_top(index, heads)
        };
        if head == NONE {
            return None;
        }
        let pool = &self.pools[ix as usize];
        let of = |map: &BTreeMap<RankKey, AgentKey>| {
            map.first_key_value().map(|(rank, agent)| (*rank, *agent))
        };
        let told = if reach == Reach::All {
            of(&pool.told)
        } else {
            None
        };
        let best = of(&pool.push)
            .into_iter()
            .chain(told)
            .min_by_key(|(rank, _)| *rank);
        best.map(|(_, agent)| agent)
    }

    /// Whether a class has a ready agent that the queue may push to.
    pub(crate) fn has_ready(&self, class: ClassIx) -> bool {
        let heads = &self.heads[Reach::Push as usize];
        self.classes[class as usize]
            .pools
            .iter()
            .any(|ix| heads[*ix as usize] != NONE)
    }

    /// How many agents of a class are registered, whatever they do.
    pub(crate) fn members(&self, class: ClassIx) -> u32 {
        let pools = &self.classes[class as usize].pools;
        pools
            .iter()
            .map(|ix| self.pools[*ix as usize].members)
            .sum()
    }

    pub(crate) fn has_member(&self, class: ClassIx) -> bool {
        let pools = &self.classes[class as usize].pools;
        pools.iter().any(|ix| self.pools[*ix as usize].members > 0)
    }

    /// Slots of all agents of a class.
    pub(crate) fn slots(&self, class: ClassIx) -> u64 {
        let pools = &self.classes[class as usize].pools;
        pools.iter().map(|ix| self.pools[*ix as usize].slots).sum()
    }

    /// Counts a paused capability into, or out of, the classes that require it; returns those classes.
    pub(crate) fn pause(&mut self, capability: &Capability, pause: bool) -> Vec<ClassIx> {
        let mut touched: Vec<ClassIx> = self
            .by_demand
            .iter()
            .filter(|(demand, _)| demand.required.contains(capability.as_str()))
            .map(|(_, ix)| *ix)
            .collect();
        touched.sort_unstable();
        for ix in &touched {
            let class = &mut self.classes[*ix as usize];
            class.paused = if pause {
                class.paused + 1
            } else {
                class.paused.saturating_sub(1)
            };
        }
        touched
    }

    /// Forgets classes that nobody uses, when there are many; `in_use` says which must stay.
    pub(crate) fn forget_classes(
        &mut self,
        in_use: impl Fn(ClassIx) -> bool,
    ) -> Option<Vec<Option<ClassIx>>> {
        const CLASSES_KEPT: usize = 4096;
        if self.classes.len() <= CLASSES_KEPT {
            return None;
        }
        let mut moved: Vec<Option<ClassIx>> = vec![None; self.classes.len()];
        let mut kept: Vec<Class> = Vec::new();
        for (ix, class) in std::mem::take(&mut self.classes).into_iter().enumerate() {
            if in_use(ix as ClassIx) {
                moved[ix] = Some(kept.len() as ClassIx);
                kept.push(Class {
                    copies: None,
                    index: [None, None],
                    ..class
                });
            }
        }
        self.classes = kept;
        self.by_demand.retain(|_, ix| match moved[*ix as usize] {
            Some(new) => {
                *ix = new;
                true
            }
            None => false,
        });
        for pool in &mut self.pools {
            pool.indexed.clear();
            pool.copied.clear();
            pool.classes = pool
                .classes
                .iter()
                .filter_map(|ix| moved[*ix as usize])
                .collect();
        }
        for class in 0..self.classes.len() {
            self.copy_heads(class as ClassIx);
        }
        Some(moved)
    }
}
