//! The best context under a hard budget of tokens, the same for the same fragments, and explained.

mod blocks;
mod explanation;
mod plan;
mod scores;

use std::sync::Arc;

use universal_orchestrator::Priority;

pub(crate) use blocks::Blocks;
pub use explanation::{Explanation, FragmentChoice, Shown};
pub(crate) use plan::plan;

use crate::compress::QueryTerms;
use crate::fragment::Fragment;
use crate::session::{FragmentId, SessionId};
use crate::tokens::Encoding;

/// Context that was put together for a task. In the task's extensions for agents of this process: `context.extensions().get::<AssembledContext>()`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AssembledContext {
    /// The session.
    pub session: SessionId,
    /// The context: fragments by number, each under a line that says which it is and how much of it is there.
    pub text: Arc<str>,
    /// Its tokens, exactly.
    pub tokens: usize,
    /// Tokens that it could have.
    pub budget: usize,
    /// Of each fragment, what became of it and why.
    pub explanation: Arc<Explanation>,
}

/// Why a context was not put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// There is no such session.
    #[error("there is no session {session}: create it, or add to it first")]
    NoSession {
        /// The session.
        session: SessionId,
    },
    /// The critical fragments alone exceed the budget; none of them may be cut.
    #[error(
        "the critical fragments of session {session} take {tokens} tokens, the budget is {budget}: raise the budget, or lower the priority of some"
    )]
    CriticalExceedsBudget {
        /// The session.
        session: SessionId,
        /// What they take.
        tokens: usize,
        /// The budget.
        budget: usize,
    },
    /// The work was given up: the runtime ends.
    #[error("the runtime ended before the context was there")]
    RuntimeEnded,
}

/// What an assembly is asked for.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) query: Option<&'a QueryTerms>,
    pub(crate) budget: usize,
    pub(crate) encoding: Encoding,
    pub(crate) excerpt_tokens_min: usize,
    pub(crate) near_duplicate_bits: u32,
    /// Show no fragment whole that has a shorter form.
    pub(crate) compressed_only: bool,
}

/// A fragment that could be shown.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) id: FragmentId,
    pub(crate) priority: Priority,
    pub(crate) fragment: Arc<Fragment>,
}
