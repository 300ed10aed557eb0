//! What is asked for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::agent::AgentRole;
use crate::budget::{Amount, Limits};
use crate::capability::{CapabilitySet, Labels};
use crate::id::{IdError, IdErrorOrNever, Key, RunId, TaskId, TaskType, Tenant};
use crate::task::{DEPTH_MAX, RetryPolicy, TaskFault, walkable};

/// How urgent a task is. Ageing lifts a waiting task one level each `queue.ageing_ms`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Before everything else.
    Critical,
    /// Before ordinary work.
    High,
    /// Ordinary work.
    #[default]
    Medium,
    /// When nothing else waits, or when it has waited long enough.
    Low,
}

impl Priority {
    /// All priorities, most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// The name used in documents and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// What becomes of a task when a task that it comes after does not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterFailure {
    /// It fails too, as `dependency_failed`.
    #[default]
    Fail,
    /// It is cancelled.
    Cancel,
    /// It runs all the same.
    Run,
}

/// A unit of work. Built with chained calls; what is wrong with it is reported by the door that it is given to.
///
/// ```
/// use universal_orchestrator::{Priority, Task};
/// let task = Task::new("python_development")
///     .requires(["python", "django"])
///     .priority(Priority::High)
///     .payload(serde_json::json!({"project": "api_v2"}));
/// assert_eq!(task.task_type().unwrap().as_str(), "python_development");
/// ```
#[derive(Debug, Clone)]
pub struct Task {
    pub(crate) id: Option<TaskId>,
    pub(crate) task_type: Option<TaskType>,
    pub(crate) required: CapabilitySet,
    pub(crate) priority: Priority,
    pub(crate) payload: Value,
    pub(crate) options: Option<Box<TaskOptions>>,
    pub(crate) fault: Option<Box<TaskFault>>,
}

/// What few tasks say.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskOptions {
    pub(crate) role: Option<AgentRole>,
    pub(crate) labels: Labels,
    pub(crate) deadline: Option<Instant>,
    pub(crate) deadline_in: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) not_before: Option<Instant>,
    pub(crate) delay: Option<Duration>,
    pub(crate) after: Vec<TaskId>,
    pub(crate) after_failure: AfterFailure,
    pub(crate) concurrency_key: Option<Key>,
    pub(crate) affinity_key: Option<Key>,
    pub(crate) tenant: Option<Tenant>,
    pub(crate) run: Option<RunId>,
    pub(crate) budget: Option<Limits>,
    pub(crate) estimate: Option<Amount>,
    pub(crate) metadata: Labels,
    pub(crate) parent: Option<TaskId>,
    pub(crate) depth: u32,
    pub(crate) replay_of: Option<TaskId>,
}

impl Task {
    /// A task of one type that any agent may do, with an id made by the orchestrator.
    #[must_use]
    pub fn new(task_type: impl AsRef<str>) -> Self {
        let mut task = Self {
            id: None,
            task_type: None,
            required: CapabilitySet::empty(),
            priority: Priority::Medium,
            payload: Value::Null,
            options: None,
            fault: None,
        };
        task.task_type = task.parsed(TaskType::new(task_type));
        task
    }

    fn parsed<T>(&mut self, parsed: Result<T, IdError>) -> Option<T> {
        parsed
            .map_err(|error| {
                self.fault.get_or_insert_with(|| Box::new(error.into()));
            })
            .ok()
    }

    pub(crate) fn options_mut(&mut self) -> &mut TaskOptions {
        self.options.get_or_insert_default()
    }

    /// Chooses the id; the same id twice is refused while the first is live or retained.
    #[must_use]
    pub fn id<I>(mut self, id: I) -> Self
    where
        I: TryInto<TaskId>,
        I::Error: Into<IdErrorOrNever>,
    {
        if let Some(id) = self.id_from(id) {
            self.id = Some(id);
        }
        self
    }

    fn id_from<I>(&mut self, id: I) -> Option<TaskId>
    where
        I: TryInto<TaskId>,
        I::Error: Into<IdErrorOrNever>,
    {
        match id.try_into().map_err(Into::into) {
            Ok(id) => Some(id),
            Err(IdErrorOrNever(error)) => self.parsed(Err(error)),
        }
    }

    /// Capabilities that an agent must have, all of them.
    #[must_use]
    pub fn requires<I>(mut self, capabilities: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        if let Some(set) = self.parsed(CapabilitySet::new(capabilities)) {
            self.required = set;
        }
        self
    }

    /// Capabilities that an agent must have, as a set made earlier: cheaper than [`Task::requires`] in a loop.
    #[must_use]
    pub fn requires_set(mut self, capabilities: CapabilitySet) -> Self {
        self.required = capabilities;
        self
    }

