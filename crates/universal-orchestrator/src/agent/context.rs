//! What an agent at work can see and do.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::budget::{Amount, BudgetError, Hold};
use crate::id::{AgentId, PrincipalName, TaskId};
use crate::task::{Delegation, Extensions, Refusal, Refused, Task, TaskOutcome, TaskRecord};

/// What the orchestrator does for an agent at work.
pub(crate) trait TaskHost: Send + Sync {
    fn progress(&self, attempt: &AttemptCell, value: Value);
    fn execute_child<'a>(
        &'a self,
        attempt: &'a AttemptCell,
        task: Task,
    ) -> BoxFuture<'a, Result<TaskOutcome, Refused>>;
    /// A reservation of nothing, which counts what an unlimited attempt spends.
    fn open_hold(&self) -> Hold;
    /// Something came back to an account that somebody waits for.
    fn budget_freed(&self);
    fn service(&self, id: std::any::TypeId) -> Option<Arc<dyn std::any::Any + Send + Sync>>;
}

/// One attempt, shared by the agent at work and the engine that may cancel it.
pub(crate) struct AttemptCell {
    pub(crate) record: Arc<TaskRecord>,
    pub(crate) delegation: Delegation,
    pub(crate) deadline: Option<Instant>,
    /// Weak: timers of the host keep cells.
    host: Weak<dyn TaskHost>,
    /// What the attempt has reserved; made on its first charge when no account limits it.
    hold: OnceLock<Hold>,
    cancelled: AtomicBool,
    token: OnceLock<CancellationToken>,
    abort: OnceLock<CancellationToken>,
    /// What came of the task when it was ended from outside.
    outcome: OnceLock<TaskOutcome>,
}

impl AttemptCell {
    pub(crate) fn new(
        record: Arc<TaskRecord>,
        delegation: Delegation,
        deadline: Option<Instant>,
        host: Weak<dyn TaskHost>,
        hold: Option<Hold>,
    ) -> Self {
        Self {
            record,
            delegation,
            deadline,
            host,
            hold: hold.map_or_else(OnceLock::new, OnceLock::from),
            cancelled: AtomicBool::new(false),
            token: OnceLock::new(),
            abort: OnceLock::new(),
            outcome: OnceLock::new(),
        }
    }

    pub(crate) fn hold(&self) -> Option<&Hold> {
        self.hold.get()
    }

    /// The reservation to charge; `None` when the attempt is over.
    fn open_hold(&self) -> Option<&Hold> {
        if let Some(hold) = self.hold.get() {
            return Some(hold);
        }
        let host = self.host().filter(|_| !self.is_cancelled())?;
        Some(self.hold.get_or_init(|| host.open_hold()))
    }

    /// `None` when the orchestrator is gone, and the attempt with it.
    fn host(&self) -> Option<Arc<dyn TaskHost>> {
        self.host.upgrade()
    }

    /// Asks the agent to stop.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        if let Some(token) = self.token.get() {
            token.cancel();
        }
    }

    /// The token is made on first use: most tasks never look at it.
    pub(crate) fn token(&self) -> &CancellationToken {
        let token = self.token.get_or_init(CancellationToken::new);
        if self.cancelled.load(Ordering::SeqCst) {
            token.cancel();
        }
        token
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn set_outcome(&self, outcome: TaskOutcome) {
        // A task ends once, so the cell is empty here.
        let _ = self.outcome.set(outcome);
    }

    pub(crate) fn outcome(&self) -> Option<&TaskOutcome> {
        self.outcome.get()
    }

    /// Cancelled when the grace is over: whoever drives the agent's future drops it.
    pub(crate) fn abort_token(&self) -> &CancellationToken {
        self.abort.get_or_init(CancellationToken::new)
    }
}

impl fmt::Debug for AttemptCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptCell")
            .field("delegation", &self.delegation)
            .finish_non_exhaustive()
    }
}

/// One attempt of one task, as the agent that runs it sees it. A cheap clone.
#[derive(Debug, Clone)]
pub struct TaskContext(Arc<AttemptCell>);

impl TaskContext {
    pub(crate) const fn new(cell: Arc<AttemptCell>) -> Self {
        Self(cell)
    }

