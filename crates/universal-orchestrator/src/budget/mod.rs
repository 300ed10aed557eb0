//! Budgets: what tasks, runs, tenants, agents and the whole orchestrator may spend.

mod amount;
mod hold;
mod ledger;

pub use amount::{Amount, Limits, Unit};
pub(crate) use hold::Hold;
pub use ledger::{AccountId, AccountView, BudgetError};
pub(crate) use ledger::{Ledger, Shortage};
