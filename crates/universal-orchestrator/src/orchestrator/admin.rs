//! Pauses, plugins at run time, runs, services, events.

use std::sync::Arc;

use crate::budget::{AccountId, AccountView, BudgetError, Limits};
use crate::engine::Engine;
use crate::event::EventStream;
use crate::id::{Capability, RunId, TaskId};
use crate::orchestrator::shared::Shared;
use crate::orchestrator::{TaskHandle, UniversalOrchestrator};
use crate::plugin::{PluginError, PluginStatus};
use crate::task::{DeadLetter, Refused, Task};

impl UniversalOrchestrator {
    /// Refuses every new task, except children of tasks at work, until [`resume_intake`](Self::resume_intake).
    pub fn pause_intake(&self) {
        self.shared.with_engine(|e, _| e.pause_intake(true));
    }

    /// Takes new tasks again.
    pub fn resume_intake(&self) {
        self.shared.with_engine(|e, _| e.pause_intake(false));
    }

    /// Leaves queued tasks where they are until [`resume_queue`](Self::resume_queue); new ones are still accepted, and `delegate_task` still binds.
    pub fn pause_queue(&self) {
        self.shared.with_engine(|e, _| e.pause_queue(true));
    }

    /// Gives queued tasks to agents again.
    pub fn resume_queue(&self) {
        self.shared.with_engine(|e, _| e.pause_queue(false));
    }

    /// Starts no task that requires this capability until [`resume_capability`](Self::resume_capability).
    pub fn pause_capability(&self, capability: &Capability) {
        self.shared
            .with_engine(|e, _| e.pause_capability(capability, true));
    }

    /// Starts tasks that require this capability again.
    pub fn resume_capability(&self, capability: &Capability) {
        self.shared
            .with_engine(|e, _| e.pause_capability(capability, false));
    }

    /// Switches a plugin's hooks on again, also those that were switched off after faults.
    ///
    /// # Errors
    /// [`PluginError::Unknown`] lists the known ones.
    pub fn enable_plugin(&self, name: &str) -> Result<(), PluginError> {
        self.shared.plugins.set_enabled(name, true)
    }

    /// Switches a plugin's hooks off: the way to be rid of a guard that keeps failing.
    ///
    /// # Errors
    /// [`PluginError::Unknown`] lists the known ones.
    pub fn disable_plugin(&self, name: &str) -> Result<(), PluginError> {
        self.shared.plugins.set_enabled(name, false)
    }

    /// Gives a plugin another configuration section, in TOML.
    ///
    /// # Errors
    /// [`PluginError`]; the old configuration stays then.
    pub fn reconfigure_plugin(&self, name: &str, toml: &str) -> Result<(), PluginError> {
        self.shared.plugins.reconfigure(name, toml)
    }

    /// The plugins, in the order in which their hooks run.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginStatus> {
        self.shared.plugins.status()
    }

    /// A service that a plugin offers, by the type it was offered under.
    #[must_use]
    pub fn service<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.shared.services.get::<T>()
    }

    /// Opens the budget of a run. Tasks name the run and share it.
    ///
    /// # Errors
    /// [`BudgetError::DuplicateRun`] when it is open.
    pub fn open_run(&self, run: &RunId, limits: Limits) -> Result<(), BudgetError> {
        self.shared.ledger.open_run(run, None, limits)
    }

    /// Opens a run within another: what it spends counts in both, so that it can only narrow the other's budget.
    ///
    /// It stays within the other when that is closed first; nothing counts there any more then.
    ///
    /// # Errors
    /// [`BudgetError::DuplicateRun`] when it is open, [`BudgetError::UnknownRun`] when the other is not,
    /// [`BudgetError::RunTooDeep`] when the other is within 32 already.
    pub fn open_run_within(
        &self,
        run: &RunId,
        outer: &RunId,
        limits: Limits,
    ) -> Result<(), BudgetError> {
        self.shared.ledger.open_run(run, Some(outer), limits)
    }

    /// Closes a run and says what it spent. Tasks of it that are still live charge their wider accounts alone from then on.
    ///
    /// # Errors
    /// [`BudgetError::UnknownRun`] when it is not open.
    pub fn close_run(&self, run: &RunId) -> Result<AccountView, BudgetError> {
        let account = AccountId::Run(run.clone());
        let closed = self.shared.ledger.close(&account);
        if self.shared.ledger.has_freed() {
            // Tasks that waited for it wait no longer.
            self.shared.with_engine(|_, _| ());
        }
        closed.ok_or_else(|| BudgetError::UnknownRun { run: run.clone() })
    }

    /// How an account stands.
    #[must_use]
    pub fn account(&self, account: &AccountId) -> Option<AccountView> {
        self.shared.ledger.view(account)
    }

    /// Listens to events from now on.
    #[must_use]
    pub fn events(&self) -> EventStream {
        self.shared.events.subscribe()
    }

    /// The dead letters, oldest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.shared.with_engine(|e, _| e.dead_letters())
    }

    /// Submits a dead letter again as a new task with `replay_of`. The letter is gone when the new task is accepted.
    ///
    /// # Errors
    /// [`Refused`] when there is no such letter, or the new task is refused; the letter stays then. While one call replays a letter, there is none for others.
    ///
    /// # Cancel safety
    /// Dropping the future before it is done leaves the letter where it was.
    pub async fn replay_dead_letter(&self, id: &TaskId) -> Result<TaskHandle, Refused> {
        let letter = self.shared.with_engine(|e, _| e.take_dead_letter(id));
        let Some((at, letter)) = letter else {
            return Err(Refused::new(
                Self::unknown_dead_letter(id),
                Task::new("replay"),
            ));
        };
        let mut task = letter.task.clone().into_task();
        let mut letter = Letter {
            shared: &self.shared,
            letter: Some((at, letter)),
        };
        task.id = None;
        let options = task.options_mut();
        options.replay_of = Some(id.clone());
        options.after.clear();
        options.parent = None;
        let handle = self.submit_task(task).await?;
        letter.letter = None;
        Ok(handle)
    }
}

/// A dead letter that is being replayed; put back unless its task was accepted.
struct Letter<'a> {
    shared: &'a Shared,
    /// Where it was, and it.
    letter: Option<(usize, DeadLetter)>,
}

impl Drop for Letter<'_> {
    fn drop(&mut self) {
        if let Some((at, letter)) = self.letter.take() {
            let put_back = |e: &mut Engine| e.put_dead_letter_back(at, letter);
            drop(self.shared.with_engine(|e, _| put_back(e)));
        }
    }
}
