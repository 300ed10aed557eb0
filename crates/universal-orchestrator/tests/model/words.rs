//! What the model says in the words of the orchestrator, and what the orchestrator answers in those of the model.

use std::time::Duration;

use universal_orchestrator::{
    AgentCallError, AgentId, CapabilitySet, OrchestratorConfig, Priority, Refusal, Refused,
    ReportError, RetryPolicy, Task,
};
use universal_orchestrator_testkit::{Ending, quiet_config};

use super::state::Rules;
use super::step::{CAPABILITIES, TaskPlan, Told};

/// The configuration that says the same as some rules.
pub(super) fn config_of(rules: &Rules) -> OrchestratorConfig {
    let mut config = quiet_config();
    config.queue.max_tasks = rules.queue_max;
    config.queue.queue_unroutable = rules.queue_unroutable;
    config.queue.unroutable_ttl_ms = rules.unroutable_ttl;
    config.queue.ageing_ms = rules.ageing;
    config.agents.lease_ms = rules.lease;
    config.agents.heartbeat_timeout_factor = rules.silence_factor as u32;
    config.tasks.attempt_timeout_ms = rules.attempt_timeout;
    config.tasks.retained_results_max = 100_000;
    config.tasks.result_retention_ms = 0;
    config.retry.max_attempts = rules.attempts;
    config.retry.base_delay_ms = rules.base_delay;
    config.retry.max_delay_ms = rules.max_delay;
    config.retry.multiplier = 2.0;
    config.retry.jitter = 0.0;
    config
}

pub(super) fn set_of(bits: u8) -> CapabilitySet {
    let names = (0..3).filter(|c| bits & (1 << c) != 0);
    CapabilitySet::new(names.map(|c| CAPABILITIES[c])).expect("the literals are capabilities")
}

pub(super) fn agent_id(agent: usize) -> AgentId {
    AgentId::new(format!("a{agent}")).expect("the text is an id")
}

pub(super) fn task_of(id: &str, plan: &TaskPlan) -> Task {
    let ms = Duration::from_millis;
    let mut task = Task::new("t")
        .id(id)
        .requires_set(set_of(plan.required))
        .priority(Priority::ALL[plan.level]);
    if let Some(deadline) = plan.deadline {
        task = task.deadline_in(ms(deadline));
    }
    if let Some(timeout) = plan.timeout {
        task = task.attempt_timeout(ms(timeout));
    }
    if let Some((attempts, base)) = plan.retry {
        task = task.retry(RetryPolicy {
            max_attempts: attempts,
            base_delay: ms(base),
            max_delay: ms(1000),
            multiplier: 2.0,
            jitter: 0.0,
        });
    }
    if plan.delay > 0 {
        task = task.delay(ms(plan.delay));
    }
    task
}

pub(super) const fn ending(told: Told) -> Ending {
    match told {
        Told::Done => Ending::Succeed(serde_json::Value::Null),
        Told::Retryable => Ending::FailRetryable,
        Told::Permanent => Ending::FailPermanent,
    }
}

pub(super) fn refusal_text(refused: &Refused) -> String {
    match refused.reason() {
        Refusal::AllBusy { capable, .. } => format!("all_busy {capable}"),
        Refusal::AllUnavailable { capable, counts } => {
            format!("all_unavailable {capable} {counts:?}")
        }
        other => other.as_str().to_owned(),
    }
}

pub(super) fn agent_text(called: Result<(), AgentCallError>) -> String {
    match called {
        Ok(_) => "ok".into(),
        Err(AgentCallError::Unknown { .. }) => "unknown".into(),
        Err(AgentCallError::InProcess { .. }) => "in_process".into(),
        Err(other) => format!("{other:?}"),
    }
}

pub(super) fn report_text(called: Result<(), ReportError>) -> String {
    match called {
        Ok(()) => "ok".into(),
        Err(ReportError::UnknownTask { .. }) => "unknown_task".into(),
        Err(ReportError::AlreadyOver { state, .. }) => format!("already_over {}", state.as_str()),
        Err(ReportError::Stale { .. }) => "stale".into(),
        Err(ReportError::NotYours { .. } | ReportError::InProcess { .. }) => "not_yours".into(),
        Err(other) => format!("{other:?}"),
    }
}
