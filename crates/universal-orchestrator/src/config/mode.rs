//! The four modes and the defaults that each of them changes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OrchestratorConfig;

/// The kind of place an orchestrator runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Mode {
    /// The defaults of this page.
    #[default]
    Production,
    /// A workstation: hooks may stop at a breakpoint for longer, more results are kept to look at.
    Development,
    /// A test run: periodic work comes soon, the end waits briefly, the jitter is repeatable.
    Testing,
    /// Untrusted or experimental agents: few, with small payloads and shallow trees.
    Sandbox,
}

impl Mode {
    /// All modes, in the order of the reference.
    pub const ALL: [Self; 4] = [
        Self::Production,
        Self::Development,
        Self::Testing,
        Self::Sandbox,
    ];

    /// The name as it is written in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
            Self::Testing => "testing",
            Self::Sandbox => "sandbox",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl OrchestratorConfig {
    /// Gives the defaults of a mode.
    #[must_use]
    pub fn for_mode(mode: Mode) -> Self {
        let mut config = Self {
            mode,
            ..Self::default()
        };
        match mode {
            Mode::Production => {}
            Mode::Development => {
                config.hooks.timeout_ms = 200;
                config.tasks.retained_results_max = 10_000;
            }
            Mode::Testing => {
                config.health_check_interval_ms = 1_000;
                config.cleanup_interval_ms = 1_000;
                config.shutdown.drain_ms = 1_000;
                config.seed = Some(42);
            }
            Mode::Sandbox => {
                config.max_agents = 10;
                config.max_concurrent_tasks = 100;
                config.tasks.payload_bytes_max = 64 * 1024;
                config.tasks.child_depth_max = 2;
            }
        }
        config
    }
}
