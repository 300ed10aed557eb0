//! What one attempt holds reserved.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::budget::{Amount, BudgetError, Ledger, Path};

/// What one attempt holds reserved. Dropped unsettled, the whole of it is charged: the agent is lost and may have spent it.
#[derive(Debug)]
pub(crate) struct Hold {
    ledger: Arc<Ledger>,
    path: Path,
    inner: Mutex<HoldState>,
}

#[derive(Debug)]
struct HoldState {
    /// Reserved for the attempt itself and not yet spent: its call and its estimate.
    held: Amount,
    /// Reserved by the agent and not yet settled. It outlives the attempt: its bill may come later.
    outstanding: Amount,
    spent: Amount,
    open: bool,
}

impl HoldState {
    /// What a charge may take from the reservation: the estimate without the attempt's own call and time, whose bill comes at its end.
    fn free(&self) -> Amount {
        Amount {
            calls: self.held.calls.saturating_sub(1),
            busy: Duration::ZERO,
            ..self.held
        }
    }
}

impl Hold {
    pub(super) fn new(ledger: Arc<Ledger>, path: Path, held: Amount) -> Self {
        Self {
            ledger,
            path,
            inner: Mutex::new(HoldState {
                held,
                outstanding: Amount::default(),
                spent: Amount::default(),
                open: true,
            }),
        }
    }

    /// Whether what it gave back may serve somebody who was refused.
    pub(crate) fn has_freed(&self) -> bool {
        self.ledger.has_freed()
    }

    /// Reserves a further amount; `false` when the attempt is over.
    pub(crate) fn reserve(&self, amount: &Amount) -> Result<bool, BudgetError> {
        let mut inner = self.inner.lock();
        if !inner.open {
            return Ok(false);
        }
        self.ledger.reserve(&self.path, amount)?;
        inner.outstanding = inner.outstanding.plus(amount);
        Ok(true)
    }

    /// Reserves what the hold lacks and spends the amount. Nothing is recorded when it is refused.
    pub(crate) fn charge(&self, amount: &Amount) -> Result<bool, BudgetError> {
        let mut inner = self.inner.lock();
        if !inner.open {
            return Ok(false);
        }
        let from_hold = amount.least(&inner.free());
        let further = amount.minus(&from_hold);
        if !further.is_zero() {
            self.ledger.reserve(&self.path, &further)?;
        }
        self.ledger.settle(&self.path, amount, amount);
        inner.held = inner.held.minus(&from_hold);
        inner.spent = inner.spent.plus(amount);
        Ok(true)
    }

    /// Spends what was spent already: from the reservation first, and the rest as it is, even over a limit.
    pub(crate) fn bill(&self, amount: &Amount) {
        let mut inner = self.inner.lock();
        let from_hold = amount.least(&inner.free());
        self.ledger.settle(&self.path, &from_hold, amount);
        inner.held = inner.held.minus(&from_hold);
        inner.spent = inner.spent.plus(amount);
    }

    /// Records the bill of an earlier reservation as it is, even above it.
    pub(crate) fn settle(&self, reserved: &Amount, actual: &Amount) -> bool {
        let mut inner = self.inner.lock();
        let reserved = reserved.least(&inner.outstanding);
        self.ledger.settle(&self.path, &reserved, actual);
        inner.outstanding = inner.outstanding.minus(&reserved);
        inner.spent = inner.spent.plus(actual);
        inner.open
    }

    /// Ends the attempt: adds `usage` as it is, returns the unused part or, for a lost agent, charges it. Returns what was spent.
    pub(crate) fn finish(&self, usage: &Amount, lost: bool) -> Amount {
        let mut inner = self.inner.lock();
        if !inner.open {
            return inner.spent;
        }
        inner.open = false;
        let held = std::mem::take(&mut inner.held);
        // The call reserved for the attempt itself is part of `usage`, so only what lies beyond is a loss.
        let bill = if lost {
            usage.plus(&held.minus(usage))
        } else {
            *usage
        };
        self.ledger.settle(&self.path, &held, &bill);
        inner.spent = inner.spent.plus(&bill);
        inner.spent
    }

    /// Ends an attempt that nobody has ended: its agent is lost.
    pub(crate) fn abandon(&mut self) {
        if self.inner.get_mut().open {
            self.finish(&Amount::default(), true);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.abandon();
    }
}
