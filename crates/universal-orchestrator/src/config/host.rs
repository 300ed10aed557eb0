//! The sections about what surrounds the engine: `hooks`, `events`, `status` and `shutdown`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::root::DURATION_MS_MAX;

/// Limits of plugin hooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct HooksConfig {
    /// Time that one hook may take, in milliseconds; a guard that takes longer vetoes, another hook
    /// is skipped. It cannot stop a hook that spins without waiting. Default 100; 1 to 3_600_000.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub timeout_ms: u64,

    /// Faults (time limit exceeded, or panic) after which a shape or observe hook is switched off;
    /// guards are never switched off. Default 5; 0 to 1_000_000; 0 never switches one off.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub faults_max: u32,

    /// Actions of plugins on the engine that may wait for the running call to commit; one more is
    /// refused and counted. Default 1_024; 1 to 1_000_000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub control_depth_max: usize,

    /// Time that one plugin may take to start, in milliseconds; a plugin that takes longer makes
    /// the start fail. Default 30_000; 1 to 3_600_000.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub start_timeout_ms: u64,
}

impl Default for HooksConfig {
    fn default() -> Self {
        Self {
            timeout_ms: 100,
            faults_max: 5,
            control_depth_max: 1_024,
            start_timeout_ms: 30_000,
        }
    }
}

/// The broadcast of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct EventsConfig {
    /// Events kept for subscribers that are slow; one that falls further behind loses the oldest
    /// and learns how many. Default 1_024; 1 to 1_048_576.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub capacity: usize,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self { capacity: 1_024 }
    }
}

/// What the status document covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct StatusConfig {
    /// How far back rates are counted, in milliseconds. Default 60_000; 1_000 to 86_400_000.
    #[schemars(range(min = 1_000, max = 86_400_000))]
    pub window_ms: u64,

    /// Entries in each list of the status document; the rest is only counted. Default 100; 0 to
    /// 100_000; 0 leaves the lists empty.
    #[schemars(range(min = 0, max = 100_000))]
    pub list_max: usize,
}

impl Default for StatusConfig {
    fn default() -> Self {
        Self {
            window_ms: 60_000,
            list_max: 100,
        }
    }
}

/// The end of the orchestrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ShutdownConfig {
    /// Time that running and queued work has to finish after a shutdown began, in milliseconds;
    /// then it is cancelled and reported. Default 10_000; 0 to 31_536_000_000; 0 cancels at once.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub drain_ms: u64,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { drain_ms: 10_000 }
    }
}
