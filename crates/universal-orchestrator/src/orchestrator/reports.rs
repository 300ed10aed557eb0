//! What external agents report, and what anybody may do to a task.

use std::sync::Arc;

use serde_json::Value;

use crate::agent::AgentCallError;
use crate::budget::{Amount, BudgetError};
use crate::engine::Report;
use crate::id::{AgentId, TaskId};
use crate::orchestrator::hooks::refusal_failure;
use crate::orchestrator::{TaskHandle, UniversalOrchestrator};
use crate::plugin::{HeldCommands, HookPoint};
use crate::task::{
    Delegation, FailureKind, Refusal, ReportError, TaskEvent, TaskFailure, TaskOutcome, bounded,
};

impl UniversalOrchestrator {
    /// Reports that an attempt succeeded.
    ///
    /// # Errors
    /// [`ReportError`] when the delegation is not the current one (a duplicate, a stranger's or a stale report) or the result is too large. Nothing changed then.
    pub async fn complete_task(
        &self,
        delegation: &Delegation,
        result: impl Into<Value>,
    ) -> Result<(), ReportError> {
        let result = self.checked(result.into())?;
        self.shared
            .with_engine(|e, now| e.report(delegation, Report::Done(result), now))
    }

    /// Reports that an attempt failed: [`TaskFailure::retryable`] asks for another attempt as the retry policy allows, [`TaskFailure::permanent`] ends the task.
    ///
    /// # Errors
    /// [`ReportError`] when the delegation is not the current one or the text is too large. Nothing changed then.
    pub async fn fail_task(
        &self,
        delegation: &Delegation,
        failure: TaskFailure,
    ) -> Result<(), ReportError> {
        let (bytes, max) = (
            failure.message().len(),
            self.shared.config.tasks.result_bytes_max,
        );
        if bytes > max {
            return Err(ReportError::ResultTooLarge { bytes, max });
        }
        // The other kinds are the orchestrator's to give.
        let failure = match failure.kind() {
            FailureKind::Retryable | FailureKind::Permanent => failure,
            other => TaskFailure::permanent(format!("{other}: {}", failure.message())),
        };
        self.shared
            .with_engine(|e, now| e.report(delegation, Report::Failed(failure), now))
    }

    /// Tells that an external agent, told by [`delegate_task`](Self::delegate_task), has begun: fires the hooks of `start`. Optional.
    ///
    /// # Errors
    /// [`ReportError`] when the delegation is not the current one, or the task was begun already; [`ReportError::Vetoed`] when a guard
    /// vetoed the start: the task is over then, as rejected.
    pub async fn start_task(&self, delegation: &Delegation) -> Result<(), ReportError> {
        let shared = &*self.shared;
        let mut launch = shared.with_engine(|e, now| e.launch_of(delegation, now))?;
        let mut commands = HeldCommands::default();
        if shared.plugins.decides(HookPoint::Start) {
            match shared.ask_start(&launch).await {
                Ok(answer) => (launch.record, commands) = answer,
                Err(refusal) => {
                    let failure = refusal_failure(&refusal);
                    shared.with_engine(|e, now| {
                        if e.is_current(&launch) {
                            e.finish(launch.task, TaskEvent::Reject, None, Some(failure), now);
                        }
                    });
                    return Err(ReportError::Vetoed {
                        task: delegation.task().clone(),
                        reason: refusal.to_string(),
                    });
                }
            }
        }
        if shared.with_engine(|e, now| e.commit_start(&mut launch, now)) {
            commands.release();
            return Ok(());
        }
        shared
            .with_engine(|e, now| e.current(delegation, now))
            .map(drop)?;
        Err(ReportError::NotYours {
            task: delegation.task().clone(),
            agent: delegation.agent().clone(),
        })
    }

    /// Reports progress of an attempt: renews its lease and restarts its idle timeout.
    ///
    /// # Errors
    /// [`ReportError`] when the delegation is not the current one or the value is too large: the agent should stop.
    pub async fn report_progress(
        &self,
        delegation: &Delegation,
        progress: impl Into<Value>,
    ) -> Result<(), ReportError> {
        let progress = self.checked(progress.into())?;
        self.shared
            .with_engine(|e, now| e.progress(delegation, progress, now))
    }

    fn checked(&self, value: Value) -> Result<Value, ReportError> {
        let limits = &self.shared.config.tasks;
        bounded(value, limits.result_bytes_max, limits.payload_depth_max).map_err(|exceeded| {
            ReportError::of_bounds(exceeded, limits.result_bytes_max, limits.payload_depth_max)
        })
    }

    /// Charges what an external attempt spent to its budgets.
    ///
    /// # Errors
    /// [`BudgetError`] when an account has no room or the attempt is over; nothing was spent then.
    pub async fn charge_task(
        &self,
        delegation: &Delegation,
        amount: Amount,
    ) -> Result<(), BudgetError> {
        self.shared
            .with_engine(|e, now| e.charge(delegation, amount.sanitised(), now))
    }

    /// A sign of life of an agent: renews its leases.
    ///
    /// # Errors
    /// [`AgentCallError::Unknown`].
    pub async fn heartbeat(&self, agent: &AgentId) -> Result<(), AgentCallError> {
        self.shared.with_engine(|e, now| e.heartbeat(agent, now))
    }

    /// Cancels a live task. Its agent is told, and its future dropped when `tasks.cancel_grace_ms` have passed.
    ///
    /// # Errors
    /// [`ReportError::UnknownTask`], or [`ReportError::AlreadyOver`].
    pub async fn cancel_task(&self, task: &TaskId) -> Result<(), ReportError> {
        self.shared.with_engine(|e, now| {
            let key = e
                .task_key(task)
                .ok_or_else(|| ReportError::UnknownTask { task: task.clone() })?;
            if e.cancel_for(key, "cancelled by request", self.principal(), now) {
                return Ok(());
            }
            Err(ReportError::AlreadyOver {
                task: task.clone(),
                state: e.state_of(key).unwrap_or(crate::task::TaskState::Cancelled),
            })
        })
    }

    /// A handle to a live or retained task.
    #[must_use]
    pub fn task(&self, id: &TaskId) -> Option<TaskHandle> {
        let key = self.shared.with_engine(|e, _| e.task_key(id))?;
        let handle = TaskHandle::new(Arc::clone(&self.shared), id.clone(), key);
        Some(handle.held_by(self.principal()))
    }

    /// Awaits the outcome of a task by its id.
    ///
    /// # Errors
    /// [`ReportError::UnknownTask`] when it is neither live nor retained.
    pub async fn wait_task(&self, id: &TaskId) -> Result<TaskOutcome, ReportError> {
        let unknown = || ReportError::UnknownTask { task: id.clone() };
        let handle = self.task(id).ok_or_else(unknown)?;
        handle.outcome().await.map_err(|_| unknown())
    }

    /// Why a task of this id could not be replayed, as the reason of a refusal.
    pub(crate) fn unknown_dead_letter(id: &TaskId) -> Refusal {
        crate::task::TaskFault::UnknownDeadLetter { id: id.clone() }.into()
    }
}
