//! The wall clock, which may jump: expiry never goes back with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Milliseconds since 1970; `None` before it.
pub(crate) fn ms_of(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// The latest time that was seen.
#[derive(Debug, Default)]
pub(crate) struct LatestTime(AtomicU64);

impl LatestTime {
    /// The time by which expiry is decided: never earlier than one that was seen before, so that a clock set back makes no expired token valid.
    /// `None`: the clock cannot be used.
    pub(crate) fn at(&self, time: SystemTime) -> Option<u64> {
        let ms = ms_of(time)?;
        // Mostly it has gone on; a plain load is cheaper than a write that others wait for.
        let latest = self.0.load(Ordering::Acquire);
        if ms > latest {
            return Some(self.0.fetch_max(ms, Ordering::AcqRel).max(ms));
        }
        Some(latest)
    }

    /// How far the clock has gone back behind the latest time.
    pub(crate) fn behind(&self, time: SystemTime) -> Duration {
        let latest = self.0.load(Ordering::Acquire);
        Duration::from_millis(latest.saturating_sub(ms_of(time).unwrap_or(0)))
    }

    /// Forgets the latest time: an operator says that the clock is right now.
    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back() {
        let latest = LatestTime::default();
        let at = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        assert_eq!(latest.at(at(10)), Some(10_000));
        assert_eq!(latest.at(at(4)), Some(10_000));
        assert_eq!(latest.behind(at(4)), Duration::from_secs(6));
        assert_eq!(
            latest.at(SystemTime::UNIX_EPOCH - Duration::from_secs(1)),
            None
        );
        latest.reset();
        assert_eq!(latest.at(at(4)), Some(4_000));
    }
}
