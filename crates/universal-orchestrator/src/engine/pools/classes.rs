//! Required sets and the pools that satisfy them.

use std::cmp::Reverse;

use crate::engine::AgentKey;
use crate::engine::pools::demand::{Demand, OwnedDemand};
use crate::engine::pools::heads::{HeadIndex, NONE, SCANNED, least, true_top};
use crate::engine::pools::{Class, ClassIx, PoolIx, Pools, Reach};
use crate::id::Capability;

impl Pools {
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
            index: [None, None],
        });
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
        let (head, ix) = if class_state.pools.len() <= SCANNED {
            least(&class_state.pools, heads)
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
            true_top(index, heads)
        };
        if head == NONE {
            return None;
        }
        let pool = &self.pools[ix as usize];
        let best = match (pool.push.first(), reach) {
            (push, Reach::Push) => push,
            (None, Reach::All) => pool.told.first(),
            (push, Reach::All) => push.into_iter().chain(pool.told.first()).min(),
        };
        best.map(|(_, agent)| agent)
    }

    /// Whether a class has a ready agent that can be reached so.
    pub(crate) fn has_ready(&self, class: ClassIx, reach: Reach) -> bool {
        let heads = &self.heads[reach as usize];
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

    /// Every class with what it asks of an agent.
    pub(crate) fn demands(&self) -> impl Iterator<Item = (Demand<'_>, ClassIx)> + '_ {
        self.by_demand
            .iter()
            .map(|(demand, class)| (demand.as_demand(), *class))
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
            pool.classes = pool
                .classes
                .iter()
                .filter_map(|ix| moved[*ix as usize])
                .collect();
        }
        Some(moved)
    }
}
