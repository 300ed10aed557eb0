//! What an incident did: how severe it was, how far it reached, when what happened, and what contributed.

mod factors;
mod reach;
mod severity;
mod timeline;

pub use factors::{FACTORS_MAX, Factor};
pub use reach::{BlastRadius, CALLERS_MAX, ReachedCaller};
pub use severity::{
    FAILED_CRITICAL, FAILED_HIGH, FAILED_MEDIUM, SHARE_LOW, SLOWER_CRITICAL, SLOWER_HIGH,
    SLOWER_MEDIUM, Severity, SeverityLevel,
};
pub use timeline::{TIMELINE_MAX, TimelineEntry, TimelineEvent};

pub(crate) use factors::factors;
pub(crate) use reach::reach;
pub(crate) use severity::severity;
pub(crate) use timeline::timeline;
