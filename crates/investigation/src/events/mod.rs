//! Changes of a system: deployments, configuration, scaling, restarts and feature flags.

mod read;

pub use read::{EVENTS_MAX, EventsError, read_events_csv, read_events_json};

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What changed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// Other code was rolled out, or rolled back.
    Deployment,
    /// Another setting, schema, certificate or secret.
    Configuration,
    /// A feature was turned on or off.
    FeatureFlag,
    /// More or fewer instances, or other sizes.
    Scaling,
    /// A process or machine began anew.
    Restart,
    /// Something else.
    Other,
}

impl ChangeKind {
    /// The kind by its name or a usual other name; what is not known is [`Other`](Self::Other).
    #[must_use]
    pub fn of(name: &str) -> Self {
        let name = name.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        match name.as_str() {
            "deployment" | "deploy" | "release" | "rollout" | "rollback" => Self::Deployment,
            "configuration"
            | "config"
            | "config_change"
            | "configuration_change"
            | "migration"
            | "schema_change"
            | "certificate"
            | "secret" => Self::Configuration,
            "feature_flag" | "flag" | "feature" | "toggle" | "experiment" => Self::FeatureFlag,
            "scaling" | "scale" | "autoscaling" | "resize" => Self::Scaling,
            "restart" | "reboot" | "start" | "stop" | "failover" | "oom_kill" => Self::Restart,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployment => "deployment",
            Self::Configuration => "configuration change",
            Self::FeatureFlag => "feature flag",
            Self::Scaling => "scaling",
            Self::Restart => "restart",
            Self::Other => "change",
        })
    }
}

/// One change of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, in seconds since 1970.
    pub at: f64,
    /// The node that was changed.
    pub node: String,
    /// What kind of change.
    pub kind: ChangeKind,
    /// What was changed, in words; control characters as escapes, at most 1,000 bytes.
    pub text: String,
    /// Where it was read: file and line, or place in the list.
    pub location: String,
}
