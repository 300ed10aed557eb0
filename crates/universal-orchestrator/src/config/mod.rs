//! The configuration: one typed value, its defaults by mode, its loading from TOML and environment,
//! and its reference.
//!
//! [`OrchestratorConfig`] is plain data. Values come from four places, later ones win: the defaults
//! of the production mode, the defaults of the chosen [`Mode`], the TOML text, the environment
//! (`UO_MAX_AGENTS=5`, `UO_QUEUE__MAX_TASKS=10`). A mode only changes defaults, so a key that
//! somebody wrote always wins over it.
//!
//! Nothing is ignored: an unknown key, an unknown `UO_…` variable, a value of the wrong type or
//! outside its limits is a [`ConfigError`] that names the path, the value and what to write
//! instead.
//!
//! The doc comments of the fields are the reference: [`configuration_markdown`] and [`json_schema`]
//! render them, and the loader reads types and limits from the same schema, so that text, schema
//! and check cannot disagree.
//!
//! This module is a bottom layer: it uses nothing else of the crate.

mod agents;
mod budget;
mod env;
mod error;
mod example;
mod host;
mod load;
mod markdown;
mod mode;
mod plugins;
mod root;
mod schema;
mod shape;
mod suggest;
mod tasks;
mod validate;

#[cfg(test)]
mod tests;

pub use agents::{AgentsConfig, BreakerConfig, RoutingConfig, RoutingPolicyName};
pub use budget::{BudgetConfig, BudgetLimits};
pub use error::ConfigError;
pub use example::configuration_example;
pub use host::{EventsConfig, HooksConfig, ShutdownConfig, StatusConfig};
pub use markdown::configuration_markdown;
pub use mode::Mode;
pub use plugins::PluginsConfig;
pub use root::OrchestratorConfig;
pub use schema::json_schema;
pub use tasks::{
    ConcurrencyKeysConfig, KeyLimit, QueueConfig, QueueOrder, RetryConfig, TasksConfig,
};
