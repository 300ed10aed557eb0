//! Waves of specialists: cheap and wide first, then deep where the findings point, on one budget and one deadline.
//!
//! What a specialist does not deliver costs its own findings only; the run of it says why it did not.

mod planner;
mod progress;
mod run;
mod strategy;
#[cfg(test)]
mod tests;

pub use planner::{CONFIDENCE_ENOUGH, DEEP_NODES_MAX, SUSPICION_MIN};
pub use progress::{Progress, ProgressListener};
pub use run::{BudgetUse, Cost, CostSummary, SpecialistRun};
pub use strategy::Strategy;

pub(crate) use run::{WavesResult, run_waves};
