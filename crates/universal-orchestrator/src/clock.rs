//! Time: tokio's clock for what waits, an injected wall clock for days and records.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Nanoseconds since the orchestrator started, on tokio's clock. Half the size of an `Instant`, and pausable with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Stamp(pub(crate) u64);

impl Stamp {
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    pub(crate) fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The start of an orchestrator's [`Stamp`]s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch(Instant);

impl Epoch {
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn stamp(self) -> Stamp {
        Stamp(nanos(self.0.elapsed()))
    }

    /// The stamp of an instant; instants before the epoch are its start.
    pub(crate) fn stamp_of(self, instant: Instant) -> Stamp {
        Stamp(nanos(instant.saturating_duration_since(self.0)))
    }

    /// The instant of a stamp; a stamp too far away for the clock is a century away.
    pub(crate) fn instant(self, stamp: Stamp) -> Instant {
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
        let ahead = Duration::from_nanos(stamp.0).min(CENTURY);
        self.0 + ahead
    }
}

/// The wall clock: budget days, token expiry, audit and status timestamps read it; deadlines and waits never do.
pub trait WallClock: Send + Sync + 'static {
    /// The time of day now.
    fn now(&self) -> SystemTime;
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemWallClock;

impl WallClock for SystemWallClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

#[derive(Clone)]
pub(crate) struct SharedWallClock(pub(crate) Arc<dyn WallClock>);

impl SharedWallClock {
    pub(crate) fn unix_ms(&self) -> u64 {
        self.0
            .now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    /// Days since 1970-01-01 UTC.
    pub(crate) fn utc_day(&self) -> u64 {
        self.unix_ms() / 86_400_000
    }
}

impl fmt::Debug for SharedWallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}
