//! What rules compare.

use std::time::Duration;

use universal_orchestrator::{AgentId, FailureKind, TaskOutcome, TaskRecord};

use crate::config::{Field, RULE_NOTE};
use crate::world::World;

/// Numbers of a task's event.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TaskNumbers {
    pub(crate) attempts: u32,
    pub(crate) run_time: Duration,
    pub(crate) queue_wait: Duration,
    pub(crate) tokens: u64,
    pub(crate) failures_in_a_row: u32,
    pub(crate) agent_error_rate_percent: f64,
}

/// One event, with its fields.
#[derive(Clone, Copy, Default)]
pub(crate) struct Facts<'a> {
    pub(crate) agent: Option<&'a AgentId>,
    pub(crate) task: Option<(&'a TaskRecord, TaskNumbers)>,
    pub(crate) failure: Option<FailureKind>,
    /// Whether a rule submitted the task.
    pub(crate) by_rule: bool,
    world: Option<&'a World<'a>>,
}

impl<'a> Facts<'a> {
    pub(crate) const fn of_agent(agent: &'a AgentId) -> Self {
        Self {
            agent: Some(agent),
            task: None,
            failure: None,
            by_rule: false,
            world: None,
        }
    }

    pub(crate) const fn of_tick(world: &'a World<'a>) -> Self {
        Self {
            agent: None,
            task: None,
            failure: None,
            by_rule: false,
            world: Some(world),
        }
    }

    pub(crate) fn of_task(
        task: &'a TaskRecord,
        agent: Option<&'a AgentId>,
        failure: Option<FailureKind>,
        numbers: TaskNumbers,
    ) -> Self {
        Self {
            agent,
            task: Some((task, numbers)),
            failure,
            by_rule: task.task().metadata_value(RULE_NOTE).is_some(),
            world: None,
        }
    }

    pub(super) fn text(&self, field: Field) -> Option<&str> {
        match field {
            Field::Agent => self.agent.map(AgentId::as_str),
            Field::TaskType => self.task?.0.task().task_type().map(|name| name.as_str()),
            Field::Priority => Some(self.task?.0.task().priority_level().as_str()),
            Field::FailureKind => self.failure.map(FailureKind::as_str),
            _ => None,
        }
    }

    pub(super) fn number(&self, field: Field) -> Option<f64> {
        if let Some((_, numbers)) = self.task {
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            return match field {
                Field::Attempts => Some(f64::from(numbers.attempts)),
                Field::RunTimeMs => Some(ms(numbers.run_time)),
                Field::QueueWaitMs => Some(ms(numbers.queue_wait)),
                Field::Tokens => Some(numbers.tokens as f64),
                Field::FailuresInARow => Some(f64::from(numbers.failures_in_a_row)),
                Field::AgentErrorRatePercent => Some(numbers.agent_error_rate_percent),
                _ => None,
            };
        }
        let world = self.world?;
        let status = world.status;
        match field {
            Field::QueueDepth => Some(status.queue.depth as f64),
            Field::LongestWaitMs => Some(world.longest_wait().as_secs_f64() * 1e3),
            Field::AgentsAvailable => Some(status.agents.active as f64),
            Field::AgentsSleeping => Some(status.agents.sleeping as f64),
            Field::ErrorRatePercent => Some(status.performance.error_rate_percent),
            Field::CpuPercent => status.performance.cpu_usage_percent,
            Field::MemoryPercent => status.performance.memory_usage_percent,
            _ => None,
        }
    }
}

impl TaskNumbers {
    pub(crate) fn of(outcome: &TaskOutcome) -> Self {
        Self {
            attempts: outcome.attempts(),
            run_time: outcome.run_time(),
            queue_wait: outcome.queue_wait(),
            tokens: outcome.cost().tokens,
            ..Self::default()
        }
    }
}
