//! The best ready agent of each pool, and where the classes find it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::engine::AgentKey;
use crate::engine::line::Line;
use crate::engine::pools::{Lane, PoolIx, Pools, RankKey, Reach};

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

/// The pool with the least head. Without a branch that could be mispredicted: any of them may be the least.
pub(super) fn least(pools: &[PoolIx], heads: &[Packed]) -> (Packed, PoolIx) {
    let (mut least, mut of) = (NONE, 0);
    for pool in pools {
        let head = heads[*pool as usize];
        let is_less = head < least;
        least = if is_less { head } else { least };
        of = if is_less { *pool } else { of };
    }
    (least, of)
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
        self.heads[reach as usize][ix as usize] = head;
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

    /// Takes an agent out of its pool's ready order.
    pub(crate) fn remove(&mut self, ix: PoolIx, lane: Lane, rank: RankKey) {
        let pool = &mut self.pools[ix as usize];
        pool.lane(lane).remove(rank);
        let first =
            |line: &Line<RankKey, AgentKey>| line.first().map_or(NONE, |(rank, _)| rank.packed());
        let (push, told) = (first(&pool.push), first(&pool.told));
        if lane == Lane::Push {
            self.heads[Reach::Push as usize][ix as usize] = push;
        }
        self.heads[Reach::All as usize][ix as usize] = push.min(told);
    }
}
