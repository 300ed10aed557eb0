//! What was read, and what it says: series against their reference as observations, everything else as facts.

mod case;
mod fact;
mod observation;
mod reference;
mod symptom;
pub mod weights;

pub use fact::{Category, Fact, FactKind, Source, Span};
pub use observation::{Findings, Observation, ReferenceSource, Unknown};
pub use symptom::Symptom;

pub(crate) use case::Case;
pub(crate) use reference::{Prior, Reference};
pub(crate) use weights::{node_weight, weights_by_node};
