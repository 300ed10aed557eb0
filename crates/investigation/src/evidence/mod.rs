//! From series to observations: what a node did in the telling rows, against what it does otherwise.

mod case;
mod observation;
mod reference;
mod symptom;

pub use observation::{Findings, Observation, ReferenceSource, Unknown};
pub use symptom::Symptom;

pub(crate) use case::Case;
pub(crate) use reference::{Prior, Reference};
