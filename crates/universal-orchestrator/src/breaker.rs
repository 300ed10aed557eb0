//! The circuit breaker, one type for agents, plugins and orchestrations.
//!
//! Source: M. Nygard, "Release It!", 2nd ed., chapter 5; windowed rates and limited half-open probes as in resilience4j.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When a breaker opens and how it closes again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BreakerSettings {
    /// Length of the sliding window. Zero is read as one nanosecond.
    pub window: Duration,
    /// Calls in the window before a rate counts; 0 is read as 1.
    pub minimum_calls: u32,
    /// Share of failed calls, in percent, from which it opens.
    pub failure_rate_percent: f64,
    /// A call that takes at least this long is slow; `None`: none is.
    pub slow_call: Option<Duration>,
    /// Share of slow calls, in percent, from which it opens.
    pub slow_rate_percent: f64,
    /// How long it stays open before probes are let through.
    pub open_for: Duration,
    /// Probes at once while half-open, and successes that close it; 0 is read as 1.
    pub half_open_probes: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            minimum_calls: 10,
            failure_rate_percent: 50.0,
            slow_call: None,
            slow_rate_percent: 100.0,
            open_for: Duration::from_secs(60),
            half_open_probes: 1,
        }
    }
}

/// What a breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// Nothing.
    Open,
    /// A limited number of probes.
    HalfOpen,
}

const BUCKETS: usize = 10;

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    number: u64,
    calls: u32,
    failures: u32,
    slow: u32,
}

/// A circuit breaker. It has no clock: `now` is the time since any fixed start, on a clock that never goes back.
///
/// ```
/// use std::time::Duration;
/// use universal_orchestrator::{BreakerSettings, BreakerState, CircuitBreaker};
/// let mut breaker = CircuitBreaker::new(BreakerSettings { minimum_calls: 2, ..BreakerSettings::default() });
/// let now = Duration::from_secs(1);
/// for _ in 0..2 {
///     assert!(breaker.acquire(now));
///     breaker.record(now, false, Duration::ZERO);
/// }
/// assert_eq!(breaker.state(now), BreakerState::Open);
/// assert!(!breaker.acquire(now));
/// ```
#[derive(Debug, Clone)]
pub struct CircuitBreaker {
    settings: BreakerSettings,
    buckets: [Bucket; BUCKETS],
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed,
    Open {
        until: Duration,
    },
    HalfOpen {
        since: Duration,
        in_flight: u32,
        succeeded: u32,
    },
}

