//! The audit log: entries that are chained by keyed hashes, written by a thread of their own, and verified as a whole.
//!
//! An entry is a line of JSON that ends with its hash: HMAC-SHA-256 over everything before, which holds the hash of the entry before it.
//! Besides the files stands an anchor: the first and the last entry, sealed with the same key. It is what shows that the end was cut off.

mod anchor;
mod chain;
mod entry;
mod error;
mod files;
mod queue;
mod verify;
mod writer;

pub use error::AuditError;
pub use verify::{AuditReport, Finding, FindingKind, Sealed, verify_log};

pub(crate) use chain::Seal;
pub(crate) use entry::{Detail, Entry, Event, Subject};
pub(crate) use verify::verify as verify_sealed;
pub(crate) use writer::{AuditLog, Start};

#[cfg(test)]
mod tests;
