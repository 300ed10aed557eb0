//! Attempts of the last while, in ten buckets.

use std::time::Duration;

const BUCKETS: usize = 10;

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    number: u64,
    calls: u64,
    failures: u64,
    timed: u64,
    nanos: u64,
}

/// A sliding window of attempts. It has no clock: `now` is the time since any fixed start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window([Bucket; BUCKETS]);

/// What a window holds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct WindowFigures {
    pub(crate) calls: u64,
    pub(crate) error_rate_percent: f64,
    pub(crate) mean_ms: f64,
}

impl Window {
    /// Records an attempt; one whose time is not known counts for the error rate alone.
    pub(crate) fn record(
        &mut self,
        now: Duration,
        length_ms: u64,
        success: bool,
        took: Option<Duration>,
    ) {
        let number = number(now, length_ms);
        let bucket = &mut self.0[(number % BUCKETS as u64) as usize];
        if bucket.number != number {
            *bucket = Bucket {
                number,
                ..Bucket::default()
            };
        }
        bucket.calls += 1;
        bucket.failures += u64::from(!success);
        if let Some(took) = took {
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            bucket.timed += 1;
            bucket.nanos = bucket.nanos.saturating_add(nanos);
        }
    }

    pub(crate) fn figures(&self, now: Duration, length_ms: u64) -> WindowFigures {
        let oldest = number(now, length_ms).saturating_sub(BUCKETS as u64 - 1);
        let (mut calls, mut failures, mut timed, mut nanos) = (0_u64, 0_u64, 0_u64, 0_u64);
        for bucket in self.0.iter().filter(|b| b.number >= oldest) {
            calls += bucket.calls;
            failures += bucket.failures;
            timed += bucket.timed;
            nanos = nanos.saturating_add(bucket.nanos);
        }
        if calls == 0 {
            return WindowFigures::default();
        }
        WindowFigures {
            calls,
            error_rate_percent: failures as f64 * 100.0 / calls as f64,
            mean_ms: nanos as f64 / timed.max(1) as f64 / 1e6,
        }
    }
}

fn number(now: Duration, length_ms: u64) -> u64 {
    let length = (u128::from(length_ms) * 1_000_000 / BUCKETS as u128).max(1);
    u64::try_from(now.as_nanos() / length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut window = Window::default();
        window.record(s(1), 10_000, false, Some(s(3)));
        window.record(s(5), 10_000, true, Some(s(1)));
        let both = window.figures(s(9), 10_000);
        assert_eq!((both.calls, both.error_rate_percent), (2, 50.0));
        assert_eq!(both.mean_ms, 2_000.0);
        window.record(s(9), 10_000, false, None);
        assert_eq!(window.figures(s(9), 10_000).mean_ms, 2_000.0);
        let one = window.figures(s(12), 10_000);
        assert_eq!((one.calls, one.error_rate_percent), (2, 50.0));
        assert_eq!(window.figures(s(99), 10_000), WindowFigures::default());
    }
}
