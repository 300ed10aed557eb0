//! `submit_task`: queues.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::agent::AttemptCell;
use crate::engine::{Accepted, Door, Doorway, TaskKey};
use crate::id::TaskId;
use crate::orchestrator::shared::Shared;
use crate::orchestrator::{TaskHandle, UniversalOrchestrator};
use crate::plugin::{HeldCommands, HookPoint};
use crate::task::{Refusal, Refused, Task, TaskRecord};

const SUBMIT: Doorway = Doorway {
    door: Door::Submit,
    parent: None,
};

impl UniversalOrchestrator {
    /// Queues a task. The queue pushes to in-process agents and to external ones that wait in [`next_task`](Self::next_task).
    ///
    /// Dropping the handle lets the task go on.
    ///
    /// # Errors
    /// [`Refused`] hands the task back: when no registered agent could do it (unless `queue.queue_unroutable`), when the queue is full, vetoed, over budget, or malformed.
    ///
    /// # Cancel safety
    /// Dropping the future before it is done leaves nothing behind.
    pub async fn submit_task(&self, task: Task) -> Result<TaskHandle, Refused> {
        let (record, commands) = if self.shared.plugins.decides(HookPoint::Submit) {
            self.shared.enter(task, self.principal()).await?
        } else {
            let record = self.shared.enter_silently(task, self.principal())?;
            (record, HeldCommands::default())
        };
        let entered = self.shared.submit_record(&record, SUBMIT);
        self.handle_of(entered, record, commands)
    }

    fn handle_of(
        &self,
        entered: Result<TaskKey, Refusal>,
        record: Arc<TaskRecord>,
        commands: HeldCommands,
    ) -> Result<TaskHandle, Refused> {
        match entered {
            Ok(key) => {
                commands.release();
                let shared = Arc::clone(&self.shared);
                Ok(TaskHandle::new(shared, record.id().clone(), key))
            }
            Err(refusal) => Err(self.shared.refused(refusal, record)),
        }
    }

    /// Queues several tasks, each on its own: one refusal does not stop the others.
    ///
    /// # Errors
    /// Per task, [`Refused`] hands it back; all of them when there are more than `tasks.batch_max`.
    pub async fn submit_tasks(&self, tasks: Vec<Task>) -> Vec<Result<TaskHandle, Refused>> {
        if let Some(refused) = self.shared.refuse_batch(&tasks) {
            return tasks
                .into_iter()
                .map(|task| Err(Refused::new(refused.clone(), task)))
                .collect();
        }
        let mut handles = Vec::with_capacity(tasks.len());
        for task in tasks {
            handles.push(self.submit_task(task).await);
        }
        handles
    }

    /// Queues a task as soon as the queue has room. Waiters get room in the order in which they came; hooks are asked once, before.
    ///
    /// # Errors
    /// As [`submit_task`](Self::submit_task), except that a full queue is waited for.
    ///
    /// # Cancel safety
    /// Dropping the future before it is done leaves nothing behind.
    pub async fn submit_task_wait(&self, task: Task) -> Result<TaskHandle, Refused> {
        let (record, commands) = self.shared.enter(task, self.principal()).await?;
        let is_alone = self.shared.room_waiters.load(Ordering::SeqCst) == 0;
        let waiting = Waiting::new(&self.shared);
        let mut turn = None;
        if !is_alone {
            turn = Some(waiting.shared.room_turn.lock().await);
        }
        loop {
            let entered = self
                .shared
                .with_engine(|e, now| e.submit_if_room(&record, SUBMIT, now));
            if let Some(entered) = entered {
                let entered = entered.map(|accepted| self.shared.begin(accepted));
                return self.handle_of(entered, record, commands);
            }
            if turn.is_none() {
                turn = Some(waiting.shared.room_turn.lock().await);
                continue;
            }
            waiting.shared.room.notified().await;
        }
    }

    /// Queues a task, or returns the handle of the task of the same id when it asks for the same.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] when the task of this id has another type, requirement or payload; else as [`submit_task`](Self::submit_task).
    pub async fn submit_or_get(&self, task: Task) -> Result<TaskHandle, Refused> {
        if let Some(found) = self.existing(&task) {
            return found.map_err(|refusal| Refused::new(refusal, task));
        }
        match self.submit_task(task).await {
            // Somebody else was faster.
            Err(refused) if matches!(refused.reason(), Refusal::Duplicate { .. }) => match self
                .existing(refused.task())
            {
                Some(found) => found.map_err(|refusal| Refused::new(refusal, refused.into_task())),
                None => Err(refused),
            },
            done => done,
        }
    }

    fn existing(&self, task: &Task) -> Option<Result<TaskHandle, Refusal>> {
        let id = task.chosen_id().filter(|_| task.fault.is_none())?;
        let (key, same) = self.shared.with_engine(|e, _| {
            let key = e.task_key(id)?;
            Some((key, e.asks_for_the_same(key, task)))
        })?;
        Some(if same {
            Ok(TaskHandle::new(Arc::clone(&self.shared), id.clone(), key))
        } else {
            Err(Refusal::Conflict { id: id.clone() })
        })
    }
}

/// Counts a caller that waits for room.
struct Waiting<'a> {
    shared: &'a Shared,
}

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.room_waiters.fetch_add(1, Ordering::SeqCst);
        Self { shared }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.room_waiters.fetch_sub(1, Ordering::SeqCst);
        // A wake-up meant for this waiter goes to the next one.
        self.shared.room.notify_one();
    }
}

impl Shared {
    pub(crate) fn next_task_id(&self) -> TaskId {
        TaskId::sequence(
            self.task_ids
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_add(1),
        )
    }

    /// Somebody chose an id that looks like those made here: go on after it. One far ahead is left to be met in some billions of tasks, so that nobody can use up the numbers.
    pub(crate) fn skip_task_id(&self, chosen: &TaskId) {
        const NEAR: u64 = 1 << 32;
        let Some(number) = chosen.sequence_number() else {
            return;
        };
        let next = self.task_ids.load(Ordering::Relaxed);
        if number > next && number - next < NEAR {
            self.task_ids.fetch_max(number, Ordering::Relaxed);
        }
    }

    pub(crate) fn submit_record(
        &self,
        record: &Arc<TaskRecord>,
        way: Doorway,
    ) -> Result<TaskKey, Refusal> {
        let _span = tracing::debug_span!("task.dispatch", task = %record.id()).entered();
        let accepted = self.with_engine(|e, now| e.submit(record, way, now))?;
        Ok(self.begin(accepted))
    }

    /// Starts what was bound at once.
    fn begin(&self, Accepted { key, launch }: Accepted) -> TaskKey {
        if let Some(launch) = launch {
            self.start_attempt(launch);
        }
        key
    }

    /// Gives a child what it inherits from the attempt that submits it.
    pub(crate) fn inherit(&self, attempt: &AttemptCell, mut task: Task) -> Task {
        let parent = &attempt.record;
        let depth = parent.task().depth() + 1;
        let (tenant, run) = (
            parent.task().tenant_name().cloned(),
            parent.task().run_id().cloned(),
        );
        let options = task.options_mut();
        options.parent = Some(parent.id().clone());
        options.depth = depth;
        options.tenant = tenant.or(options.tenant.take());
        options.run = run.or(options.run.take());
        task
    }
}
