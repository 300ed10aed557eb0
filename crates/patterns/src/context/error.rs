//! Why a context was refused.

use universal_orchestrator::{BudgetError, IdError};

use crate::context::TraceError;

/// Why a context was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A request or tenant that is no name.
    #[error(transparent)]
    Name(#[from] IdError),
    /// The text of a trace that came in.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The child would lie too deep.
    #[error(
        "context would be {depth} deep, the limit is {max}: call fewer orchestrations within each other"
    )]
    TooDeep {
        /// How deep it would lie.
        depth: u32,
        /// The limit.
        max: u32,
    },
    /// The context carries as many values as it may.
    #[error("context would carry more than {max} values: put some of them into one type")]
    TooMuchMetadata {
        /// The limit.
        max: usize,
    },
    /// The budget could not be opened.
    #[error(transparent)]
    Budget(#[from] BudgetError),
}
