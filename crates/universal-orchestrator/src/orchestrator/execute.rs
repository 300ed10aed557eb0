//! `execute`: submits, lets an agent run it, and awaits the outcome.

use std::sync::Arc;

use crate::agent::AttemptCell;
use crate::engine::{Door, Doorway, Phase, Signal, TaskKey};
use crate::orchestrator::UniversalOrchestrator;
use crate::orchestrator::attempt::{AtWork, First, Run, drive};
use crate::orchestrator::shared::Shared;
use crate::orchestrator::spawn::Kind;
use crate::plugin::{HeldCommands, HookPoint};
use crate::task::{FailureKind, Refused, Task, TaskOutcome, TaskRecord};

impl UniversalOrchestrator {
    /// Submits a task, lets an agent run it, and awaits the outcome.
    ///
    /// When an in-process agent is free, its future is polled once in the caller's task; work that needs no waiting ends there. Everything else runs in a task of its own.
    ///
    /// # Errors
    /// [`Refused`] hands the task back, as [`submit_task`](Self::submit_task) does. A task that was accepted and did not succeed is an outcome, not an error.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the task.
    pub async fn execute(&self, task: Task) -> Result<TaskOutcome, Refused> {
        let shared = &self.shared;
        let (record, commands) = if shared.plugins.decides(HookPoint::Submit) {
            shared.enter(task, self.principal()).await?
        } else {
            let record = shared.enter_silently(task, self.principal())?;
            (record, HeldCommands::default())
        };
        shared.execute_record(record, commands, None).await
    }

    /// Executes several tasks at once, each on its own, and awaits all outcomes, in the order of the tasks.
    ///
    /// How many run at once is bounded by the agents' slots and by `max_concurrent_tasks`; the others queue.
    ///
    /// # Errors
    /// Per task, [`Refused`] hands it back; all of them when there are more than `tasks.batch_max`.
    ///
    /// # Cancel safety
    /// Dropping the future cancels those tasks that are not over.
    pub async fn execute_tasks(&self, tasks: Vec<Task>) -> Vec<Result<TaskOutcome, Refused>> {
        if let Some(refusal) = self.shared.refuse_batch(&tasks) {
            let refuse = |task| Err(Refused::new(refusal.clone(), task));
            return tasks.into_iter().map(refuse).collect();
        }
        futures::future::join_all(tasks.into_iter().map(|task| self.execute(task))).await
    }
}

/// Cancels a task unless its outcome was reached.
struct CancelOnDrop<'a> {
    shared: &'a Shared,
    task: Option<TaskKey>,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            self.shared.with_engine(|e, now| {
                e.cancel(
                    task,
                    "whoever awaited it in execute is gone",
                    FailureKind::Cancelled,
                    now,
                )
            });
        }
    }
}

impl Shared {
    pub(crate) async fn run_child(
        &self,
        attempt: &AttemptCell,
        task: Task,
    ) -> Result<TaskOutcome, Refused> {
        let parent_key = self
            .with_engine(|e, now| e.current(&attempt.delegation, now))
            .ok();
        let Some(parent) = parent_key else {
            let parent = attempt.record.id().clone();
            return Err(Refused::new(
                crate::task::Refusal::ParentOver { parent },
                task,
            ));
        };
        let task = self.inherit(attempt, task);
        let (record, commands) = self.enter(task, attempt.record.caller()).await?;
        self.execute_record(record, commands, Some(parent)).await
    }

    async fn execute_record(
        &self,
        record: Arc<TaskRecord>,
        commands: HeldCommands,
        parent: Option<TaskKey>,
    ) -> Result<TaskOutcome, Refused> {
        let way = Doorway {
            door: Door::Execute,
            parent,
        };
        let span = tracing::debug_span!("task.dispatch", task = %record.id());
        let accepted = span.in_scope(|| {
            self.with_engine(|e, now| {
                let accepted = e.submit(&record, way, now)?;
                // A launch that is not running yet may still be vetoed or routed elsewhere.
                let at_once = accepted
                    .launch
                    .as_ref()
                    .is_some_and(|l| l.phase == Phase::Running);
                let signal = if at_once {
                    None
                } else {
                    e.signal(accepted.key)
                };
                Ok::<_, crate::task::Refusal>((accepted, signal))
            })
        });
        let (accepted, signal) = match accepted {
            Ok(accepted) => accepted,
            Err(refusal) => return Err(self.refused(refusal, record)),
        };
        commands.release();
        let mut guard = CancelOnDrop {
            shared: self,
            task: Some(accepted.key),
        };
        let outcome = match (accepted.launch, self.own.upgrade()) {
            (Some(launch), Some(shared)) => {
                let (first, next) = Run::new(Arc::clone(&shared), launch).begin().await;
                if let Some(next) = next {
                    self.start_attempt(next);
                }
                match first {
                    First::Over(outcome) => outcome,
                    First::Elsewhere(own) => {
                        self.wait_for(accepted.key, &record, signal.or(own)).await
                    }
                    First::AtWork(at_work) => {
                        let (run, work) = *at_work;
                        self.hand_over(shared, run, work, accepted.key, &record, signal)
                            .await
                    }
                }
            }
            _ => self.wait_for(accepted.key, &record, signal).await,
        };
        guard.task = None;
        Ok(outcome)
    }

    /// The agent needs time: the rest of its work goes to a task of its own.
    async fn hand_over(
        &self,
        shared: Arc<Self>,
        run: Run,
        work: AtWork,
        key: TaskKey,
        record: &Arc<TaskRecord>,
        signal: Option<Arc<Signal>>,
    ) -> TaskOutcome {
        let signal = signal.or_else(|| {
            self.with_engine(|e, _| {
                let live = e.state_of(key).is_some_and(crate::task::TaskState::is_live);
                if live { e.signal(key) } else { None }
            })
        });
        let over = run.outcome_from_outside();
        self.spawner.spawn(Kind::Attempt, async move {
            let (_, next) = run.go_on(work).await;
            if let Some(next) = next {
                drive(Run::new(shared, next)).await;
            }
        });
        match (signal, over) {
            (None, Some(over)) => over,
            (signal, _) => self.wait_for(key, record, signal).await,
        }
    }

    /// Awaits the end of a task. Without a signal it is looked up; one that is neither live nor retained was ended from outside.
    pub(crate) async fn wait_for(
        &self,
        key: TaskKey,
        record: &Arc<TaskRecord>,
        signal: Option<Arc<Signal>>,
    ) -> TaskOutcome {
        let signal = match signal {
            Some(signal) => signal,
            None => {
                let found = self.with_engine(|e, _| match e.outcome(key) {
                    Some(outcome) => Some(Err(outcome)),
                    None => e.signal(key).map(Ok),
                });
                match found {
                    Some(Ok(signal)) => signal,
                    Some(Err(outcome)) => return outcome,
                    None => return TaskOutcome::forgotten(record),
                }
            }
        };
        signal.wait().await
    }
}
