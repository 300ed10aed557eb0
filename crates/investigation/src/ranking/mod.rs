//! Which node caused the symptom: from observations and facts to a ranking with confidence.

mod features;
mod judge;
mod model;

pub use features::CandidateFeatures;
pub use judge::{
    CHECK_UP_NO_FAULT_PRIOR, ELSEWHERE_PRIOR, ELSEWHERE_WHEN_DISPROVEN, NO_FAULT_PRIOR,
};
pub use model::{FEATURE_NAMES, Posterior, Weights};

pub(crate) use features::{Evidence, candidates};
pub(crate) use judge::{Judged, JudgedNode, judge};
