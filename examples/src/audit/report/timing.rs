//! How long tasks took, and how busy that kept an agent.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longer tasks are recorded as this long: an hour.
const LONGEST_NANOSECONDS: u64 = 3_600_000_000_000;

/// The numbers of an agent or of a capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timing {
    /// Tasks that ended, whether well or not.
    pub tasks: u64,
    /// Tasks that ended without a result.
    pub errors: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Half of the tasks kept their agent busy for no longer than this, in microseconds.
    pub p50_us: f64,
    /// 99 of 100 tasks kept their agent busy for no longer than this, in microseconds.
    pub p99_us: f64,
    /// Busy time as a share of the time that the audit took, in percent.
    pub utilisation_percent: f64,
}

/// Gathers one row's numbers.
#[derive(Debug)]
pub(super) struct Stopwatch {
    tasks: u64,
    errors: u64,
    retries: u64,
    busy: Duration,
    nanoseconds: Histogram<u64>,
}

impl Stopwatch {
    pub(super) fn new() -> Self {
        // Two digits keep a quantile within one percent and the histogram within 40 KiB.
        let nanoseconds = Histogram::new_with_bounds(1, LONGEST_NANOSECONDS, 2)
            .expect("the bounds are constants in order");
        Self {
            tasks: 0,
            errors: 0,
            retries: 0,
            busy: Duration::ZERO,
            nanoseconds,
        }
    }

    pub(super) fn record(&mut self, busy: Duration, attempts: u32, failed: bool) {
        self.tasks += 1;
        self.errors += u64::from(failed);
        self.retries += u64::from(attempts.saturating_sub(1));
        self.busy += busy;
        self.nanoseconds
            .saturating_record(u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The numbers, for `agents` agents who shared the work for `elapsed`.
    pub(super) fn timing(&self, agents: u64, elapsed: Duration) -> Timing {
        let available = elapsed.as_secs_f64() * agents as f64;
        let utilisation = if available > 0.0 {
            self.busy.as_secs_f64() / available
        } else {
            0.0
        };
        let microseconds =
            |quantile| tenths(self.nanoseconds.value_at_quantile(quantile) as f64 / 1e3);
        Timing {
            tasks: self.tasks,
            errors: self.errors,
            retries: self.retries,
            p50_us: microseconds(0.5),
            p99_us: microseconds(0.99),
            utilisation_percent: tenths(utilisation * 100.0),
        }
    }
}

/// Rounded to one decimal: more would be noise.
pub(super) fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_utilisation_come_from_the_same_tasks() {
        let mut watch = Stopwatch::new();
        for microseconds in 1..=100 {
            watch.record(Duration::from_micros(microseconds), 1, false);
        }
        watch.record(Duration::ZERO, 3, true);
        let timing = watch.timing(2, Duration::from_micros(5_050));
        assert_eq!((timing.tasks, timing.errors, timing.retries), (101, 1, 2));
        assert!((49.0..=51.5).contains(&timing.p50_us), "{timing:?}");
        assert!((98.0..=101.0).contains(&timing.p99_us), "{timing:?}");
        assert!(
            (timing.utilisation_percent - 50.0).abs() < 0.2,
            "{timing:?}"
        );
    }

    #[test]
    fn no_tasks_in_no_time_are_zeros() {
        assert_eq!(
            Stopwatch::new().timing(0, Duration::ZERO),
            Timing::default()
        );
    }
}
