//! Hooks that decide, asked outside of every lock.

use std::sync::Arc;

use crate::engine::{Gate, Launch};
use crate::metrics::MetricName;
use crate::orchestrator::shared::Shared;
use crate::orchestrator::validate::check_task;
use crate::plugin::{GuardCall, HeldCommands, HookPoint, ShapePoint};
use crate::principal::Principal;
use crate::task::{FailureKind, Refusal, Refused, Task, TaskFailure, TaskRecord, Veto};

/// What the hooks made of a task and what they command, or why it does not go on.
pub(crate) type Answer = Result<(Arc<TaskRecord>, HeldCommands), Refusal>;

impl Shared {
    /// What every door does first: checks the bounds, gives an id, asks the hooks of `submit`. What these command runs when the task is accepted.
    pub(crate) async fn enter(
        &self,
        task: Task,
        principal: &Principal,
    ) -> Result<(Arc<TaskRecord>, HeldCommands), Refused> {
        let record = self.enter_silently(task, principal)?;
        if !self.plugins.decides(HookPoint::Submit) {
            return Ok((record, HeldCommands::default()));
        }
        let mut shaped = Arc::clone(&record);
        match self.ask(ShapePoint::Submit, &mut shaped).await {
            Ok(commands) => Ok((shaped, commands)),
            Err(refusal) => {
                self.with_engine(|e, _| e.was_refused(&record));
                Err(self.refused(refusal, record))
            }
        }
    }

    /// The part of [`Self::enter`] without hooks.
    pub(crate) fn enter_silently(
        &self,
        task: Task,
        principal: &Principal,
    ) -> Result<Arc<TaskRecord>, Refused> {
        if let Err(refusal) = check_task(&self.config, &task) {
            self.metrics
                .count(MetricName::TasksRefused, refusal.as_str());
            self.engine.lock().count_refused();
            return Err(Refused::new(refusal, task));
        }
        let id = match &task.id {
            Some(chosen) => {
                self.skip_task_id(chosen);
                chosen.clone()
            }
            None => self.next_task_id(),
        };
        Ok(Arc::new(TaskRecord::new(id, principal.clone(), task)))
    }

    /// Counts a refusal and hands the task back.
    pub(crate) fn refused(&self, refusal: impl Into<Refusal>, record: Arc<TaskRecord>) -> Refused {
        let refusal = refusal.into();
        self.metrics
            .count(MetricName::TasksRefused, refusal.as_str());
        tracing::debug!(task = %record.id(), reason = refusal.as_str(), "task refused");
        let task = Arc::try_unwrap(record)
            .unwrap_or_else(|shared| (*shared).clone())
            .into_task();
        Refused::new(refusal, task)
    }

    /// Lets shape hooks change a task, checks its bounds again, and asks the guards.
    async fn ask(
        &self,
        point: ShapePoint<'_>,
        record: &mut Arc<TaskRecord>,
    ) -> Result<HeldCommands, Refusal> {
        let principal = record.caller().clone();
        let (control, commands) = self.control.holding();
        let context = self.hook_context(&principal, &control);
        let given = Arc::clone(record);
        if self.plugins.shape(self, &context, point, record).await {
            check_task(&self.config, record.task())?;
            Arc::make_mut(record).was_given_as(given);
        }
        let call = match point {
            ShapePoint::Submit => GuardCall::Submit { task: record },
            ShapePoint::Delegate(agent) => GuardCall::Delegate {
                task: record,
                agent,
            },
            ShapePoint::Start(delegation) => GuardCall::Start {
                task: record,
                delegation,
            },
        };
        self.plugins
            .guard(self, &context, &call)
            .await
            .map_err(Refusal::Vetoed)?;
        Ok(commands)
    }

    /// Asks the hooks before a delegation. The record may come back changed.
    pub(crate) async fn ask_delegate(&self, launch: &Launch) -> Answer {
        let mut record = Arc::clone(&launch.record);
        let agent = launch.delegation.agent();
        let commands = self.ask(ShapePoint::Delegate(agent), &mut record).await?;
        Ok((record, commands))
    }

    /// Asks the hooks before a start. The record may come back changed.
    pub(crate) async fn ask_start(&self, launch: &Launch) -> Answer {
        let mut record = Arc::clone(&launch.record);
        let point = ShapePoint::Start(&launch.delegation);
        let commands = self.ask(point, &mut record).await?;
        Ok((record, commands))
    }

    /// Asks the guards of a retry, then lets the engine go on.
    pub(crate) async fn ask_retry_guard(&self, gate: Gate) {
        let principal = gate.record.caller().clone();
        let (control, commands) = self.control.holding();
        let context = self.hook_context(&principal, &control);
        let call = GuardCall::Retry {
            task: &gate.record,
            failure: &gate.failure,
            attempt: gate.delegation.attempt(),
        };
        let veto = self
            .plugins
            .guard(self, &context, &call)
            .await
            .err()
            .map(|veto| vetoed(&veto));
        if self.with_engine(|e, now| e.gate_answered(gate, veto, now)) {
            commands.release();
        }
    }
}

/// A veto as the failure of a task that had been accepted.
pub(crate) fn vetoed(veto: &Veto) -> TaskFailure {
    TaskFailure::new(FailureKind::Vetoed, veto.to_string())
}

/// A refusal as the failure of a task that had been accepted.
pub(crate) fn refusal_failure(refusal: &Refusal) -> TaskFailure {
    match refusal {
        Refusal::Vetoed(veto) => vetoed(veto),
        other => TaskFailure::new(FailureKind::Vetoed, other.to_string()),
    }
}
