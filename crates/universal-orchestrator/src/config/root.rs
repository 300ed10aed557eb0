//! The top of the configuration: the flat keys of the migration guide, and the sections.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AgentsConfig, BreakerConfig, BudgetConfig, ConcurrencyKeysConfig, EventsConfig, HooksConfig,
    Mode, PluginsConfig, QueueConfig, RetryConfig, RoutingConfig, ShutdownConfig, StatusConfig,
    TasksConfig,
};

/// The longest duration that any key takes: 365 days. Sums of a few of them cannot overflow a
/// clock.
pub(super) const DURATION_MS_MAX: u64 = 31_536_000_000;

/// Everything that an orchestrator can be told before it starts.
///
/// All durations are whole milliseconds and end in `_ms`. A value built in code is checked by
/// [`validate`](Self::validate); the loading functions check by themselves. Deserializing it
/// directly with serde fills missing keys with the production defaults and knows no modes: prefer
/// [`from_toml_str`](Self::from_toml_str) or [`load`](Self::load).
///
/// # Examples
///
/// ```
/// # use universal_orchestrator::config::{Mode, OrchestratorConfig};
/// let mut config = OrchestratorConfig::for_mode(Mode::Sandbox);
/// assert_eq!(config.max_agents, 10);
/// config.max_agents = 50;
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(description = "The configuration of the Universal Orchestrator.")]
#[non_exhaustive]
pub struct OrchestratorConfig {
    /// The kind of place this runs in: `production`, `development`, `testing` or `sandbox`; it
    /// changes the defaults of other keys and nothing else. Default `production`.
    pub mode: Mode,

    /// Agents that may be registered at once; one more is refused. Default 100; 1 to 1_000_000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_agents: usize,

    /// Attempts that may be assigned or running at once over all agents; further tasks wait in the
    /// queue, and a direct delegation is refused. Default 1_000; 1 to 10_000_000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_concurrent_tasks: usize,

    /// Target for one registration, in milliseconds; exceeding it raises an alert and a count, and
    /// refuses nothing. Default 100; 0 to 31_536_000_000; 0 turns the target off.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub max_agent_registration_ms: u64,

    /// Target for one delegation, in milliseconds; exceeding it raises an alert and a count, and
    /// refuses nothing. Default 500; 0 to 31_536_000_000; 0 turns the target off.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub max_task_delegation_ms: u64,

    /// Target for the start of the orchestrator with its plugins, in milliseconds; exceeding it
    /// raises an alert and a count, and refuses nothing. Default 2_000; 0 to 31_536_000_000; 0
    /// turns the target off.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub max_system_initialization_ms: u64,

    /// Target for the resident memory of the process, in MB of 1_000_000 bytes; exceeding it raises
    /// an alert and a count, and refuses nothing. Default 50; 0 to 1_000_000_000; 0 turns the
    /// target off.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub max_memory_mb: u64,

    /// Target for the processor use of the machine, in percent of all cores; exceeding it raises an
    /// alert and a count, and refuses nothing. Default 80.0; 0 to 100; 0 turns the target off.
    #[schemars(range(min = 0, max = 100))]
    pub max_cpu_percent: f64,

    /// Target for the memory use of the machine, in percent; exceeding it raises an alert and a
    /// count, and refuses nothing. Default 80.0; 0 to 100; 0 turns the target off.
    #[schemars(range(min = 0, max = 100))]
    pub max_memory_percent: f64,

    /// Share of failed tasks among those finished in `status.window_ms`, in percent, above which an
    /// alert is raised and health becomes unhealthy; it refuses nothing. Default 5.0; 0 to 100; 0
    /// means that any failure is too many, 100 turns the target off.
    #[schemars(range(min = 0, max = 100))]
    pub max_error_rate_percent: f64,

    /// Time between two health checks, in milliseconds. Default 30_000; 0 to 31_536_000_000; 0 runs
    /// none.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub health_check_interval_ms: u64,

    /// Time between two clean-ups of expired results and leases, in milliseconds. Default 300_000;
    /// 0 to 31_536_000_000; 0 runs none, so that only the limits by number drop anything.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub cleanup_interval_ms: u64,

    /// Time between two tick hooks, in milliseconds. Default 1_000; 0 to 31_536_000_000; 0 runs
    /// none.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub tick_interval_ms: u64,

    /// Whether the `performance` plugin takes part: true requires it, so that the start fails when
    /// it is not linked; false keeps it out. Default unset: it takes part if it is linked.
    #[schemars(example = true)]
    pub enable_performance_plugin: Option<bool>,

    /// Whether the `security` plugin takes part: true requires it, so that the start fails when it
    /// is not linked; false keeps it out. Default unset: it takes part if it is linked.
    #[schemars(example = true)]
    pub enable_security_plugin: Option<bool>,

