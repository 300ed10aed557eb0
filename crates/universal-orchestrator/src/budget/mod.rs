//! Budgets: what tasks, runs, tenants, agents and the whole orchestrator may spend.

mod account;
mod amount;
mod books;
mod error;
mod hold;
mod ledger;
mod path;
mod sum;

pub use account::{AccountId, AccountView};
pub use amount::{Amount, Limits, Unit};
pub use error::BudgetError;
pub(crate) use error::Shortage;
pub(crate) use hold::Hold;
pub(crate) use ledger::Ledger;
pub(crate) use path::Path;
