//! What is due when. Timers are never taken out: one whose reason is gone is skipped when it fires, and swept when there are many.
//!
//! Most timers are set for the same time ahead, one after the other (the timeout of attempts, leases): those come in the order in which they are
//! due and stand in a line. All others stand in a heap.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use crate::agent::AttemptCell;
use crate::clock::Stamp;
use crate::engine::{AgentKey, TaskKey};
use crate::id::Key;

/// Why something is due.
#[derive(Debug, Clone)]
pub(crate) enum Timer {
    /// A delayed task may run.
    Due(TaskKey),
    /// A task's deadline.
    Deadline(TaskKey),
    /// An attempt's timeout.
    Attempt(TaskKey, u32),
    /// An attempt's idle timeout.
    Idle(TaskKey, u32),
    /// A lease.
    Lease(TaskKey, u32),
    /// The end of the grace after a cancellation: drop the future.
    Abort(Arc<AttemptCell>),
    /// The end of an external zombie.
    ZombieLease(TaskKey, u32),
    /// A heartbeat.
    Heartbeat(AgentKey),
    /// An open breaker lets probes through.
    Breaker(AgentKey),
    /// A queued task that nobody can do.
    Unroutable(TaskKey),
    /// A rate-limited key has a token again.
    KeyRate(Key),
}

impl Timer {
    /// Of the kind of which every attempt sets one.
    const fn is_usual(&self) -> bool {
        matches!(self, Self::Attempt(..) | Self::Lease(..))
    }
}

struct Entry {
    at: Stamp,
    sequence: u64,
    timer: Timer,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// Timers, earliest first; equal times fire in the order in which they were set.
#[derive(Default)]
pub(crate) struct Timers {
    /// Those that were set for no earlier than the last of the line.
    line: VecDeque<Entry>,
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    sweep_at: usize,
}

const SWEEP_FROM: usize = 4096;

impl Timers {
    pub(crate) fn set(&mut self, at: Stamp, timer: Timer) {
        if at == Stamp::NEVER {
            return;
        }
        self.sequence += 1;
        let entry = Entry {
            at,
            sequence: self.sequence,
            timer,
        };
        // One of another kind may lie far ahead and would keep all that follow out of the line.
        let follows = self.line.back().is_none_or(|last| last.at <= at);
        if follows && entry.timer.is_usual() {
            self.line.push_back(entry);
        } else {
            self.heap.push(Reverse(entry));
        }
    }

    fn line_is_first(&self) -> bool {
        match (self.line.front(), self.heap.peek()) {
            (Some(line), Some(Reverse(heap))) => line < heap,
            (line, _) => line.is_some(),
        }
    }

    pub(crate) fn next_at(&self) -> Option<Stamp> {
        let line = self.line.front().map(|entry| entry.at);
        let heap = self.heap.peek().map(|Reverse(entry)| entry.at);
        line.into_iter().chain(heap).min()
    }

    pub(crate) fn pop_due(&mut self, now: Stamp) -> Option<Timer> {
        if self.next_at()? > now {
            return None;
        }
        let first = if self.line_is_first() {
            self.line.pop_front()
        } else {
            self.heap.pop().map(|Reverse(entry)| entry)
        };
        first.map(|entry| entry.timer)
    }

    pub(crate) fn wants_sweep(&self) -> bool {
        self.line.len() + self.heap.len() >= self.sweep_at.max(SWEEP_FROM)
    }

    /// Drops timers whose reason is gone. Called when their number has doubled, so its cost is constant per timer set.
    pub(crate) fn sweep(&mut self, is_live: impl Fn(&Timer) -> bool) {
        self.line.retain(|entry| is_live(&entry.timer));
        self.heap.retain(|Reverse(entry)| is_live(&entry.timer));
        self.sweep_at = (self.line.len() + self.heap.len()) * 2;
    }
}

impl std::fmt::Debug for Timers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Timers({})", self.line.len() + self.heap.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_fire_in_the_order_they_were_set() {
        let mut timers = Timers::default();
        for (at, key) in [(2, "c"), (1, "a"), (1, "b"), (3, "d")] {
            timers.set(Stamp(at), Timer::KeyRate(Key::new(key).unwrap()));
        }
        let mut fired = Vec::new();
        while let Some(Timer::KeyRate(key)) = timers.pop_due(Stamp(2)) {
            fired.push(key.to_string());
        }
        assert_eq!(fired, ["a", "b", "c"]);
        assert_eq!(timers.next_at(), Some(Stamp(3)));
    }

    #[test]
    fn line_and_heap_fire_as_one() {
        let mut timers = Timers::default();
        let task = TaskKey::default();
        for (at, attempt) in [(5, 1), (5, 2), (3, 3), (9, 4), (7, 5), (9, 6), (5, 7)] {
            timers.set(Stamp(at), Timer::Attempt(task, attempt));
        }
        timers.set(Stamp(5), Timer::Idle(task, 8));
        let mut fired = Vec::new();
        while let Some(Timer::Attempt(_, n) | Timer::Idle(_, n)) = timers.pop_due(Stamp(9)) {
            fired.push(n);
        }
        assert_eq!(fired, [3, 1, 2, 7, 8, 5, 4, 6]);
        assert_eq!(timers.next_at(), None);
    }
}