    /// Whether the `context` plugin takes part: true requires it, so that the start fails when it
    /// is not linked; false keeps it out. Default unset: it takes part if it is linked.
    #[schemars(example = true)]
    pub enable_context_plugin: Option<bool>,

    /// Whether the `automation` plugin takes part: true requires it, so that the start fails when
    /// it is not linked; false keeps it out. Default unset: it takes part if it is linked.
    #[schemars(example = true)]
    pub enable_automation_plugin: Option<bool>,

    /// Seed of the jitter of retries, for runs that can be repeated; 0 or more. A TOML file can
    /// hold seeds up to 9_223_372_036_854_775_807, code any. Default unset: a random seed at each
    /// start.
    #[schemars(example = 42)]
    pub seed: Option<u64>,

    /// The queue of tasks that no agent has taken yet.
    pub queue: QueueConfig,

    /// Limits of one task: sizes, times, children, and how long its result is kept.
    pub tasks: TasksConfig,

    /// Repeating a failed attempt; a task may ask for a policy of its own.
    pub retry: RetryConfig,

    /// Limits of one agent, and when it counts as lost.
    pub agents: AgentsConfig,

    /// How one of several eligible agents is chosen.
    pub routing: RoutingConfig,

    /// Limits shared by all tasks that carry the same concurrency key.
    pub concurrency_keys: ConcurrencyKeysConfig,

    /// The circuit breaker that each agent gets.
    pub breaker: BreakerConfig,

    /// What may be spent: money, tokens, calls and time of agents. A limit that is unset is
    /// unlimited; zero is zero.
    pub budget: BudgetConfig,

    /// Limits of plugin hooks.
    pub hooks: HooksConfig,

    /// The broadcast of events.
    pub events: EventsConfig,

    /// What the status document covers.
    pub status: StatusConfig,

    /// The end of the orchestrator.
    pub shutdown: ShutdownConfig,

    /// Required plugins, and one table for each plugin that has settings.
    pub plugins: PluginsConfig,
}

impl Default for OrchestratorConfig {
    fn default() -> Self {
        Self {
            mode: Mode::Production,
            max_agents: 100,
            max_concurrent_tasks: 1_000,
            max_agent_registration_ms: 100,
            max_task_delegation_ms: 500,
            max_system_initialization_ms: 2_000,
            max_memory_mb: 50,
            max_cpu_percent: 80.0,
            max_memory_percent: 80.0,
            max_error_rate_percent: 5.0,
            health_check_interval_ms: 30_000,
            cleanup_interval_ms: 300_000,
            tick_interval_ms: 1_000,
            enable_performance_plugin: None,
            enable_security_plugin: None,
            enable_context_plugin: None,
            enable_automation_plugin: None,
            seed: None,
            queue: QueueConfig::default(),
            tasks: TasksConfig::default(),
            retry: RetryConfig::default(),
            agents: AgentsConfig::default(),
            routing: RoutingConfig::default(),
            concurrency_keys: ConcurrencyKeysConfig::default(),
            breaker: BreakerConfig::default(),
            budget: BudgetConfig::default(),
            hooks: HooksConfig::default(),
            events: EventsConfig::default(),
            status: StatusConfig::default(),
            shutdown: ShutdownConfig::default(),
            plugins: PluginsConfig::default(),
        }
    }
}

impl OrchestratorConfig {
    /// Says whether the named plugin is required (`Some(true)`), off (`Some(false)`) or on if
    /// linked (`None`).
    ///
    /// It joins the three places that speak about it: `enable_<name>_plugin`, `plugins.required`
    /// and `plugins.<name>.enabled`. [`validate`](Self::validate) refuses a configuration in which
    /// they contradict each other; without it, "off" wins.
    pub fn plugin_switch(&self, name: &str) -> Option<bool> {
        let said = self.plugin_statements(name);
        let off = said.iter().any(|(_, on)| !on);
        (!said.is_empty()).then_some(!off)
    }

    /// Each place that switches the named plugin, with what it says.
    pub(super) fn plugin_statements(&self, name: &str) -> Vec<(String, bool)> {
        let flag = match name {
            "performance" => self.enable_performance_plugin,
            "security" => self.enable_security_plugin,
            "context" => self.enable_context_plugin,
            "automation" => self.enable_automation_plugin,
            _ => None,
        };
        let required = self.plugins.required.iter().any(|wanted| wanted == name);
        [
            (format!("enable_{name}_plugin"), flag),
            ("plugins.required".to_owned(), required.then_some(true)),
            (
                format!("plugins.{name}.enabled"),
                self.plugins.enabled(name),
            ),
        ]
        .into_iter()
        .filter_map(|(path, on)| on.map(|on| (path, on)))
        .collect()
    }
}
