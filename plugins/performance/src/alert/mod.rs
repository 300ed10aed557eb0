//! Rules, and the alerts that they raise.

mod book;
mod rule;

pub(crate) use book::AlertBook;
pub use book::{AcknowledgeError, Alert, AlertState};
pub(crate) use rule::default_rules;
pub use rule::{Operator, Rule, Severity};
