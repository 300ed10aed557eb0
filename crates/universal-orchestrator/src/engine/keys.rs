//! Concurrency keys: how many tasks of a key run at once, and how many a second.

use hashbrown::HashMap;

use crate::clock::Stamp;
use crate::config::{ConcurrencyKeysConfig, KeyLimit};
use crate::engine::TaskKey;
use crate::engine::lots::Lot;
use crate::engine::pools::ClassIx;
use crate::engine::queue::Spot;
use crate::id::Key;

/// What a key says to one more task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyAnswer {
    Free,
    /// As many run as may.
    Saturated,
    /// The rate allows the next one then.
    NotBefore(Stamp),
}

#[derive(Debug)]
struct KeyState {
    max: u32,
    rate: Option<Rate>,
    in_flight: u32,
    /// A timer is set for its next token.
    armed: bool,
    /// Ready tasks that found the key taken.
    parked: Lot,
}

/// A token bucket.
#[derive(Debug)]
struct Rate {
    nanos_per_token: f64,
    burst: f64,
    tokens: f64,
    at: Stamp,
}

impl Rate {
    fn refill(&mut self, now: Stamp) {
        let gained = now.0.saturating_sub(self.at.0) as f64 / self.nanos_per_token;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.at = now;
    }

    fn next(&self, now: Stamp) -> Option<Stamp> {
        // A thousandth of a token is forgiven, so that rounding never makes a timer fire just too early.
        if self.tokens >= 0.999 {
            return None;
        }
        let wait = (1.0 - self.tokens) * self.nanos_per_token;
        Some(Stamp(now.0.saturating_add(wait.ceil() as u64)))
    }
}

/// All keys in use.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    states: HashMap<Key, KeyState>,
    parked: usize,
}

impl Keys {
    fn state<'a>(
        &'a mut self,
        config: &ConcurrencyKeysConfig,
        key: &Key,
        now: Stamp,
    ) -> &'a mut KeyState {
        self.states.entry_ref(key).or_insert_with(|| {
            let limit: Option<&KeyLimit> = config.keys.get(key.as_str());
            let rate = limit
                .and_then(|l| l.rate_per_second)
                .filter(|r| *r > 0.0)
                .map(|per_second| {
                    let burst = f64::from(limit.and_then(|l| l.burst).unwrap_or(1).max(1));
                    Rate {
                        nanos_per_token: 1e9 / per_second,
                        burst,
                        tokens: burst,
                        at: now,
                    }
                });
            let max = Self::max_of(config, key);
            KeyState {
                max,
                rate,
                in_flight: 0,
                armed: false,
                parked: Lot::default(),
            }
        })
    }

    /// How many tasks of a key may run at once.
    pub(crate) fn max_of(config: &ConcurrencyKeysConfig, key: &Key) -> u32 {
        let limit = config.keys.get(key.as_str());
        limit
            .and_then(|l| l.max_in_flight)
            .unwrap_or(config.default_max_in_flight)
    }

    /// Takes a place of the key, or says why not.
    pub(crate) fn acquire(
        &mut self,
        config: &ConcurrencyKeysConfig,
        key: &Key,
        now: Stamp,
    ) -> KeyAnswer {
        let state = self.state(config, key, now);
        if state.in_flight >= state.max {
            return KeyAnswer::Saturated;
        }
        if let Some(rate) = &mut state.rate {
            rate.refill(now);
            if let Some(at) = rate.next(now) {
                return KeyAnswer::NotBefore(at);
            }
            rate.tokens = (rate.tokens - 1.0).max(0.0);
        }
        state.in_flight += 1;
        KeyAnswer::Free
    }

    pub(crate) fn park(&mut self, key: &Key, spot: Spot, task: TaskKey) {
        if let Some(state) = self.states.get_mut(key) {
            state.parked.park(spot, task);
            self.parked += 1;
        }
    }

    pub(crate) fn unpark(&mut self, key: &Key, spot: Spot) {
        if let Some(state) = self.states.get_mut(key)
            && state.parked.remove(spot)
        {
            self.parked -= 1;
        }
    }

    /// Whether a timer has to be set for the key's next token.
    pub(crate) fn arm(&mut self, key: &Key) -> bool {
        let state = self.states.get_mut(key);
        state.is_some_and(|state| !std::mem::replace(&mut state.armed, true))
    }

    /// The timer of a key has fired.
    pub(crate) fn disarm(&mut self, key: &Key) {
        if let Some(state) = self.states.get_mut(key) {
            state.armed = false;
        }
    }

    /// Gives a place of the key back.
    pub(crate) fn release(&mut self, key: &Key) {
        if let Some(state) = self.states.get_mut(key) {
            state.in_flight = state.in_flight.saturating_sub(1);
        }
        self.forget(key);
    }

    /// The first parked task of each class and level: each may run now, if an agent is there. The others stay parked.
    pub(crate) fn representatives(&mut self, key: &Key) -> Vec<(Spot, TaskKey)> {
        let Some(state) = self.states.get_mut(key) else {
            return Vec::new();
        };
        let first = state.parked.representatives();
        self.parked -= first.len();
        first
    }

    pub(crate) const fn parked(&self) -> usize {
        self.parked
    }

    /// Drops a key that nothing uses and whose bucket is full, so that keys do not pile up.
    fn forget(&mut self, key: &Key) {
        let unused = self
            .states
            .get(key)
            .is_some_and(|s| s.in_flight == 0 && s.parked.len() == 0 && s.rate.is_none());
        if unused {
            self.states.remove(key);
        }
    }

    /// Applies a move of classes.
    pub(crate) fn move_classes(&mut self, moved: &[Option<ClassIx>]) {
        for state in self.states.values_mut() {
            state.parked.move_classes(moved);
        }
    }

    pub(crate) fn uses_class(&self) -> impl Iterator<Item = ClassIx> + '_ {
        self.states.values().flat_map(|s| s.parked.classes())
    }

    /// All lots, for what concerns every task that waits.
    pub(crate) fn lots(&self) -> impl Iterator<Item = &Lot> {
        self.states.values().map(|s| &s.parked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_timer_is_set_for_all_that_wait_for_a_token() {
        let limit = KeyLimit {
            rate_per_second: Some(1.0),
            max_in_flight: Some(2),
            ..KeyLimit::default()
        };
        let mut config = ConcurrencyKeysConfig::default();
        config.keys.insert("k".into(), limit);
        let key = Key::new("k").expect("it is a key");
        let mut keys = Keys::default();
        assert_eq!(keys.acquire(&config, &key, Stamp(0)), KeyAnswer::Free);
        let next = KeyAnswer::NotBefore(Stamp(1_000_000_000));
        assert_eq!(keys.acquire(&config, &key, Stamp(0)), next);
        assert!(keys.arm(&key));
        assert!(!keys.arm(&key), "it is armed");
        keys.disarm(&key);
        assert!(keys.arm(&key));
    }
}
