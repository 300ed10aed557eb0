//! What is kept of a task that failed or timed out.

use serde::Serialize;

use crate::id::PrincipalName;
use crate::task::{TaskOutcome, TaskSnapshot};

/// A task that failed or timed out, kept for inspection and replay.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// What was asked for.
    pub task: TaskSnapshot,
    /// Who asked.
    pub principal: PrincipalName,
    /// What came of it.
    pub outcome: TaskOutcome,
    /// When it ended, in milliseconds since 1970-01-01 UTC.
    pub timestamp_ms: u64,
}
