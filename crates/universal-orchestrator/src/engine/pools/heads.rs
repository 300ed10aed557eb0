//! The best ready agent of each pool, and where the classes find it.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};

use crate::engine::AgentKey;
use crate::engine::pools::{ClassIx, Lane, PoolIx, Pools, RankKey, Reach};

/// A rank key as one number: compared at once.
pub(super) type Packed = u128;

pub(super) const NONE: Packed = u128::MAX;

impl RankKey {
    pub(super) const fn packed(self) -> Packed {
        (self.rank as u128) << 64 | self.order as u128
    }
}

/// Heads of pools, each at most the true one.
pub(super) type HeadIndex = BinaryHeap<Reverse<(Packed, PoolIx)>>;

/// Classes of at most so many pools look at all heads.
pub(super) const SCANNED: usize = 48;

/// A pool's heads are copied to at most so many classes.
pub(super) const COPIES: usize = 32;

/// An index holds at most so many heads for each pool; all but one of them are out of date.
pub(super) const STALE: usize = 4;

/// Mends the top of an index until it is the true head of its pool.
pub(super) fn true_top(index: &mut HeadIndex, heads: &[Packed]) -> (Packed, PoolIx) {
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
pub(super) fn least(heads: &[Packed]) -> (Packed, usize) {
    let (mut least, mut at) = (NONE, 0);
    for (here, head) in heads.iter().enumerate() {
        let is_less = *head < least;
        least = if is_less { *head } else { least };
        at = if is_less { here } else { at };
    }
    (least, at)
}

impl Pools {
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
            let class = &mut self.classes[*class as usize];
            let Some(index) = &mut class.index[reach as usize] else {
                continue;
            };
            if index.len() < class.pools.len() * STALE {
                index.push(Reverse((head, ix)));
            } else {
                // Nobody has asked for so long: built again when somebody does.
                class.index[reach as usize] = None;
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
    pub(super) fn copy_heads(&mut self, ix: ClassIx) {
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
}