    /// How urgent it is; medium unless said.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// What the agent works on. One that is nested deeper than any `tasks.payload_depth_max` allows is dropped here, and the door refuses the task.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Value>) -> Self {
        self.set_payload(payload.into());
        self
    }

    pub(crate) fn set_payload(&mut self, payload: Value) {
        let kept = walkable(payload);
        if kept.is_none() {
            let fault = TaskFault::PayloadTooDeep { max: DEPTH_MAX };
            self.fault.get_or_insert_with(|| Box::new(fault));
        }
        self.payload = kept.unwrap_or_default();
    }

    /// Only agents of this role.
    #[must_use]
    pub fn role(mut self, role: AgentRole) -> Self {
        self.options_mut().role = Some(role);
        self
    }

    /// Only agents with this label.
    #[must_use]
    pub fn require_label(mut self, name: &str, value: &str) -> Self {
        self.options_mut().labels.insert(name, value);
        self
    }

    /// Absolute deadline, on tokio's clock: passed, the task ends as timed out wherever it stands.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.options_mut().deadline = Some(deadline);
        self
    }

    /// Deadline counted from acceptance; zero is one that has passed, and refused.
    #[must_use]
    pub fn deadline_in(mut self, time: Duration) -> Self {
        self.options_mut().deadline_in = Some(time);
        self
    }

    /// The longest that one attempt may take; unset: `tasks.attempt_timeout_ms`.
    #[must_use]
    pub fn attempt_timeout(mut self, time: Duration) -> Self {
        self.options_mut().attempt_timeout = Some(time);
        self
    }

    /// The longest that an attempt may go without reporting progress; unset: no limit.
    #[must_use]
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.options_mut().idle_timeout = Some(time);
        self
    }

    /// How failed attempts are retried; unset: the `[retry]` section, and never for `delegate_task`.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.options_mut().retry = Some(policy);
        self
    }

    /// Not before this instant.
    #[must_use]
    pub fn not_before(mut self, instant: Instant) -> Self {
        self.options_mut().not_before = Some(instant);
        self
    }

    /// Not before this time has passed since acceptance.
    #[must_use]
    pub fn delay(mut self, time: Duration) -> Self {
        self.options_mut().delay = Some(time);
        self
    }

    /// Not before this task is over. May be given several times.
    #[must_use]
    pub fn after<I>(mut self, task: I) -> Self
    where
        I: TryInto<TaskId>,
        I::Error: Into<IdErrorOrNever>,
    {
        if let Some(task) = self.id_from(task) {
            self.options_mut().after.push(task);
        }
        self
    }

    /// What happens when a task that this one comes after does not succeed; it fails too, unless said.
    #[must_use]
    pub fn after_failure(mut self, policy: AfterFailure) -> Self {
        self.options_mut().after_failure = policy;
        self
    }

    /// Tasks of one key run at most so many at once, and so many a second, as `[concurrency_keys]` says.
    #[must_use]
    pub fn concurrency_key(mut self, key: impl AsRef<str>) -> Self {
        let key = self.parsed(Key::new(key));
        self.options_mut().concurrency_key = key;
        self
    }

    /// Tasks of one key go to the same agent while it is eligible (rendezvous hashing).
    #[must_use]
    pub fn affinity_key(mut self, key: impl AsRef<str>) -> Self {
        let key = self.parsed(Key::new(key));
        self.options_mut().affinity_key = key;
        self
    }

    /// Whom the task is for.
    #[must_use]
    pub fn tenant(mut self, tenant: impl AsRef<str>) -> Self {
        let tenant = self.parsed(Tenant::new(tenant));
        self.options_mut().tenant = tenant;
        self
    }

    /// The run whose budget the task shares.
    #[must_use]
    pub fn run(mut self, run: impl AsRef<str>) -> Self {
        let run = self.parsed(RunId::new(run));
        self.options_mut().run = run;
        self
    }

    /// What this task with all its children may spend.
    #[must_use]
    pub fn budget(mut self, limits: Limits) -> Self {
        self.options_mut().budget = Some(limits);
        self
    }

    /// What an attempt is expected to spend: reserved before it starts, the unused part returned after.
    #[must_use]
    pub fn estimate(mut self, amount: Amount) -> Self {
        self.options_mut().estimate = Some(amount);
        self
    }

    /// A note for agents and hooks; plays no part in routing.
    #[must_use]
    pub fn metadata(mut self, name: &str, value: &str) -> Self {
        self.options_mut().metadata.insert(name, value);
        self
    }

    /// The id, when one was chosen.
    #[must_use]
    pub const fn chosen_id(&self) -> Option<&TaskId> {
        self.id.as_ref()
    }

    /// The type; `None` when what was given is not a type.
    #[must_use]
    pub const fn task_type(&self) -> Option<&TaskType> {
        self.task_type.as_ref()
    }

    /// The required capabilities.
    #[must_use]
    pub const fn required(&self) -> &CapabilitySet {
        &self.required
    }

    /// The priority.
    #[must_use]
    pub const fn priority_level(&self) -> Priority {
        self.priority
    }

    /// The payload.
    #[must_use]
    pub const fn payload_value(&self) -> &Value {
        &self.payload
    }

    /// Notes for agents and hooks.
    #[must_use]
    pub fn metadata_value(&self, name: &str) -> Option<&str> {
        self.options.as_ref()?.metadata.get(name)
    }

    /// All notes for agents and hooks.
    pub fn metadata_entries(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.options.iter().flat_map(|o| o.metadata.iter())
    }

    /// The tenant.
    #[must_use]
    pub fn tenant_name(&self) -> Option<&Tenant> {
        self.options.as_ref()?.tenant.as_ref()
    }

    /// The run.
    #[must_use]
    pub fn run_id(&self) -> Option<&RunId> {
        self.options.as_ref()?.run.as_ref()
    }

    /// The task that submitted this one as a child.
    #[must_use]
    pub fn parent(&self) -> Option<&TaskId> {
        self.options.as_ref()?.parent.as_ref()
    }

    /// How many ancestors it has.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.options.as_ref().map_or(0, |o| o.depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_is_kept() {
        let task = Task::new("").requires(["a\n"]);
        assert!(
            task.fault
                .unwrap()
                .to_string()
                .starts_with("task type is empty")
        );
    }
}
