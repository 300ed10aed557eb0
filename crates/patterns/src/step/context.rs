//! What a function at work can see and do.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use universal_orchestrator::{Amount, BudgetError, SpendingHold};

use crate::context::OrchestrationContext;

/// One run of a function, as the function sees it. A cheap clone.
#[derive(Clone)]
pub struct StepContext(Arc<Cell>);

struct Cell {
    context: OrchestrationContext,
    /// `None` when the run is over.
    hold: Mutex<Option<SpendingHold>>,
    progress: Mutex<Option<Value>>,
}

impl StepContext {
    pub(super) fn new(context: &OrchestrationContext, hold: SpendingHold) -> Self {
        Self(Arc::new(Cell {
            context: context.clone(),
            hold: Mutex::new(Some(hold)),
            progress: Mutex::new(None),
        }))
    }

    /// The context of the orchestration.
    #[must_use]
    pub fn context(&self) -> &OrchestrationContext {
        &self.0.context
    }

    /// Spends from the budgets of run, tenant and orchestrator: all of them or none. The step's estimate is used first.
    ///
    /// # Errors
    /// [`BudgetError`] when an account has no room, or the step is over; nothing was spent then.
    pub fn charge(&self, amount: Amount) -> Result<(), BudgetError> {
        let hold = self.0.hold.lock();
        hold.as_ref().ok_or(BudgetError::WorkOver)?.charge(amount)
    }

    /// Records what was spent already, as it is. It may overdraw an account, which then refuses everything further.
    ///
    /// # Errors
    /// [`BudgetError::WorkOver`] when the step is over; nothing was recorded then.
    pub fn bill(&self, amount: Amount) -> Result<(), BudgetError> {
        let hold = self.0.hold.lock();
        hold.as_ref().ok_or(BudgetError::WorkOver)?.bill(amount);
        Ok(())
    }

    /// Says how far it is: kept as the partial result should it not finish.
    pub fn progress(&self, value: impl Into<Value>) {
        *self.0.progress.lock() = Some(value.into());
    }

    pub(super) fn take_hold(&self) -> Option<SpendingHold> {
        self.0.hold.lock().take()
    }

    pub(super) fn take_progress(&self) -> Option<Value> {
        self.0.progress.lock().take()
    }
}

impl fmt::Debug for StepContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepContext")
            .field("context", &self.0.context)
            .finish_non_exhaustive()
    }
}