    /// The task's id.
    #[must_use]
    pub fn task_id(&self) -> &TaskId {
        self.0.record.id()
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &Task {
        self.0.record.task()
    }

    /// What to work on.
    #[must_use]
    pub fn payload(&self) -> &Value {
        self.task().payload_value()
    }

    /// The agent that the task was given to.
    #[must_use]
    pub fn agent_id(&self) -> &AgentId {
        self.0.delegation.agent()
    }

    /// Who submitted the task.
    #[must_use]
    pub fn principal(&self) -> &PrincipalName {
        self.0.record.principal()
    }

    /// The attempt: 1, 2, ….
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.delegation.attempt()
    }

    /// When the task must be over.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// Values that plugins attached to the task, by type.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        self.0.record.extensions()
    }

    /// A service that a plugin offers, by the type it was offered under, for example `dyn Clock`.
    #[must_use]
    pub fn service<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let service = self.0.host()?.service(std::any::TypeId::of::<Arc<T>>())?;
        service.downcast_ref::<Arc<T>>().cloned()
    }

    /// Cancelled when the task is cancelled or timed out. The future is dropped `tasks.cancel_grace_ms` later.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        self.0.token()
    }

    /// Whether the task was cancelled or timed out: for loops that do not await.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Tells those who watch the task how far it is, restarts the idle timeout, and is kept as the partial result should the attempt not finish.
    pub fn progress(&self, value: impl Into<Value>) {
        if let Some(host) = self.0.host() {
            host.progress(&self.0, value.into());
        }
    }

    /// Spends from the budgets of task, run, tenant, orchestrator and agent: all of them or none.
    ///
    /// # Errors
    /// [`BudgetError`] when an account has no room; nothing was spent then.
    pub fn charge(&self, amount: Amount) -> Result<(), BudgetError> {
        let amount = amount.sanitised();
        let charged = match self.0.open_hold() {
            Some(hold) => hold.charge(&amount)?,
            None => false,
        };
        self.unless_over(charged)
    }

    /// Reserves before spending; the bill is settled later. A reservation dropped unsettled is charged whole.
    ///
    /// # Errors
    /// [`BudgetError`] when an account has no room; nothing was reserved then.
    pub fn reserve(&self, amount: Amount) -> Result<Reservation, BudgetError> {
        let amount = amount.sanitised();
        let reserved = match self.0.open_hold() {
            Some(hold) => hold.reserve(&amount)?,
            None => false,
        };
        self.unless_over(reserved)?;
        Ok(Reservation {
            cell: Arc::clone(&self.0),
            amount: Some(amount),
        })
    }

    fn unless_over(&self, open: bool) -> Result<(), BudgetError> {
        if open {
            return Ok(());
        }
        Err(BudgetError::AttemptOver {
            task: self.task_id().clone(),
            attempt: self.attempt(),
        })
    }

    /// Runs a child and awaits its outcome. The child inherits tenant, run, budget, deadline and cancellation, each of which it can only narrow.
    ///
    /// # Errors
    /// [`Refused`] with the child: also when it would be too deep, or would wait for what its own ancestors have.
    ///
    /// # Cancel safety
    /// Dropping the returned future cancels the child.
    pub async fn execute_child(&self, task: Task) -> Result<TaskOutcome, Refused> {
        let Some(host) = self.0.host() else {
            return Err(Refused::new(Refusal::ShuttingDown, task));
        };
        host.execute_child(&self.0, task).await
    }
}

/// An amount set aside for one purchase.
#[must_use = "a reservation that is dropped is charged whole"]
#[derive(Debug)]
pub struct Reservation {
    cell: Arc<AttemptCell>,
    amount: Option<Amount>,
}

impl Reservation {
    /// Records the bill as it is. One above the reservation may overdraw an account, which then refuses everything further.
    pub fn settle(mut self, actual: Amount) {
        self.close(actual.sanitised());
    }

    /// Returns the whole reservation.
    pub fn release(mut self) {
        self.close(Amount::default());
    }

    fn close(&mut self, actual: Amount) {
        if let (Some(amount), Some(hold)) = (self.amount.take(), self.cell.hold()) {
            hold.settle(&amount, &actual);
            if hold.has_freed()
                && let Some(host) = self.cell.host.upgrade()
            {
                host.budget_freed();
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(amount) = self.amount {
            self.close(amount);
        }
    }
}
