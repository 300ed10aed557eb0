//! What waits, in its order: a line for what comes in order, a tree for what does not.
//!
//! Tasks mostly come after all that wait, and agents mostly become free in the order in which they were taken.
//! Then coming costs a push and going a pop; out of order, both cost what they cost in the tree.

use std::collections::{BTreeMap, VecDeque};

#[derive(Debug)]
pub(crate) struct Line<K, V> {
    /// In order; the first one waits. `None` in the middle has left.
    line: VecDeque<(K, Option<V>)>,
    /// Those that came before the end of the line.
    early: BTreeMap<K, V>,
    /// Places in the line that were left.
    gaps: usize,
}

impl<K, V> Default for Line<K, V> {
    fn default() -> Self {
        Self {
            line: VecDeque::new(),
            early: BTreeMap::new(),
            gaps: 0,
        }
    }
}

/// So many gaps are never worth closing.
const GAPS_KEPT: usize = 32;

impl<K: Ord + Copy, V: Copy> Line<K, V> {
    /// The one whose turn it is.
    pub(crate) fn first(&self) -> Option<(K, V)> {
        let in_line = self.line.front();
        let in_line = in_line.and_then(|(key, value)| value.map(|value| (*key, value)));
        if self.early.is_empty() {
            return in_line;
        }
        let early = self.early.first_key_value();
        let early = early.map(|(key, value)| (*key, *value));
        match (in_line, early) {
            (Some(a), Some(b)) if b.0 < a.0 => Some(b),
            (None, other) => other,
            (in_line, _) => in_line,
        }
    }

    /// `false` when somebody waits there already; the newer one takes the place.
    pub(crate) fn insert(&mut self, key: K, value: V) -> bool {
        if !self.early.is_empty()
            && let Some(place) = self.early.get_mut(&key)
        {
            *place = value;
            return false;
        }
        if self.line.back().is_none_or(|(last, _)| *last < key) {
            self.line.push_back((key, Some(value)));
            return true;
        }
        if let Some(at) = self.place(key) {
            let left = self.line[at].1.replace(value).is_none();
            self.gaps -= usize::from(left);
            return left;
        }
        self.early.insert(key, value).is_none()
    }

    /// Where in the line a key stands, waiting or left.
    fn place(&self, key: K) -> Option<usize> {
        match self.line.front() {
            Some((first, _)) if *first == key => Some(0),
            Some((first, _)) if *first < key => {
                self.line.binary_search_by_key(&key, |(k, _)| *k).ok()
            }
            _ => None,
        }
    }

    pub(crate) fn get(&self, key: K) -> Option<V> {
        match self.place(key) {
            Some(at) => self.line[at].1,
            None => self.early.get(&key).copied(),
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let Some(at) = self.place(key) else {
            return self.early.remove(&key);
        };
        let value = self.line[at].1.take()?;
        self.gaps += 1;
        while self.line.front().is_some_and(|(_, value)| value.is_none()) {
            self.line.pop_front();
            self.gaps -= 1;
        }
        if self.gaps > GAPS_KEPT && self.gaps * 2 > self.line.len() {
            self.line.retain(|(_, value)| value.is_some());
            self.gaps = 0;
        }
        self.give_room_back();
        Some(value)
    }

    /// What was long once does not hold its room for ever.
    fn give_room_back(&mut self) {
        const ROOM_KEPT: usize = 1024;
        if self.line.capacity() > ROOM_KEPT && self.line.len() < self.line.capacity() / 8 {
            self.line.shrink_to(self.line.capacity() / 4);
        }
    }

    /// All, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, V)> + '_ {
        let in_line = self.line.iter();
        in_line
            .filter_map(|(key, value)| value.map(|value| (*key, value)))
            .chain(self.early.iter().map(|(key, value)| (*key, *value)))
    }
}
