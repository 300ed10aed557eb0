//! Which node caused the symptom: from observations to a ranking with confidence.

mod features;
mod model;

pub use features::CandidateFeatures;
pub use model::{FEATURE_NAMES, Posterior, Weights};

pub(crate) use features::{Evidence, candidates};
