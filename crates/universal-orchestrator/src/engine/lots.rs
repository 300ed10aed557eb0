//! Lots: ready tasks that wait for one thing beside an agent, in queue order.

use std::collections::BTreeMap;

use crate::engine::TaskKey;
use crate::engine::pools::ClassIx;
use crate::engine::queue::{OrderKey, Spot};

/// Ready tasks that wait for the same thing, by class and level.
#[derive(Debug, Default)]
pub(crate) struct Lot {
    waiting: BTreeMap<(ClassIx, u8), BTreeMap<OrderKey, TaskKey>>,
    len: usize,
}

impl Lot {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn park(&mut self, spot: Spot, task: TaskKey) {
        let lane = self.waiting.entry((spot.class, spot.level)).or_default();
        self.len += usize::from(lane.insert(spot.order, task).is_none());
    }

    /// Takes a task out; `false` when it is not here.
    pub(crate) fn remove(&mut self, spot: Spot) -> bool {
        let lane = (spot.class, spot.level);
        let Some(waiting) = self.waiting.get_mut(&lane) else {
            return false;
        };
        let found = waiting.remove(&spot.order).is_some();
        self.len -= usize::from(found);
        if waiting.is_empty() {
            self.waiting.remove(&lane);
        }
        found
    }

    /// Takes out the first of each class and level: each may run now, if an agent is there. The others stay.
    pub(crate) fn representatives(&mut self) -> Vec<(Spot, TaskKey)> {
        let mut first = Vec::with_capacity(self.waiting.len());
        self.waiting.retain(|(class, level), waiting| {
            if let Some((order, task)) = waiting.pop_first() {
                let spot = Spot {
                    class: *class,
                    level: *level,
                    order,
                };
                first.push((spot, task));
            }
            !waiting.is_empty()
        });
        self.len -= first.len();
        first
    }

    /// The tasks that a predicate picks by their class.
    pub(crate) fn tasks_of(&self, picks: impl Fn(ClassIx) -> bool) -> Vec<TaskKey> {
        let lanes = self.waiting.iter().filter(|((class, _), _)| picks(*class));
        lanes
            .flat_map(|(_, tasks)| tasks.values().copied())
            .collect()
    }

    pub(crate) fn classes(&self) -> impl Iterator<Item = ClassIx> + '_ {
        self.waiting.keys().map(|(class, _)| *class)
    }

    /// Applies a move of classes.
    pub(crate) fn move_classes(&mut self, moved: &[Option<ClassIx>]) {
        self.waiting = std::mem::take(&mut self.waiting)
            .into_iter()
            .filter_map(|((class, level), waiting)| {
                Some(((moved[class as usize]?, level), waiting))
            })
            .collect();
    }
}
