//! Waves of specialists: cheap and wide first, then deep where the findings point, on one budget and one deadline.
//!
//! What a specialist does not deliver costs its own findings only; the run of it says why it did not.

mod planner;
mod run;

pub use planner::{CONFIDENCE_ENOUGH, DEEP_NODES_MAX, SUSPICION_MIN};
pub use run::SpecialistRun;

pub(crate) use run::{WavesResult, run_waves};
