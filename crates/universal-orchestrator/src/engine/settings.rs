//! What the engine reads of the configuration.

use std::time::Duration;

use crate::breaker::BreakerSettings;
use crate::budget::Limits;
use crate::config::{
    AgentsConfig, BudgetLimits, ConcurrencyKeysConfig, OrchestratorConfig, QueueConfig,
    RetryConfig, TasksConfig,
};
use crate::task::RetryPolicy;

/// What the engine reads of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct EngineSettings {
    pub(crate) max_agents: usize,
    pub(crate) max_concurrent_tasks: usize,
    pub(crate) queue: QueueConfig,
    pub(crate) tasks: TasksConfig,
    pub(crate) agents: AgentsConfig,
    pub(crate) keys: ConcurrencyKeysConfig,
    pub(crate) retry: RetryPolicy,
    pub(crate) breaker: Option<BreakerSettings>,
    pub(crate) status_window_ms: u64,
    pub(crate) list_max: usize,
    pub(crate) routing_window_ms: u64,
    pub(crate) seed: u64,
    /// Whether any account but those of tasks and runs has a limit.
    pub(crate) budgets_limited: bool,
    pub(crate) tenant_per_day: Limits,
    pub(crate) tenants: std::collections::BTreeMap<String, Limits>,
}

impl EngineSettings {
    pub(crate) fn new(config: &OrchestratorConfig, seed: u64) -> Self {
        let tenants: std::collections::BTreeMap<_, _> = config
            .budget
            .tenants
            .iter()
            .map(|(name, limits)| (name.clone(), limits_of(limits)))
            .collect();
        let tenant_per_day = limits_of(&config.budget.tenant_per_day);
        let budgets_limited = !limits_of(&config.budget.global).is_unlimited()
            || !tenant_per_day.is_unlimited()
            || !tenants.is_empty();
        Self {
            max_agents: config.max_agents,
            max_concurrent_tasks: config.max_concurrent_tasks,
            queue: config.queue.clone(),
            tasks: config.tasks.clone(),
            agents: config.agents.clone(),
            keys: config.concurrency_keys.clone(),
            retry: retry_of(&config.retry),
            breaker: config.breaker.enabled.then(|| BreakerSettings {
                window: Duration::from_millis(config.breaker.window_ms),
                minimum_calls: config.breaker.minimum_calls,
                failure_rate_percent: config.breaker.failure_rate_percent,
                slow_call: (config.breaker.slow_call_ms > 0)
                    .then(|| Duration::from_millis(config.breaker.slow_call_ms)),
                slow_rate_percent: config.breaker.slow_rate_percent,
                open_for: Duration::from_millis(config.breaker.open_ms),
                half_open_probes: config.breaker.half_open_probes,
            }),
            status_window_ms: config.status.window_ms,
            list_max: config.status.list_max,
            routing_window_ms: config.routing.window_ms,
            seed,
            budgets_limited,
            tenant_per_day,
            tenants,
        }
    }
}

fn retry_of(config: &RetryConfig) -> RetryPolicy {
    RetryPolicy {
        max_attempts: config.max_attempts,
        base_delay: Duration::from_millis(config.base_delay_ms),
        max_delay: Duration::from_millis(config.max_delay_ms),
        multiplier: config.multiplier,
        jitter: config.jitter,
    }
}

/// The limits of a configuration section; `validate` has checked that money is a decimal.
pub(crate) fn limits_of(config: &BudgetLimits) -> Limits {
    Limits {
        money: config.money.as_deref().and_then(|text| text.parse().ok()),
        tokens: config.tokens,
        calls: config.calls,
        busy: config.busy_ms.map(Duration::from_millis),
    }
}
