//! Rates over a sliding window of sixty buckets.

use std::time::Duration;

use crate::clock::Stamp;

const BUCKETS: usize = 60;

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    number: u64,
    ended: u64,
    errors: u64,
    timed: u64,
    nanos: u64,
}

/// Counts what ended in a sliding window.
#[derive(Debug)]
pub(crate) struct Window {
    length: u64,
    buckets: Box<[Bucket; BUCKETS]>,
}

/// What a window says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct WindowFigures {
    pub(crate) ended: u64,
    pub(crate) errors: u64,
    pub(crate) mean: Duration,
    pub(crate) per_second: f64,
}

impl Window {
    pub(crate) fn new(window: Duration) -> Self {
        let nanos = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        Self {
            length: (nanos / BUCKETS as u64).max(1),
            buckets: Box::new([Bucket::default(); BUCKETS]),
        }
    }

    /// Counts a task that ended; `took` is absent when no agent ever had it.
    pub(crate) fn record(&mut self, now: Stamp, error: bool, took: Option<Duration>) {
        let number = now.0 / self.length;
        let bucket = &mut self.buckets[(number % BUCKETS as u64) as usize];
        if bucket.number != number {
            *bucket = Bucket {
                number,
                ..Bucket::default()
            };
        }
        bucket.ended += 1;
        bucket.errors += u64::from(error);
        bucket.timed += u64::from(took.is_some());
        let nanos = u64::try_from(took.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX);
        bucket.nanos = bucket.nanos.saturating_add(nanos);
    }

    pub(crate) fn figures(&self, now: Stamp) -> WindowFigures {
        let newest = now.0 / self.length;
        let oldest = newest.saturating_sub(BUCKETS as u64 - 1);
        let (mut ended, mut errors, mut timed, mut nanos) = (0u64, 0u64, 0u64, 0u64);
        for bucket in self
            .buckets
            .iter()
            .filter(|b| b.number >= oldest && b.number <= newest)
        {
            ended += bucket.ended;
            errors += bucket.errors;
            timed += bucket.timed;
            nanos = nanos.saturating_add(bucket.nanos);
        }
        let covered = (self.length * BUCKETS as u64).min(now.0.max(1));
        WindowFigures {
            ended,
            errors,
            mean: Duration::from_nanos(nanos.checked_div(timed).unwrap_or(0)),
            per_second: ended as f64 * 1e9 / covered as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let second = 1_000_000_000;
        let mut window = Window::new(Duration::from_secs(60));
        window.record(Stamp(second), true, Some(Duration::from_millis(10)));
        window.record(Stamp(2 * second), false, Some(Duration::from_millis(30)));
        window.record(Stamp(2 * second), true, None);
        let figures = window.figures(Stamp(10 * second));
        assert_eq!(
            (figures.ended, figures.errors, figures.mean),
            (3, 2, Duration::from_millis(20))
        );
        assert!((figures.per_second - 0.3).abs() < 1e-9);
        assert_eq!(window.figures(Stamp(61 * second)).ended, 2);
        assert_eq!(window.figures(Stamp(100_000 * second)).ended, 0);
    }
}
