//! What a text consists of: units that can be left out, and the terms by which they are found.

mod kind;
mod terms;
mod units;

pub use kind::TextKind;
pub(crate) use terms::{Term, terms_of};
pub(crate) use units::{Unit, split};
