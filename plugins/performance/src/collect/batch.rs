//! What hooks write into: two histograms and counts, allocated before they are needed.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The least time that is told apart, and the longest that is measured as itself.
const LEAST_NS: u64 = 100;
const MOST_NS: u64 = 3_600_000_000_000 * 24;
/// Two significant figures: percentiles are exact to one per cent.
const FIGURES: u8 = 2;

/// An empty histogram of nanoseconds.
pub(crate) fn empty_histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(LEAST_NS, MOST_NS, FIGURES)
        .expect("the bounds are constants that fit each other")
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Succeeded,
    Failed,
    TimedOut,
    Rejected,
    Cancelled,
}

/// Counts and sums that are added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) timed_out: u64,
    pub(crate) rejected: u64,
    pub(crate) cancelled: u64,
    pub(crate) retried: u64,
    /// Bound after they had waited.
    pub(crate) waited: u64,
    /// Bound at once; counted when they end, where their series are at hand anyway.
    pub(crate) direct: u64,
    pub(crate) execution_ns: u64,
    pub(crate) wait_ns: u64,
}

impl Tally {
    /// Tasks that were bound for the first time.
    pub(crate) const fn bound(&self) -> u64 {
        self.waited + self.direct
    }

    pub(crate) const fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.timed_out
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.rejected += other.rejected;
        self.cancelled += other.cancelled;
        self.retried += other.retried;
        self.waited += other.waited;
        self.direct += other.direct;
        self.execution_ns = self.execution_ns.saturating_add(other.execution_ns);
        self.wait_ns = self.wait_ns.saturating_add(other.wait_ns);
    }
}

/// What hooks have written since the batch was last taken.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) tally: Tally,
    pub(crate) execution: Histogram<u32>,
    pub(crate) queue_wait: Histogram<u32>,
    is_dirty: bool,
}

impl Batch {
    pub(crate) fn empty() -> Self {
        Self {
            tally: Tally::default(),
            execution: empty_histogram(),
            queue_wait: empty_histogram(),
            is_dirty: false,
        }
    }

    pub(crate) const fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    pub(crate) fn waited(&mut self, waited: Duration) {
        let waited = nanos(waited);
        self.is_dirty = true;
        self.tally.waited += 1;
        self.tally.wait_ns = self.tally.wait_ns.saturating_add(waited);
        self.queue_wait.saturating_record(waited);
    }

    /// `ran` is `None` for a task that no agent had.
    pub(crate) fn ended(&mut self, how: Ended, ran: Option<Duration>, direct: bool) {
        self.is_dirty = true;
        self.tally.direct += u64::from(direct);
        let count = match how {
            Ended::Succeeded => &mut self.tally.succeeded,
            Ended::Failed => &mut self.tally.failed,
            Ended::TimedOut => &mut self.tally.timed_out,
            Ended::Rejected => &mut self.tally.rejected,
            Ended::Cancelled => &mut self.tally.cancelled,
        };
        *count += 1;
        if let Some(ran) = ran.map(nanos) {
            self.tally.execution_ns = self.tally.execution_ns.saturating_add(ran);
            self.execution.saturating_record(ran);
        }
    }

    pub(crate) const fn retried(&mut self) {
        self.is_dirty = true;
        self.tally.retried += 1;
    }

    /// Empty again, with its memory.
    pub(crate) fn clear(&mut self) {
        self.tally = Tally::default();
        self.execution.reset();
        self.queue_wait.reset();
        self.is_dirty = false;
    }
}
