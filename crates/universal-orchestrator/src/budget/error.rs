//! Why a budget refuses.

use crate::budget::{AccountId, Unit};
use crate::id::{RunId, TaskId};

/// A budget refusal. Its own type, so that it is never mistaken for an ordinary failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BudgetError {
    /// The account has no room for the amount.
    #[error(
        "account {account} has no room: {unit} is at {used} of {limit} and {asked} is asked for; raise the limit or ask for less"
    )]
    Exhausted {
        /// The account.
        account: AccountId,
        /// The unit that does not fit.
        unit: Unit,
        /// Its limit.
        limit: String,
        /// What is spent and reserved already.
        used: String,
        /// What was asked for on top.
        asked: String,
    },
    /// An earlier bill went over the limit; the account refuses everything further.
    #[error("account {account} is overdrawn: {unit} is {spent} of {limit}; raise the limit")]
    Overdrawn {
        /// The account.
        account: AccountId,
        /// The unit that is over.
        unit: Unit,
        /// Its limit.
        limit: String,
        /// What was spent.
        spent: String,
    },
    /// No such run.
    #[error("run {run} is not open: call open_run first")]
    UnknownRun {
        /// The run.
        run: RunId,
    },
    /// A run of this name is open.
    #[error("run {run} is open already: choose another name or close it")]
    DuplicateRun {
        /// The run.
        run: RunId,
    },
    /// The run would be within as many others as may be.
    #[error("run {run} would be within {max} others, the limit: open it within a wider one")]
    RunTooDeep {
        /// The run.
        run: RunId,
        /// The most runs that one may be within.
        max: usize,
    },
    /// Work that is no attempt is over, so nothing can be charged to it.
    #[error("the work is over: nothing can be charged to it")]
    WorkOver,
    /// The attempt is over, so nothing can be charged to it.
    #[error("attempt {attempt} of task {task} is over: nothing can be charged to it")]
    AttemptOver {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
    },
}

/// An account that has no room for an attempt.
#[derive(Debug)]
pub(crate) struct Shortage {
    pub(crate) account: AccountId,
    /// What is reserved stands in the way, and may come back.
    pub(crate) may_return: bool,
    pub(crate) error: BudgetError,
}

impl Shortage {
    /// Whether it is an agent's own cap, so that another agent may do.
    pub(crate) const fn is_of_agent(&self) -> bool {
        matches!(self.account, AccountId::Agent(_))
    }
}
