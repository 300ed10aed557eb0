//! The sections about agents: `agents`, `routing` and `breaker`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::root::DURATION_MS_MAX;

/// Limits of one agent, and when it counts as lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AgentsConfig {
    /// Largest concurrency that an agent may register with. Default 65_535; 1 to 1_000_000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency_max: u32,

    /// Capabilities that one agent may have, or one task may require. Default 64; 1 to 1_024.
    #[schemars(range(min = 1, max = 1_024))]
    pub capabilities_max: usize,

    /// Heartbeat intervals without a sign of life after which an agent is unreachable; only for
    /// agents registered with an interval. Default 3; 1 to 1_000.
    #[schemars(range(min = 1, max = 1_000))]
    pub heartbeat_timeout_factor: u32,

    /// How long an external agent holds a task without a sign of life before the attempt counts as
    /// lost, in milliseconds. Default 60_000; 1 to 31_536_000_000.
    #[schemars(range(min = 1, max = DURATION_MS_MAX))]
    pub lease_ms: u64,

    /// Size of the metadata of one agent as JSON, in bytes, inclusive. Default 65_536; 0 to
    /// 16_777_216; 0 admits no metadata.
    #[schemars(range(min = 0, max = 16_777_216))]
    pub metadata_bytes_max: usize,
}

impl Default for AgentsConfig {
    fn default() -> Self {
        Self {
            concurrency_max: 65_535,
            capabilities_max: 64,
            heartbeat_timeout_factor: 3,
            lease_ms: 60_000,
            metadata_bytes_max: 65_536,
        }
    }
}

/// Which of several eligible agents gets a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoutingPolicyName {
    /// The one with the lowest share of its slots taken, then the least recently assigned, then the
    /// first registered.
    #[default]
    LeastLoaded,
    /// Each in turn.
    RoundRobin,
    /// The one with the shortest attempts of late; routing then depends on measured time.
    Fastest,
    /// The one with the lowest declared price.
    Cheapest,
}

/// How one of several eligible agents is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RoutingConfig {
    /// Which eligible agent gets a task: `least_loaded`, `round_robin`, `fastest` or `cheapest`.
    /// Default `least_loaded`.
    pub policy: RoutingPolicyName,

    /// How far back the policy `fastest` looks, in milliseconds; other policies do not read it.
    /// Default 30_000; 1 to 31_536_000_000.
    #[schemars(range(min = 1, max = DURATION_MS_MAX))]
    pub window_ms: u64,

    /// Further agents tried when the chosen one stopped being eligible while the hooks ran; then
    /// the task goes back. Default 3; 0 to 100; 0 tries none.
    #[schemars(range(min = 0, max = 100))]
    pub reroutes_max: u32,
}

impl Default for RoutingConfig {
    fn default() -> Self {
        Self {
            policy: RoutingPolicyName::LeastLoaded,
            window_ms: 30_000,
            reroutes_max: 3,
        }
    }
}

/// The circuit breaker that each agent gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// Whether agents get a breaker; without it the other keys of this section have no effect.
    /// Default false.
    pub enabled: bool,

    /// How far back calls are counted, in milliseconds. Default 60_000; 1 to 31_536_000_000.
    #[schemars(range(min = 1, max = DURATION_MS_MAX))]
    pub window_ms: u64,

    /// Calls in the window below which the breaker does not judge. Default 10; 1 to 1_000_000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub minimum_calls: u32,

    /// Share of failed calls, in percent, from which the breaker opens. Default 50.0; 0.001 to 100.
    #[schemars(range(min = 0.001, max = 100))]
    pub failure_rate_percent: f64,

    /// Duration from which a call counts as slow, in milliseconds. Default 0; 0 to 31_536_000_000;
    /// 0 means that no call is slow.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub slow_call_ms: u64,

    /// Share of slow calls, in percent, from which the breaker opens; read only when `slow_call_ms`
    /// is set. Default 100.0; 0.001 to 100.
    #[schemars(range(min = 0.001, max = 100))]
    pub slow_rate_percent: f64,

    /// How long an open breaker keeps its agent away from tasks before it lets probes through, in
    /// milliseconds. Default 60_000; 1 to 31_536_000_000.
    #[schemars(range(min = 1, max = DURATION_MS_MAX))]
    pub open_ms: u64,

    /// Calls let through while the breaker is half-open; all must succeed to close it. Default 1; 1
    /// to 1_000.
    #[schemars(range(min = 1, max = 1_000))]
    pub half_open_probes: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            window_ms: 60_000,
            minimum_calls: 10,
            failure_rate_percent: 50.0,
            slow_call_ms: 0,
            slow_rate_percent: 100.0,
            open_ms: 60_000,
            half_open_probes: 1,
        }
    }
}
