//! How often tasks may be submitted.

use serde::Deserialize;

/// The section `rate_limits`. A limit refills evenly: with 60 a minute, one each second.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RateLimitsConfig {
    /// Tasks that one principal may submit in a minute. Default 0: no limit; up to 4_294_967_295.
    pub submits_per_minute: u32,
    /// Tasks that one principal may submit at once after a rest. Default 0: as many as in a minute.
    pub burst: u32,
    /// Principals that have a limit of their own at once. Default 10_000; 1 to 1_000_000; all above it share one.
    pub principals_max: usize,
    /// Limits by type of task, of all principals together; the first pattern that matches counts. Default none; at most 256.
    pub task_types: Vec<TaskTypeRateConfig>,
}

impl Default for RateLimitsConfig {
    fn default() -> Self {
        Self {
            submits_per_minute: 0,
            burst: 0,
            principals_max: 10_000,
            task_types: Vec::new(),
        }
    }
}

/// An entry of `rate_limits.task_types`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TaskTypeRateConfig {
    /// The types: a name, a beginning followed by `*`, or `*`. Required.
    pub pattern: String,
    /// Tasks in a minute. Required; 1 to 4_294_967_295.
    pub per_minute: u32,
    /// Tasks at once after a rest. Default 0: as many as in a minute.
    pub burst: u32,
}
