//! What a task waits for: parents, slots of its ancestors, and tasks that it comes after.

use crate::clock::Stamp;
use crate::engine::pools::ClassIx;
use crate::engine::tasks::Place;
use crate::engine::{Engine, TaskKey, Work};
use crate::task::{
    FailureKind, Refusal, Task, TaskEvent, TaskFailure, TaskFault, TaskOptions, TaskRecord,
    TaskState,
};

impl Engine {
    pub(super) fn check_parent(&self, parent: TaskKey, task: &Task) -> Result<(), Refusal> {
        let depth_max = self.settings.tasks.child_depth_max;
        if task.depth() > depth_max {
            return Err(TaskFault::TooDeep {
                depth: task.depth(),
                max: depth_max,
            }
            .into());
        }
        let Some(entry) = self.tasks.entries.get(parent).filter(|e| e.state.is_live()) else {
            return Err(match task.parent() {
                Some(parent) => Refusal::ParentOver {
                    parent: parent.clone(),
                },
                None => Refusal::ShuttingDown,
            });
        };
        let max = self.settings.tasks.children_max;
        if entry.cold.as_ref().map_or(0, |c| c.children.len()) >= max {
            return Err(TaskFault::TooManyChildren { max }.into());
        }
        Ok(())
    }

    /// Refuses a child when its ancestors hold every slot that could run it.
    pub(super) fn check_deadlock(&self, parent: TaskKey, class: ClassIx) -> Result<(), Refusal> {
        let mut held = 0u64;
        let mut holder = None;
        let mut at = Some(parent);
        let pools = &self.pools.class(class).pools;
        while let Some(entry) = at.and_then(|key| self.tasks.entries.get(key)) {
            if let Some(slot) = entry
                .agent
                .filter(|_| entry.holds_slot())
                .and_then(|a| self.agents.slots.get(a))
                && pools.contains(&slot.pool)
            {
                held += 1;
                holder = Some(slot.id.clone());
            }
            at = entry.cold.as_ref().and_then(|c| c.parent);
        }
        match holder {
            Some(agent) if self.pools.slots(class) <= held => Err(Refusal::WouldDeadlock { agent }),
            _ => Ok(()),
        }
    }

    /// The unfinished tasks that a task comes after.
    pub(super) fn blocked_by(
        &self,
        record: &TaskRecord,
        options: &TaskOptions,
    ) -> Result<Vec<TaskKey>, Refusal> {
        let mut keys = Vec::with_capacity(options.after.len());
        for id in &options.after {
            if id == record.id() {
                return Err(TaskFault::SelfDependency { id: id.clone() }.into());
            }
            match self.tasks.key(id) {
                Some(key) if !keys.contains(&key) => keys.push(key),
                Some(_) => {}
                None => return Err(TaskFault::UnknownDependency { id: id.clone() }.into()),
            }
        }
        Ok(keys)
    }

    pub(super) fn block(&mut self, task: TaskKey, on: &[TaskKey]) {
        let mut live = 0;
        for key in on {
            let Some(entry) = self.tasks.entries.get_mut(*key) else {
                continue;
            };
            if entry.state.is_terminal() {
                self.work.push_back(Work::Dependent(task, entry.state));
            } else {
                entry.cold_mut().dependents.push(task);
            }
            live += 1;
        }
        self.set_place(task, Place::Blocked(live));
    }

    /// One task that another comes after is over.
    pub(crate) fn dependency_over(&mut self, task: TaskKey, state: TaskState, now: Stamp) {
        let Some(entry) = self.tasks.entries.get(task) else {
            return;
        };
        let Place::Blocked(left) = entry.place else {
            return;
        };
        let policy = entry
            .record
            .task()
            .options
            .as_deref()
            .map(|o| o.after_failure)
            .unwrap_or_default();
        if state != TaskState::Succeeded {
            use crate::task::AfterFailure;
            let failure = TaskFailure::new(
                FailureKind::DependencyFailed,
                format!("a task that it comes after ended as {}", state.as_str()),
            );
            match policy {
                AfterFailure::Run => {}
                AfterFailure::Fail => {
                    return self.finish(task, TaskEvent::Fail, None, Some(failure), now);
                }
                AfterFailure::Cancel => {
                    return self.finish(task, TaskEvent::Cancel, None, Some(failure), now);
                }
            }
        }
        if left > 1 {
            self.set_place(task, Place::Blocked(left - 1));
        } else if let Some(launch) = self.make_ready_or_wait(task, now) {
            self.effects.rare().launches.push(launch);
        }
    }
}
