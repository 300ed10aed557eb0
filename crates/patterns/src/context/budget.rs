//! The run that is a context's budget.

use universal_orchestrator::{BudgetError, Limits, RunId, UniversalOrchestrator};

/// A run of the orchestrator; closed with the last context that draws on it, unless somebody else opened it.
pub(super) struct OpenRun {
    id: RunId,
    /// Set when it is ours to close.
    owner: Option<UniversalOrchestrator>,
}

impl OpenRun {
    /// Opens a run of this name, perhaps within another.
    pub(super) fn open(
        orchestrator: &UniversalOrchestrator,
        id: RunId,
        outer: Option<&RunId>,
        limits: Limits,
    ) -> Result<Self, BudgetError> {
        match outer {
            Some(outer) => orchestrator.open_run_within(&id, outer, limits)?,
            None => orchestrator.open_run(&id, limits)?,
        }
        Ok(Self {
            id,
            owner: Some(orchestrator.clone()),
        })
    }

    /// A run that somebody else opened and closes.
    pub(super) const fn of_another(id: RunId) -> Self {
        Self { id, owner: None }
    }

    pub(super) const fn id(&self) -> &RunId {
        &self.id
    }
}

impl Drop for OpenRun {
    fn drop(&mut self) {
        if let Some(orchestrator) = &self.owner {
            // It is gone only if a caller closed it by name, and then nothing is left to do.
            let _ = orchestrator.close_run(&self.id);
        }
    }
}
