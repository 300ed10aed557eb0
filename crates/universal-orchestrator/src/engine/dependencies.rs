//! What a task waits for: parents, slots of its ancestors, and tasks that it comes after.

use hashbrown::HashSet;

use crate::clock::Stamp;
use crate::engine::keys::Keys;
use crate::engine::pools::ClassIx;
use crate::engine::tasks::{Place, TaskEntry};
use crate::engine::{Engine, TaskKey, Work};
use crate::id::{Key, TaskId};
use crate::task::{
    Deadlock, FailureKind, Refusal, Task, TaskEvent, TaskFailure, TaskFault, TaskOptions,
    TaskRecord, TaskState,
};

fn concurrency_key(task: &Task) -> Option<&Key> {
    task.options.as_deref()?.concurrency_key.as_ref()
}

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

    /// Refuses a child that would wait for what its ancestors have: slots, all of `max_concurrent_tasks`, its key, or their own end.
    pub(super) fn check_deadlock(
        &self,
        parent: TaskKey,
        task: &Task,
        class: ClassIx,
        after: &[TaskKey],
    ) -> Result<(), Refusal> {
        let key = concurrency_key(task);
        let pools = &self.pools.class(class).pools;
        let (mut tasks, mut slots, mut keys) = (0, 0, 0);
        let mut holder = None;
        for entry in self.with_ancestors(parent).filter(|e| e.holds_slot()) {
            tasks += 1;
            let holds_key = entry.cold.as_ref().is_some_and(|c| c.holds_key);
            keys += u32::from(holds_key && concurrency_key(entry.record.task()) == key);
            let slot = entry.agent.and_then(|a| self.agents.slots.get(a));
            if let Some(slot) = slot.filter(|slot| pools.contains(&slot.pool)) {
                slots += 1;
                holder = Some(&slot.id);
            }
        }
        let max = self.settings.max_concurrent_tasks;
        let deadlock = match (holder, key) {
            (Some(agent), _) if self.pools.slots(class) <= slots => Deadlock::Slots {
                agent: agent.clone(),
            },
            _ if tasks >= max => Deadlock::ConcurrentTasks { max },
            (_, Some(key)) if keys >= Keys::max_of(&self.settings.keys, key) => {
                Deadlock::Key { key: key.clone() }
            }
            _ => match self.ancestor_among(parent, after) {
                Some(ancestor) => Deadlock::After { ancestor },
                None => return Ok(()),
            },
        };
        Err(Refusal::WouldDeadlock(deadlock))
    }

    /// A task and its ancestors, as far as they are known.
    fn with_ancestors(&self, task: TaskKey) -> impl Iterator<Item = &TaskEntry> {
        let up = |entry: &&TaskEntry| self.tasks.entries.get(entry.cold.as_ref()?.parent?);
        std::iter::successors(self.tasks.entries.get(task), up)
    }

    /// An ancestor that one of some tasks is, or comes after.
    fn ancestor_among(&self, parent: TaskKey, after: &[TaskKey]) -> Option<TaskId> {
        let mut left = after.to_vec();
        let mut seen: HashSet<TaskKey> = HashSet::new();
        while let Some(key) = left.pop() {
            let live = self.tasks.entries.get(key).filter(|e| e.state.is_live());
            let Some(entry) = live.filter(|_| seen.insert(key)) else {
                continue;
            };
            if self.with_ancestors(parent).any(|a| a.id() == entry.id()) {
                return Some(entry.id().clone());
            }
            if matches!(entry.place, Place::Blocked(_)) {
                let options = entry.record.task().options.as_deref();
                let ids = options.into_iter().flat_map(|o| &o.after);
                left.extend(ids.filter_map(|id| self.tasks.key(id)));
            }
        }
        None
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
