//! Spending by code that is no agent: the same accounts, reservations and bills as an attempt has.

use std::fmt;
use std::sync::Arc;

use crate::budget::{AccountId, Amount, BudgetError, Hold, Path};
use crate::id::{RunId, Tenant};
use crate::orchestrator::UniversalOrchestrator;
use crate::orchestrator::shared::Shared;

impl UniversalOrchestrator {
    /// The accounts that code outside of tasks draws on: those of the run and of the runs that it is within, the tenant's present day, and the whole.
    ///
    /// # Errors
    /// [`BudgetError::UnknownRun`] when the run is not open.
    pub fn spending(
        &self,
        run: Option<&RunId>,
        tenant: Option<&Tenant>,
    ) -> Result<Spending, BudgetError> {
        let shared = &self.shared;
        let mut path = run.map_or_else(|| Ok(Vec::new()), |run| shared.ledger.lineage(run))?;
        if let Some(tenant) = tenant {
            path.push(shared.with_engine(|e, _| e.open_today(tenant.clone())));
        }
        path.push(AccountId::Global);
        Ok(Spending {
            shared: Arc::clone(shared),
            path: path.into(),
        })
    }
}

/// The accounts that code outside of tasks draws on: all of them or none. A cheap clone.
#[derive(Clone)]
pub struct Spending {
    shared: Arc<Shared>,
    path: Path,
}

impl Spending {
    /// The accounts, the narrowest first.
    #[must_use]
    pub fn accounts(&self) -> &[AccountId] {
        &self.path
    }

    /// The narrowest of the accounts that a bill has overdrawn: it refuses everything further.
    #[must_use]
    pub fn overdrawn(&self) -> Option<&AccountId> {
        let at = self.shared.ledger.overdrawn(&self.path)?;
        self.path.get(at)
    }

    /// Sets an amount aside for one piece of work. It does not wait for room.
    ///
    /// # Errors
    /// [`BudgetError`] when an account has no room; nothing was reserved then.
    pub fn begin(&self, estimate: Amount) -> Result<SpendingHold, BudgetError> {
        let hold = self.shared.ledger.hold_now(self.path.clone(), estimate)?;
        Ok(SpendingHold {
            shared: Arc::clone(&self.shared),
            hold,
        })
    }
}

impl fmt::Debug for Spending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spending")
            .field("accounts", &self.accounts())
            .finish_non_exhaustive()
    }
}

/// What one piece of work has set aside. Dropped unfinished, the whole of it is charged: the work is lost and may have spent it.
#[must_use = "a hold that is dropped is charged whole"]
pub struct SpendingHold {
    shared: Arc<Shared>,
    hold: Hold,
}

impl SpendingHold {
    /// Spends from the accounts: from what is set aside first, and from new room for the rest. One call is kept for the work itself.
    ///
    /// # Errors
    /// [`BudgetError`] when an account has no room; nothing was spent then.
    pub fn charge(&self, amount: Amount) -> Result<(), BudgetError> {
        // The hold is open as long as there is a value of this type.
        self.hold.charge(&amount.sanitised()).map(|_open| ())
    }

    /// Records what was spent already, as it is. It may overdraw an account, which then refuses everything further.
    pub fn bill(&self, amount: Amount) {
        self.hold.bill(&amount.sanitised());
    }

    /// Ends the work as lost: charges what it used, and all that it has set aside. Says what was spent in all.
    pub fn lose(self, usage: Amount) -> Amount {
        self.hold.finish(&usage.sanitised(), true)
    }

    /// Ends the work: bills what it used besides its charges, as it is, and returns what is left. Says what was spent in all.
    pub fn finish(self, usage: Amount) -> Amount {
        self.hold.finish(&usage.sanitised(), false)
    }
}

impl Drop for SpendingHold {
    fn drop(&mut self) {
        self.hold.abandon();
        if self.hold.has_freed() {
            // Every decision ends with what follows from it, and this is all that follows.
            self.shared.with_engine(|_, _| ());
        }
    }
}

impl fmt::Debug for SpendingHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpendingHold")
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}
