//! A task on its way through the orchestrator.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::id::{PrincipalName, TaskId, TaskType};
use crate::principal::Principal;
use crate::task::Task;

/// A task with its id, its principal and what plugins attach to it. Hooks and agents see it.
#[derive(Debug, Clone)]
pub struct TaskRecord {
    id: TaskId,
    principal: Principal,
    task: Task,
    extensions: Extensions,
    /// The record before shape hooks changed it: what a refusal hands back, and `submit_or_get` compares.
    given: Option<Arc<TaskRecord>>,
}

impl TaskRecord {
    pub(crate) fn new(id: TaskId, principal: Principal, task: Task) -> Self {
        Self {
            id,
            principal,
            task,
            extensions: Extensions::default(),
            given: None,
        }
    }

    /// The id.
    #[must_use]
    pub const fn id(&self) -> &TaskId {
        &self.id
    }

    /// Who submitted it.
    #[must_use]
    pub fn principal(&self) -> &PrincipalName {
        self.principal.name()
    }

    /// Who submitted it, with the proof.
    pub(crate) const fn caller(&self) -> &Principal {
        &self.principal
    }

    /// What was asked for, with the changes of shape hooks.
    #[must_use]
    pub const fn task(&self) -> &Task {
        &self.task
    }

    /// The type. A record exists only for a task whose type was parsed.
    pub(crate) fn task_type(&self) -> TaskType {
        self.task
            .task_type
            .clone()
            .unwrap_or_else(TaskType::unknown)
    }

    /// Values that plugins attach to this task, by type. They live as long as the task.
    #[must_use]
    pub const fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    pub(crate) fn task_mut(&mut self) -> &mut Task {
        &mut self.task
    }

    /// Keeps the record before the first change of a shape hook.
    pub(crate) fn was_given_as(&mut self, given: Arc<Self>) {
        self.given.get_or_insert(given);
    }

    /// The task as it was given, before any shape hook.
    pub(crate) fn given(&self) -> &Task {
        self.given.as_ref().map_or(&self.task, |given| &given.task)
    }

    /// The task as it was given.
    pub(crate) fn into_task(self) -> Task {
        match self.given {
            Some(given) => Arc::unwrap_or_clone(given).into_task(),
            None => self.task,
        }
    }
}

type Slots = Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>;

/// Typed values that travel with a task: one value a type. Clones share them.
#[derive(Default)]
pub struct Extensions(OnceLock<Arc<Slots>>);

impl Extensions {
    /// Attaches a value, replacing an earlier one of its type.
    pub fn insert<T: Any + Send + Sync>(&self, value: T) {
        let slots = self.0.get_or_init(Arc::default);
        slots.lock().insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// The value of a type.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let value = self.0.get()?.lock().get(&TypeId::of::<T>()).cloned()?;
        value.downcast().ok()
    }

    /// Takes the value of a type away.
    pub fn remove<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let value = self.0.get()?.lock().remove(&TypeId::of::<T>())?;
        value.downcast().ok()
    }
}

impl Clone for Extensions {
    fn clone(&self) -> Self {
        // Shared from here on, so a value attached to either is seen through both.
        let shared = Arc::clone(self.0.get_or_init(Arc::default));
        Self(OnceLock::from(shared))
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.get().map_or(0, |slots| slots.lock().len());
        write!(f, "Extensions({count})")
    }
}
