//! What is kept of tasks that are over.

use std::collections::VecDeque;

use crate::clock::Stamp;
use crate::engine::TaskKey;
use crate::id::TaskId;
use crate::task::{DeadLetter, TaskOutcome, TaskRecord, TaskSnapshot};

/// Outcomes that can still be awaited, and dead letters. Both bounded.
#[derive(Debug)]
pub(crate) struct Retention {
    kept: VecDeque<(TaskKey, Stamp)>,
    kept_max: usize,
    age_ms: u64,
    dead: VecDeque<DeadLetter>,
    dead_max: usize,
    /// Dead letters that had to make room.
    pub(crate) dead_dropped: u64,
}

impl Retention {
    pub(crate) fn new(kept_max: usize, age_ms: u64, dead_max: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            kept_max,
            age_ms,
            dead: VecDeque::new(),
            dead_max,
            dead_dropped: 0,
        }
    }

    pub(crate) fn keep(&mut self, task: TaskKey, now: Stamp) {
        self.kept.push_back((task, now));
    }

    /// The next task to forget.
    pub(crate) fn next_old(&mut self, now: Stamp) -> Option<TaskKey> {
        let (_, since) = self.kept.front()?;
        let too_old = self.age_ms > 0 && since.after_ms(self.age_ms) <= now;
        if self.kept.len() > self.kept_max || too_old {
            return self.kept.pop_front().map(|(task, _)| task);
        }
        None
    }

    pub(crate) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Adds a dead letter; returns the one that had to make room.
    pub(crate) fn bury(
        &mut self,
        record: &TaskRecord,
        outcome: &TaskOutcome,
        timestamp_ms: u64,
    ) -> Option<DeadLetter> {
        if self.dead_max == 0 {
            self.dead_dropped += 1;
            return None;
        }
        let task = TaskSnapshot::of(record, tokio::time::Instant::now(), None, None)?;
        self.dead.push_back(DeadLetter {
            task,
            principal: record.principal().clone(),
            outcome: outcome.clone(),
            timestamp_ms,
        });
        self.make_room()
    }

    /// Puts a letter back where it was taken from; returns the one that had to make room.
    pub(crate) fn put_back(&mut self, at: usize, letter: DeadLetter) -> Option<DeadLetter> {
        self.dead.insert(at.min(self.dead.len()), letter);
        self.make_room()
    }

    /// Drops the oldest letter when there is one too many.
    fn make_room(&mut self) -> Option<DeadLetter> {
        if self.dead.len() <= self.dead_max {
            return None;
        }
        self.dead_dropped += 1;
        self.dead.pop_front()
    }

    pub(crate) fn dead(&self) -> impl ExactSizeIterator<Item = &DeadLetter> {
        self.dead.iter()
    }

    /// Takes a letter out; says where it was.
    pub(crate) fn take_dead(&mut self, id: &TaskId) -> Option<(usize, DeadLetter)> {
        let at = self.dead.iter().position(|letter| letter.task.id == *id)?;
        Some((at, self.dead.remove(at)?))
    }
}
