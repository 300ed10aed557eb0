//! Batches by key, at most so many; the rest shares one.

use std::hash::Hash;

use hashbrown::HashMap;

use crate::collect::Batch;

/// The place of the batch of everything that has none of its own.
const OTHER: usize = 0;

/// Batches by key, at most so many; the rest shares one.
#[derive(Debug)]
pub(crate) struct Table<K> {
    places: HashMap<K, usize>,
    batches: Vec<Batch>,
    free: Vec<usize>,
    max: usize,
    untracked: u64,
}

impl<K: Eq + Hash + Clone> Table<K> {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            places: HashMap::new(),
            batches: vec![Batch::empty()],
            free: Vec::new(),
            max,
            untracked: 0,
        }
    }

    /// The batch of a key. Allocates for a key that is new, and for no other.
    pub(crate) fn batch(&mut self, key: &K) -> &mut Batch {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None => self.place_for(key),
        };
        &mut self.batches[place]
    }

    #[cold]
    fn place_for(&mut self, key: &K) -> usize {
        if self.places.len() >= self.max {
            self.untracked += 1;
            return OTHER;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.batches.push(Batch::empty());
            self.batches.len() - 1
        });
        self.places.insert(key.clone(), place);
        place
    }

    /// Takes what was written, and leaves empty batches. The key of the shared batch is `None`.
    pub(crate) fn take(&mut self, mut spare: impl FnMut() -> Batch) -> Vec<(Option<K>, Batch)> {
        let own = self.places.iter().map(|(key, place)| (Some(key), *place));
        let mut taken = Vec::new();
        for (key, place) in own.chain(std::iter::once((None, OTHER))) {
            if self.batches[place].is_dirty() {
                let batch = std::mem::replace(&mut self.batches[place], spare());
                taken.push((key.cloned(), batch));
            }
        }
        taken
    }

    /// Gives the place of a key away, unless something was written in the meantime.
    pub(crate) fn forget(&mut self, key: &K) {
        if let Some(place) = self.places.get(key).copied()
            && !self.batches[place].is_dirty()
        {
            self.places.remove(key);
            self.free.push(place);
        }
    }

    /// Observations that went to the shared batch.
    pub(crate) const fn untracked(&self) -> u64 {
        self.untracked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Ended;

    #[test]
    fn what_comes_after_the_limit_shares_a_batch_and_is_counted() {
        let mut table: Table<u32> = Table::new(2);
        for key in [1, 2, 3, 4, 1] {
            table.batch(&key).ended(Ended::Succeeded, None, false);
        }
        assert_eq!(table.untracked(), 2);
        let mut taken: Vec<_> = table
            .take(Batch::empty)
            .into_iter()
            .map(|(key, batch)| (key, batch.tally.succeeded))
            .collect();
        taken.sort_unstable();
        assert_eq!(taken, [(None, 2), (Some(1), 2), (Some(2), 1)]);
        assert!(table.take(Batch::empty).is_empty());
    }

    #[test]
    fn a_forgotten_key_makes_room_unless_it_was_used_again() {
        let mut table: Table<u32> = Table::new(1);
        table.batch(&1).retried();
        table.forget(&1);
        table.batch(&2).retried();
        assert_eq!(table.untracked(), 1, "key 1 had something in it");
        table.take(Batch::empty);
        table.forget(&1);
        table.batch(&2).retried();
        assert_eq!(table.untracked(), 1);
    }
}
