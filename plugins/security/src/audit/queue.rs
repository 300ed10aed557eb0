//! Between hooks and the writer: bounded, never waited for by a hook.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::audit::{AuditError, Entry};
use crate::refusal::Code;

/// Somebody who waits until everything before was written and synced.
pub(super) type Waiter = SyncSender<Result<(), AuditError>>;

#[derive(Debug)]
pub(super) struct Queue {
    max: usize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    /// Entries that found no room since the last batch.
    lost: u64,
    waiters: Vec<Waiter>,
    stops: bool,
    /// Whether the writer sleeps until it is woken.
    is_idle: bool,
}

/// What the writer takes at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) lost: u64,
    pub(super) waiters: Vec<Waiter>,
    pub(super) stops: bool,
}

impl Queue {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            state: Mutex::new(State::default()),
            wake: Condvar::new(),
        }
    }

    /// Takes an entry; `false` when there is no room, which is counted and told in the log.
    pub(super) fn push(&self, entry: Entry) -> bool {
        // Refusals get three quarters of the room: who is refused cannot bring it about that nobody is let in, for want of a place for the entry.
        let max = match entry.code {
            Code::Allowed => self.max,
            _ => self.max - self.max / 4,
        };
        let mut state = self.state.lock();
        if state.entries.len() >= max || state.stops {
            state.lost += 1;
            return false;
        }
        state.entries.push(entry);
        // The writer gathers for a moment after each batch, so that one wake-up serves many entries; a half-full queue does not wait for it.
        let wakes = state.is_idle || state.entries.len() == self.max / 2;
        state.is_idle = false;
        drop(state);
        if wakes {
            self.wake.notify_one();
        }
        true
    }

    pub(super) fn wait_for(&self, waiter: Waiter) {
        self.state.lock().waiters.push(waiter);
        self.wake.notify_one();
    }

    pub(super) fn stop(&self) {
        self.state.lock().stops = true;
        self.wake.notify_one();
    }

    /// Waits until there is something or `time` has passed, and takes it into `batch`, whose room is used again.
    pub(super) fn take(&self, batch: &mut Batch, time: Option<Duration>) {
        let mut state = self.state.lock();
        if state.nothing() {
            state.is_idle = true;
            match time {
                Some(time) => drop(self.wake.wait_for(&mut state, time)),
                None => self.wake.wait(&mut state),
            }
            state.is_idle = false;
        }
        std::mem::swap(&mut batch.entries, &mut state.entries);
        batch.lost = std::mem::take(&mut state.lost);
        batch.waiters = std::mem::take(&mut state.waiters);
        batch.stops = state.stops;
    }

    /// Waits until somebody waits, the log is stopped, or `time` has passed.
    pub(super) fn wait_for_call(&self, time: Duration) {
        let mut state = self.state.lock();
        if state.waiters.is_empty() && !state.stops {
            let _ = self.wake.wait_for(&mut state, time);
        }
    }

    /// Who waits, and whether the log is stopped.
    pub(super) fn calls(&self) -> (Vec<Waiter>, bool) {
        let mut state = self.state.lock();
        (std::mem::take(&mut state.waiters), state.stops)
    }

    /// Lets entries gather, unless somebody waits for them.
    pub(super) fn gather(&self, time: Duration) {
        let mut state = self.state.lock();
        if state.waiters.is_empty() && !state.stops && state.entries.len() < self.max / 2 {
            let _ = self.wake.wait_for(&mut state, time);
        }
    }
}

impl State {
    fn nothing(&self) -> bool {
        self.entries.is_empty() && self.lost == 0 && self.waiters.is_empty() && !self.stops
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::audit::{Detail, Event, Subject};

    #[test]
    fn refusals_leave_room_for_what_is_let_in() {
        let queue = Queue::new(16);
        let entry = |code| Entry {
            code,
            ..Entry::own(
                SystemTime::UNIX_EPOCH,
                Event::SubmitTask,
                Subject::None,
                Detail::None,
            )
        };
        let push = |code| (0..99).filter(|_| queue.push(entry(code))).count();
        assert_eq!(push(Code::Unauthenticated), 12);
        assert_eq!(push(Code::Allowed), 4);
        let mut batch = Batch::default();
        queue.take(&mut batch, None);
        assert_eq!((batch.entries.len(), batch.lost), (16, 87 + 95));
    }
}
