//! What is wrong with a task.

use std::time::Duration;

use crate::id::{IdError, TaskId};

/// A task that cannot be accepted as it was written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskFault {
    /// An id, type, capability or key is not one.
    #[error(transparent)]
    Id(#[from] IdError),
    /// An id is longer than configured.
    #[error("task id has {bytes} bytes, the limit tasks.id_bytes_max is {max}: shorten it")]
    IdTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The payload is too large.
    #[error(
        "payload has at least {bytes} bytes of JSON, the limit tasks.payload_bytes_max is {max}: pass a reference to the data instead"
    )]
    PayloadTooLarge {
        /// Bytes counted until the limit was passed.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The payload is nested too deeply.
    #[error("payload is nested deeper than tasks.payload_depth_max {max}: flatten it")]
    PayloadTooDeep {
        /// The limit.
        max: usize,
    },
    /// A list of the task is too long.
    #[error("{what} has {count} entries, the limit {limit} is {max}: leave some out")]
    TooMany {
        /// The list.
        what: &'static str,
        /// Its length.
        count: usize,
        /// The configuration key of the limit.
        limit: &'static str,
        /// The limit.
        max: usize,
    },
    /// Its retry policy asks for too many attempts.
    #[error(
        "retry policy asks for {attempts} attempts, the limit retry.attempts_max is {max}: ask for fewer"
    )]
    TooManyAttempts {
        /// What it asks for.
        attempts: u32,
        /// The limit.
        max: u32,
    },
    /// A child of a child of a child, too deep.
    #[error(
        "task is nested {depth} levels deep, the limit tasks.child_depth_max is {max}: return and let the parent continue"
    )]
    TooDeep {
        /// Depth of the refused child.
        depth: u32,
        /// The limit.
        max: u32,
    },
    /// A parent has too many live children.
    #[error("task has {max} live children, the limit tasks.children_max: await some of them first")]
    TooManyChildren {
        /// The limit.
        max: usize,
    },
    /// The deadline has passed already.
    #[error("deadline passed {ago:?} ago: give a later one")]
    DeadlinePassed {
        /// How long ago.
        ago: Duration,
    },
    /// A task that it should come after is not known.
    #[error(
        "task {id} to come after is not known: submit it first, or raise tasks.retained_results_max"
    )]
    UnknownDependency {
        /// The unknown task.
        id: TaskId,
    },
    /// No dead letter of this id is held.
    #[error("no dead letter of task {id} is held: list them with dead_letters")]
    UnknownDeadLetter {
        /// The task.
        id: TaskId,
    },
    /// The task would wait for itself.
    #[error("task {id} would come after itself: remove the dependency")]
    SelfDependency {
        /// The task.
        id: TaskId,
    },
}
