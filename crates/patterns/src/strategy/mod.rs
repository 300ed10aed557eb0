//! Strategies over a set of steps.

mod adaptive;
mod fallback;
mod fan_out;
mod map_reduce;
mod measured;
mod parallel;
mod policy;
mod quorum;
mod race;
mod report;
mod sequential;
mod steps;
mod waves;

pub use adaptive::{Adaptive, AdaptiveCriteria};
pub use fallback::{Fallback, FallbackCounts};
pub use map_reduce::{MapReduce, Mapped, Reduced};
pub use parallel::Parallel;
pub use policy::{OnFailure, Required};
pub use quorum::Quorum;
pub use race::Race;
pub use report::{Decision, Mode, NamedStep, RunReport, StopReason};
pub use sequential::Sequential;
pub(crate) use steps::{may_begin, overdrawn, stops};
pub use waves::{Assignment, WaveLimits, WavePlanner, Waves};

/// The most steps that one strategy runs over; those beyond are refused when it is made.
pub const STEPS_MAX: usize = 10_000;
