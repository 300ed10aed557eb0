//! Health, of plugins and of the whole.

use serde::Serialize;
use serde_json::Value;

use crate::plugin::{HookPoint, Stage};

/// How something is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Everything as it should be.
    #[default]
    Healthy,
    /// It works, with something lost.
    Degraded,
    /// It works badly.
    Unhealthy,
    /// It does not work.
    Critical,
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginHealth {
    /// How it is.
    pub status: HealthStatus,
    /// Why, when it is not healthy.
    pub detail: Option<String>,
    /// Alerts that need somebody now; summed up as `critical_alerts` in the status.
    pub critical_alerts: u32,
    /// What else it has to say, for the status; `null` when nothing. Keep it short: every status carries it.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl PluginHealth {
    /// Healthy.
    #[must_use]
    pub const fn healthy() -> Self {
        Self {
            status: HealthStatus::Healthy,
            detail: None,
            critical_alerts: 0,
            details: Value::Null,
        }
    }

    /// Not healthy, with the reason.
    #[must_use]
    pub fn of(status: HealthStatus, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: Some(detail.into()),
            critical_alerts: u32::from(status == HealthStatus::Critical),
            details: Value::Null,
        }
    }

    /// Adds figures for the status.
    #[must_use]
    pub fn details(mut self, details: impl Into<Value>) -> Self {
        self.details = details.into();
        self
    }

    /// Says how many alerts need somebody now.
    #[must_use]
    pub const fn critical_alerts(mut self, count: u32) -> Self {
        self.critical_alerts = count;
        self
    }
}

/// How a plugin stands in the orchestrator.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PluginStatus {
    /// Its name.
    pub name: String,
    /// One line about it.
    pub summary: String,
    /// Whether its hooks fire.
    pub enabled: bool,
    /// What it says of itself.
    pub health: PluginHealth,
    /// The hooks that it declares.
    pub hooks: Vec<(Stage, HookPoint)>,
    /// Hooks of it that were switched off after too many faults.
    pub switched_off: Vec<(Stage, HookPoint)>,
    /// Faults so far.
    pub faults: u64,
    /// Vetoes so far.
    pub vetoes: u64,
}
