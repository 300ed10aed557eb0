//! What is due when. Timers are never taken out: one whose reason is gone is skipped when it fires, and swept when there are many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
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

/// A heap of timers, earliest first; equal times fire in the order in which they were set.
#[derive(Default)]
pub(crate) struct Timers {
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
        self.heap.push(Reverse(Entry {
            at,
            sequence: self.sequence,
            timer,
        }));
    }

    pub(crate) fn next_at(&self) -> Option<Stamp> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    pub(crate) fn pop_due(&mut self, now: Stamp) -> Option<Timer> {
        if self.next_at()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.timer)
    }

    pub(crate) fn wants_sweep(&self) -> bool {
        self.heap.len() >= self.sweep_at.max(SWEEP_FROM)
    }

    /// Drops timers whose reason is gone. Called when the heap has doubled, so its cost is constant per timer set.
    pub(crate) fn sweep(&mut self, is_live: impl Fn(&Timer) -> bool) {
        self.heap.retain(|Reverse(entry)| is_live(&entry.timer));
        self.sweep_at = self.heap.len() * 2;
    }
}

impl std::fmt::Debug for Timers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Timers({})", self.heap.len())
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
}
