//! When a failed attempt is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Exponential backoff with jitter, applied to errors marked retryable and to lost agents.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in total; 1 means no retry. 0 is read as 1.
    pub max_attempts: u32,
    /// Delay before the second attempt.
    pub base_delay: Duration,
    /// The longest delay between two attempts.
    pub max_delay: Duration,
    /// Factor from one delay to the next; below 1 is read as 1.
    pub multiplier: f64,
    /// Share of each delay, 0 to 1, that is random.
    pub jitter: f64,
}

impl RetryPolicy {
    /// One attempt and no more.
    #[must_use]
    pub const fn never() -> Self {
        Self {
            max_attempts: 1,
            base_delay: Duration::ZERO,
            max_delay: Duration::ZERO,
            multiplier: 1.0,
            jitter: 0.0,
        }
    }

    /// `max_attempts` attempts in total without a delay between them.
    #[must_use]
    pub const fn immediate(max_attempts: u32) -> Self {
        Self {
            max_attempts,
            ..Self::never()
        }
    }

    /// `max_attempts` attempts with delays of `base_delay`, twice that, four times that, …, at most `max_delay`, half of each random.
    #[must_use]
    pub const fn exponential(max_attempts: u32, base_delay: Duration, max_delay: Duration) -> Self {
        Self {
            max_attempts,
            base_delay,
            max_delay,
            multiplier: 2.0,
            jitter: 0.5,
        }
    }

    /// Whether a further attempt follows the attempt numbered `attempt` (the first is 1).
    #[must_use]
    pub const fn allows_after(&self, attempt: u32) -> bool {
        attempt < self.max_attempts
    }

    /// The delay after attempt number `attempt`; `random` is a number from 0 up to 1.
    ///
    /// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (the equal-jitter form when `jitter` is 0.5).
    #[must_use]
    pub fn delay_after(&self, attempt: u32, random: f64) -> Duration {
        let factor = finite_or(self.multiplier, 1.0).max(1.0);
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let base = self.base_delay.as_secs_f64();
        let full =
            finite_or(base * factor.powi(exponent), f64::MAX).min(self.max_delay.as_secs_f64());
        let jitter = finite_or(self.jitter, 0.0).clamp(0.0, 1.0);
        let random = finite_or(random, 0.0).clamp(0.0, 1.0);
        let seconds = full * (1.0 - jitter * (1.0 - random));
        Duration::try_from_secs_f64(seconds).unwrap_or(self.max_delay)
    }
}

fn finite_or(value: f64, other: f64) -> f64 {
    if value.is_finite() { value } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit() {
        let policy = RetryPolicy {
            jitter: 0.0,
            ..RetryPolicy::exponential(9, Duration::from_millis(100), Duration::from_millis(500))
        };
        let delays: Vec<_> = (1..=4)
            .map(|n| policy.delay_after(n, 0.3).as_millis())
            .collect();
        assert_eq!(delays, [100, 200, 400, 500]);
    }

    #[test]
    fn jitter_takes_away_at_most_its_share() {
        let policy = RetryPolicy::exponential(3, Duration::from_secs(1), Duration::from_secs(9));
        assert_eq!(policy.delay_after(1, 0.0), Duration::from_millis(500));
        assert_eq!(policy.delay_after(1, 1.0), Duration::from_secs(1));
    }

    #[test]
    fn hostile_numbers_give_a_delay_within_the_limit() {
        for odd in [f64::NAN, f64::INFINITY, -1.0, f64::MAX] {
            let policy = RetryPolicy {
                max_attempts: u32::MAX,
                base_delay: Duration::MAX,
                max_delay: Duration::from_secs(30),
                multiplier: odd,
                jitter: odd,
            };
            for attempt in [0, 1, u32::MAX] {
                assert!(policy.delay_after(attempt, odd) <= Duration::from_secs(30));
            }
        }
    }
}
