//! How an orchestration stands.

use serde::Serialize;

use crate::orchestration::{Layer, OrchestrationKind, OrchestrationName};

/// How an orchestration stands: a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OrchestrationView {
    /// Its name.
    pub name: OrchestrationName,
    /// Its layer.
    pub layer: Layer,
    /// Its kind.
    pub kind: OrchestrationKind,
    /// Whether calls are taken: it has started and does not stop.
    pub running: bool,
    /// Calls at work.
    pub in_flight: usize,
    /// Calls that wait for a place.
    pub waiting: usize,
    /// Calls that ended with data.
    pub succeeded: u64,
    /// Calls that ended with a failure, panics included.
    pub failed: u64,
    /// Calls that were skipped.
    pub skipped: u64,
    /// Panics that were contained, in any of its methods.
    pub panics: u64,
    /// Its background tasks.
    pub background_tasks: usize,
}
