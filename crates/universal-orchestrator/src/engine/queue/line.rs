//! Waiting tasks in their order: a line for those that come in order, a tree for those that do not.
//!
//! With one tenant, and mostly with several, a task comes after all that wait; then it costs a push, and its turn a pop.

use std::collections::{BTreeMap, VecDeque};

use crate::clock::Stamp;
use crate::engine::TaskKey;
use crate::engine::queue::OrderKey;

/// A waiting task and since when it has been ready; `None` in the middle of the line when it has left.
type Waiting = Option<(TaskKey, Stamp)>;

#[derive(Debug, Default)]
pub(super) struct Line {
    /// In order; the first one waits.
    line: VecDeque<(OrderKey, Waiting)>,
    /// Those that came before the end of the line.
    early: BTreeMap<OrderKey, (TaskKey, Stamp)>,
    /// Places in the line that were left.
    gaps: usize,
}

/// So many gaps are never worth closing.
const GAPS_KEPT: usize = 32;

impl Line {
    /// The one whose turn it is.
    pub(super) fn first(&self) -> Option<(OrderKey, TaskKey, Stamp)> {
        let in_line = self.line.front();
        let in_line = in_line.and_then(|(order, waiting)| waiting.map(|(t, s)| (*order, t, s)));
        if self.early.is_empty() {
            return in_line;
        }
        let early = self.early.first_key_value();
        let early = early.map(|(order, (task, since))| (*order, *task, *since));
        match (in_line, early) {
            (Some(a), Some(b)) if b.0 < a.0 => Some(b),
            (None, other) => other,
            (in_line, _) => in_line,
        }
    }

    /// `false` when somebody waits there already; the newer one takes the place.
    pub(super) fn insert(&mut self, order: OrderKey, task: TaskKey, since: Stamp) -> bool {
        if let Some(place) = self.early.get_mut(&order) {
            *place = (task, since);
            return false;
        }
        if self.line.back().is_none_or(|(last, _)| *last < order) {
            self.line.push_back((order, Some((task, since))));
            return true;
        }
        if let Some(at) = self.place(order) {
            let left = self.line[at].1.replace((task, since)).is_none();
            self.gaps -= usize::from(left);
            return left;
        }
        self.early.insert(order, (task, since)).is_none()
    }

    /// Where in the line an order stands, waiting or left.
    fn place(&self, order: OrderKey) -> Option<usize> {
        match self.line.front() {
            Some((first, _)) if *first == order => Some(0),
            Some((first, _)) if *first < order => {
                self.line.binary_search_by_key(&order, |(o, _)| *o).ok()
            }
            _ => None,
        }
    }

    pub(super) fn get(&self, order: OrderKey) -> Option<(TaskKey, Stamp)> {
        match self.place(order) {
            Some(at) => self.line[at].1,
            None => self.early.get(&order).copied(),
        }
    }

    pub(super) fn remove(&mut self, order: OrderKey) -> Option<(TaskKey, Stamp)> {
        let Some(at) = self.place(order) else {
            return self.early.remove(&order);
        };
        let waiting = self.line[at].1.take()?;
        self.gaps += 1;
        while self.line.front().is_some_and(|(_, w)| w.is_none()) {
            self.line.pop_front();
            self.gaps -= 1;
        }
        if self.gaps > GAPS_KEPT && self.gaps * 2 > self.line.len() {
            self.line.retain(|(_, waiting)| waiting.is_some());
            self.gaps = 0;
        }
        self.give_room_back();
        Some(waiting)
    }

    /// A queue that was long once does not hold its room for ever.
    fn give_room_back(&mut self) {
        const ROOM_KEPT: usize = 1024;
        if self.line.capacity() > ROOM_KEPT && self.line.len() < self.line.capacity() / 8 {
            self.line.shrink_to(self.line.capacity() / 4);
        }
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = TaskKey> + '_ {
        let in_line = self.line.iter().filter_map(|(_, waiting)| *waiting);
        in_line
            .chain(self.early.values().copied())
            .map(|(task, _)| task)
    }
}
