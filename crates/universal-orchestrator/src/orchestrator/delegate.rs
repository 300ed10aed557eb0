//! `delegate_task`: binds now or refuses.

use std::sync::Arc;

use crate::clock::Stamp;
use crate::engine::{DelegateOptions, Engine, Launch, TaskKey};
use crate::orchestrator::UniversalOrchestrator;
use crate::orchestrator::shared::Shared;
use crate::plugin::{HeldCommands, HookPoint, Stage};
use crate::task::{Delegation, Refusal, Refused, Task, TaskFault, TaskRecord};

/// A slot that is taken while hooks run; given back unless it is committed.
struct Reservation<'a> {
    shared: &'a Shared,
    task: Option<TaskKey>,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            self.shared
                .with_engine(|e, now| e.drop_reservation(task, now));
        }
    }
}

impl UniversalOrchestrator {
    /// Binds a task to an agent now, or refuses it. An in-process agent starts at once; to an external one it is the binding alone.
    ///
    /// The task is over when its agent reports through [`complete_task`](Self::complete_task) or [`fail_task`](Self::fail_task), or when the in-process agent returns;
    /// [`task`](Self::task) gives a handle to await that.
    ///
    /// # Errors
    /// [`Refused`] hands the task back with the reason.
    ///
    /// # Cancel safety
    /// Dropping the future before it is done leaves nothing behind.
    ///
    /// # Examples
    /// ```
    /// # use universal_orchestrator::{AgentRole, AgentSpec, Priority, Task, UniversalOrchestrator};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let orchestrator = UniversalOrchestrator::builder().start().await?;
    /// orchestrator.register_agent(AgentSpec::new("my_agent_001", AgentRole::Worker).capabilities(["python", "django"])).await?;
    /// let delegation = orchestrator
    ///     .delegate_task(Task::new("python_development").id("task_001").requires(["python"]).priority(Priority::High))
    ///     .await?;
    /// assert_eq!(delegation.agent().as_str(), "my_agent_001");
    /// orchestrator.complete_task(&delegation, serde_json::json!({"output": "done"})).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delegate_task(&self, task: Task) -> Result<Delegation, Refused> {
        let shared = &*self.shared;
        let recorded = shared.records_this_delegation();
        let is_timed = recorded || shared.observes_delegations();
        let begun = is_timed.then(|| shared.epoch.stamp());
        let (record, commands) = if shared.plugins.decides(HookPoint::Submit) {
            shared.enter(task, self.principal()).await?
        } else {
            let record = shared.enter_silently(task, self.principal())?;
            (record, HeldCommands::default())
        };
        let launch = if shared.plugins.decides(HookPoint::Delegate) {
            self.reserve_and_ask(record, begun).await?
        } else {
            let _span = tracing::debug_span!("task.dispatch", task = %record.id()).entered();
            let options = DelegateOptions {
                reserve_only: false,
            };
            let bound = shared.with_engine(|e, now| {
                let bound = e.delegate(&record, options, now);
                shared.tell_observers(e, begun);
                bound
            });
            match bound {
                Ok(launch) => launch,
                Err(refusal) => return Err(shared.refused(refusal, record)),
            }
        };
        commands.release();
        if let Some(begun) = begun.filter(|_| recorded) {
            shared.delegation_took(begun);
        }
        if launch.runs.is_none() {
            return Ok(launch.delegation);
        }
        let delegation = launch.delegation.clone();
        shared.start_attempt(launch);
        Ok(delegation)
    }

    /// Reserves a slot, asks the hooks outside of the lock, and commits if agent and task are still there.
    async fn reserve_and_ask(
        &self,
        record: Arc<TaskRecord>,
        begun: Option<Stamp>,
    ) -> Result<Launch, Refused> {
        let shared = &*self.shared;
        let mut tries = 0;
        loop {
            let options = DelegateOptions { reserve_only: true };
            let launch = match shared.with_engine(|e, now| e.delegate(&record, options, now)) {
                Ok(launch) => launch,
                Err(refusal) => return Err(shared.refused(refusal, record)),
            };
            let mut reservation = Reservation {
                shared,
                task: Some(launch.task),
            };
            let (shaped, commands) = match shared.ask_delegate(&launch).await {
                Ok(shaped) => shaped,
                Err(refusal) => {
                    drop(reservation);
                    drop(launch);
                    shared.with_engine(|e, _| e.was_refused(&record));
                    return Err(shared.refused(refusal, record));
                }
            };
            reservation.task = None;
            let committed = shared.with_engine(|e, now| {
                let committed = e.commit_reservation(launch, shaped, now);
                shared.tell_observers(e, begun);
                committed
            });
            match committed {
                Ok(launch) => {
                    commands.release();
                    return Ok(launch);
                }
                Err(_gone) => tries += 1,
            }
            if tries > shared.config.routing.reroutes_max {
                shared.with_engine(|e, _| e.was_refused(&record));
                return Err(shared.refused(Refusal::Overtaken { tries }, record));
            }
        }
    }

    /// Binds several tasks, each on its own: one refusal does not stop the others.
    ///
    /// # Errors
    /// Per task, [`Refused`] hands it back; all of them when there are more than `tasks.batch_max`.
    pub async fn delegate_tasks(&self, tasks: Vec<Task>) -> Vec<Result<Delegation, Refused>> {
        if let Some(refused) = self.shared.refuse_batch(&tasks) {
            return tasks
                .into_iter()
                .map(|task| Err(Refused::new(refused.clone(), task)))
                .collect();
        }
        let mut delegations = Vec::with_capacity(tasks.len());
        for task in tasks {
            delegations.push(self.delegate_task(task).await);
        }
        delegations
    }
}

/// One in so many delegations without hooks is timed: two clock readings would cost more than the decision.
const TIMED_ONE_IN: u64 = 16;

impl Shared {
    /// The time of delegations that ask hooks is always recorded, that of the others now and then.
    fn records_this_delegation(&self) -> bool {
        self.plugins.decides(HookPoint::Delegate)
            || self.plugins.decides(HookPoint::Submit)
            || self
                .task_ids
                .load(std::sync::atomic::Ordering::Relaxed)
                .is_multiple_of(TIMED_ONE_IN)
    }

    fn observes_delegations(&self) -> bool {
        self.plugins.wants(Stage::Observe, HookPoint::Delegate)
    }

    /// Lets the observers of a binding know how long its call took.
    fn tell_observers(&self, engine: &mut Engine, begun: Option<Stamp>) {
        // A plugin that was switched on since the call began has to wait for the next one.
        if let Some(begun) = begun
            && self.observes_delegations()
        {
            engine.binding_took(self.epoch.stamp().since(begun));
        }
    }

    /// Why a batch is too large.
    pub(crate) fn refuse_batch(&self, tasks: &[Task]) -> Option<Refusal> {
        let max = self.config.tasks.batch_max;
        (tasks.len() > max).then(|| {
            TaskFault::TooMany {
                what: "batch",
                count: tasks.len(),
                limit: "tasks.batch_max",
                max,
            }
            .into()
        })
    }
}