impl CircuitBreaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            buckets: [Bucket::default(); BUCKETS],
            phase: Phase::Closed,
        }
    }

    /// What it lets through now.
    #[must_use]
    pub fn state(&self, now: Duration) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { until } if now < until => BreakerState::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// When an open breaker starts to let probes through.
    #[must_use]
    pub const fn opens_until(&self) -> Option<Duration> {
        match self.phase {
            Phase::Open { until } => Some(until),
            _ => None,
        }
    }

    /// Whether a call would be let through now.
    #[must_use]
    pub fn admits(&self, now: Duration) -> bool {
        match self.phase {
            Phase::Closed => true,
            Phase::Open { until } => now >= until,
            Phase::HalfOpen { in_flight, .. } => in_flight < self.settings.half_open_probes.max(1),
        }
    }

    /// Lets a call through, or not. Each call let through must be followed by [`Self::record`] or [`Self::forget`].
    pub fn acquire(&mut self, now: Duration) -> bool {
        if !self.admits(now) {
            return false;
        }
        match &mut self.phase {
            Phase::Closed => {}
            Phase::Open { .. } => {
                self.phase = Phase::HalfOpen {
                    since: now,
                    in_flight: 1,
                    succeeded: 0,
                };
            }
            Phase::HalfOpen { in_flight, .. } => *in_flight += 1,
        }
        true
    }

    /// Takes back a call that was let through and never made.
    pub fn forget(&mut self) {
        if let Phase::HalfOpen { in_flight, .. } = &mut self.phase {
            *in_flight = in_flight.saturating_sub(1);
        }
    }

    /// Records the outcome of a call that was let through. A late outcome, of a call that began before the breaker opened, changes nothing: it is no probe.
    pub fn record(&mut self, now: Duration, success: bool, took: Duration) {
        let slow = self.settings.slow_call.is_some_and(|limit| took >= limit);
        match self.phase {
            Phase::Open { .. } => {}
            Phase::Closed => {
                self.count(now, success, slow);
                if self.is_over_a_rate(now) {
                    self.open(now);
                }
            }
            Phase::HalfOpen { since, .. } if now.saturating_sub(took) < since => {}
            Phase::HalfOpen {
                since,
                in_flight,
                succeeded,
            } => {
                if !success || slow {
                    self.open(now);
                } else if succeeded + 1 >= self.settings.half_open_probes.max(1) {
                    self.phase = Phase::Closed;
                    self.buckets = [Bucket::default(); BUCKETS];
                } else {
                    self.phase = Phase::HalfOpen {
                        since,
                        in_flight: in_flight.saturating_sub(1),
                        succeeded: succeeded + 1,
                    };
                }
            }
        }
    }

    fn open(&mut self, now: Duration) {
        self.phase = Phase::Open {
            until: now.saturating_add(self.settings.open_for),
        };
    }

    fn number(&self, now: Duration) -> u64 {
        let length = (self.settings.window.as_nanos() / BUCKETS as u128).max(1);
        u64::try_from(now.as_nanos() / length).unwrap_or(u64::MAX)
    }

    fn count(&mut self, now: Duration, success: bool, slow: bool) {
        let number = self.number(now);
        let bucket = &mut self.buckets[(number % BUCKETS as u64) as usize];
        if bucket.number != number {
            *bucket = Bucket {
                number,
                ..Bucket::default()
            };
        }
        bucket.calls = bucket.calls.saturating_add(1);
        bucket.failures = bucket.failures.saturating_add(u32::from(!success));
        bucket.slow = bucket.slow.saturating_add(u32::from(slow));
    }

    fn is_over_a_rate(&self, now: Duration) -> bool {
        let oldest = self.number(now).saturating_sub(BUCKETS as u64 - 1);
        let (mut calls, mut failures, mut slow) = (0u64, 0u64, 0u64);
        for bucket in self.buckets.iter().filter(|b| b.number >= oldest) {
            calls += u64::from(bucket.calls);
            failures += u64::from(bucket.failures);
            slow += u64::from(bucket.slow);
        }
        if calls < u64::from(self.settings.minimum_calls.max(1)) {
            return false;
        }
        let percent = |n: u64| n as f64 * 100.0 / calls as f64;
        (failures > 0 && percent(failures) >= self.settings.failure_rate_percent)
            || (slow > 0 && percent(slow) >= self.settings.slow_rate_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn opened() -> CircuitBreaker {
        let mut breaker = CircuitBreaker::new(BreakerSettings {
            minimum_calls: 4,
            half_open_probes: 2,
            ..BreakerSettings::default()
        });
        for success in [true, true, false, false] {
            assert!(breaker.acquire(s(1)));
            breaker.record(s(1), success, Duration::ZERO);
        }
        breaker
    }

    #[test]
    fn opens_at_the_rate_and_not_before_the_minimum() {
        let breaker = opened();
        assert_eq!(breaker.state(s(60)), BreakerState::Open);
        assert!(!breaker.admits(s(60)));
    }

    #[test]
    fn half_open_admits_a_limited_number_of_probes() {
        let mut breaker = opened();
        assert!(breaker.acquire(s(61)));
        assert!(breaker.acquire(s(61)));
        assert!(!breaker.acquire(s(61)), "a third probe");
        breaker.record(s(62), true, Duration::ZERO);
        breaker.record(s(62), true, Duration::ZERO);
        assert_eq!(breaker.state(s(62)), BreakerState::Closed);
    }

    #[test]
    fn a_failed_probe_opens_it_again_for_the_whole_time() {
        let mut breaker = opened();
        assert!(breaker.acquire(s(61)));
        breaker.record(s(70), false, Duration::ZERO);
        assert_eq!(breaker.state(s(129)), BreakerState::Open);
        assert_eq!(breaker.state(s(130)), BreakerState::HalfOpen);
    }

    #[test]
    fn a_late_outcome_of_a_call_begun_before_is_no_probe() {
        let mut breaker = opened();
        assert!(breaker.acquire(s(61)));
        breaker.record(s(62), true, s(10));
        assert_eq!(breaker.state(s(62)), BreakerState::HalfOpen);
        breaker.record(s(62), false, s(10));
        assert_eq!(breaker.state(s(62)), BreakerState::HalfOpen);
        assert!(breaker.acquire(s(62)));
        for _ in 0..2 {
            breaker.record(s(63), true, s(1));
        }
        assert_eq!(breaker.state(s(63)), BreakerState::Closed);
    }

    #[test]
    fn times_beyond_a_day_do_not_wrap() {
        let mut breaker = opened();
        let day = s(86_400);
        assert!(breaker.acquire(day + s(10)));
        breaker.record(day + s(10), false, Duration::ZERO);
        assert!(!breaker.admits(day + s(69)));
        assert!(breaker.admits(day + s(70)));
    }

    #[test]
    fn slow_calls_open_it_too() {
        let mut breaker = CircuitBreaker::new(BreakerSettings {
            minimum_calls: 1,
            slow_call: Some(s(1)),
            slow_rate_percent: 50.0,
            ..BreakerSettings::default()
        });
        assert!(breaker.acquire(s(1)));
        breaker.record(s(1), true, s(2));
        assert_eq!(breaker.state(s(1)), BreakerState::Open);
    }
}
