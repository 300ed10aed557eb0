//! Budgets: what tasks, runs, tenants, agents and the whole orchestrator may spend.

mod amount;
mod ledger;

pub use amount::{Amount, Limits, Unit};
pub use ledger::{AccountId, AccountView, BudgetError};
pub(crate) use ledger::{Hold, Ledger};
