//! Why a task goes where it goes, and which tasks there are.

use crate::id::{AgentId, TaskId, TaskType, Tenant};
use crate::orchestrator::UniversalOrchestrator;
use crate::routing::RoutingExplanation;
use crate::task::{Task, TaskState, TaskView};

/// Which tasks to list.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    states: Vec<TaskState>,
    task_type: Option<TaskType>,
    agent: Option<AgentId>,
    tenant: Option<Tenant>,
    after: Option<TaskId>,
    limit: Option<usize>,
}

impl TaskFilter {
    /// All live and retained tasks.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Only tasks in this state; given several times, in any of them.
    #[must_use]
    pub fn state(mut self, state: TaskState) -> Self {
        self.states.push(state);
        self
    }

    /// Only tasks of a type.
    #[must_use]
    pub fn task_type(mut self, task_type: TaskType) -> Self {
        self.task_type = Some(task_type);
        self
    }

    /// Only tasks whose current or last attempt is an agent's.
    #[must_use]
    pub fn agent(mut self, agent: AgentId) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Only tasks of a tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Only tasks accepted after this one: the next page. None when that one is no longer known.
    #[must_use]
    pub fn after(mut self, id: TaskId) -> Self {
        self.after = Some(id);
        self
    }

    /// At most so many; unset: `status.list_max`.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    fn takes(&self, task: &TaskView) -> bool {
        (self.states.is_empty() || self.states.contains(&task.state))
            && self.task_type.as_ref().is_none_or(|t| *t == task.task_type)
            && (self.agent.is_none() || self.agent == task.agent)
            && (self.tenant.is_none() || self.tenant == task.tenant)
    }
}

impl UniversalOrchestrator {
    /// Live and retained tasks, in the order of acceptance.
    #[must_use]
    pub fn tasks(&self, filter: &TaskFilter) -> Vec<TaskView> {
        let max = filter.limit.unwrap_or(self.shared.config.status.list_max);
        self.shared.with_engine(|e, now| {
            e.task_views(filter.after.as_ref(), max, now, |task| filter.takes(task))
        })
    }

    /// What routing would decide for a task now: the candidates, and why each was or was not chosen. Changes nothing.
    #[must_use]
    pub fn explain_routing(&self, task: &Task) -> RoutingExplanation {
        self.shared.with_engine(|e, now| e.explain(task, now))
    }
}
