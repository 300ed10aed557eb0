//! `[plugins.automation.breakers]`, `.limiter` and `.shedding`: what keeps load within bounds.

use std::time::Duration;

use serde::Deserialize;
use universal_orchestrator::BreakerSettings;

use crate::config::{ConfigFault, YEAR_MS, within};

/// Circuit breakers by task type: a type that keeps failing is refused for a while.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct BreakersConfig {
    /// Whether task types have a breaker. Default false.
    pub enabled: bool,
    /// Length of the sliding window, in milliseconds. Default 60_000; 10 to 86_400_000.
    pub window_ms: u64,
    /// Attempts in the window before a rate counts. Default 10; 1 to 1_000_000.
    pub minimum_calls: u32,
    /// Share of failed attempts from which a breaker opens, in percent. Default 50; 1 to 100.
    pub failure_rate_percent: f64,
    /// An attempt that takes at least so long is slow, in milliseconds. Default 0: none is.
    pub slow_call_ms: u64,
    /// Share of slow attempts from which a breaker opens, in percent. Default 100; 1 to 100.
    pub slow_rate_percent: f64,
    /// How long a breaker stays open before probes are let through, in milliseconds. Default 60_000; 1 to 31_536_000_000.
    pub open_ms: u64,
    /// Probes at once while half-open, and successes that close it. Default 1; 1 to 1_000.
    pub half_open_probes: u32,
    /// Task types with a breaker; further types are counted and have none until the window of another one is over. Default 1_000; 1 to 100_000.
    pub types_max: usize,
}

impl Default for BreakersConfig {
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
            types_max: 1_000,
        }
    }
}

impl BreakersConfig {
    pub(crate) fn settings(&self) -> BreakerSettings {
        BreakerSettings {
            window: Duration::from_millis(self.window_ms),
            minimum_calls: self.minimum_calls,
            failure_rate_percent: self.failure_rate_percent,
            slow_call: (self.slow_call_ms > 0).then(|| Duration::from_millis(self.slow_call_ms)),
            slow_rate_percent: self.slow_rate_percent,
            open_for: Duration::from_millis(self.open_ms),
            half_open_probes: self.half_open_probes,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigFault> {
        let percent = |key, value| within(key, value, 1.0, 100.0);
        within("breakers.window_ms", self.window_ms, 10, 86_400_000)?;
        within("breakers.minimum_calls", self.minimum_calls, 1, 1_000_000)?;
        percent("breakers.failure_rate_percent", self.failure_rate_percent)?;
        percent("breakers.slow_rate_percent", self.slow_rate_percent)?;
        within("breakers.slow_call_ms", self.slow_call_ms, 0, YEAR_MS)?;
        within("breakers.open_ms", self.open_ms, 1, YEAR_MS)?;
        within("breakers.half_open_probes", self.half_open_probes, 1, 1_000)?;
        within("breakers.types_max", self.types_max, 1, 100_000)
    }
}

/// How the limiter finds an agent's concurrency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimiterAlgorithm {
    /// The ratio of the long-term run time to that of the last tick, as in Netflix concurrency-limits `Gradient2Limit`.
    Gradient2,
    /// One slot more after a good tick, a tenth less after a bad one, as in TCP.
    Aimd,
}

/// Concurrency of agents, adjusted to their run times. Takes part: an agent with the label `automation_concurrency = "auto"`, or with one of `capabilities`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LimiterConfig {
    /// Whether concurrency is adjusted. Default false.
    pub enabled: bool,
    /// `gradient2` or `aimd`. Default `gradient2`.
    pub algorithm: LimiterAlgorithm,
    /// Lowest concurrency. Default 1; 1 to 1_000_000.
    pub concurrency_min: u32,
    /// Highest concurrency; not less than `concurrency_min`. Default 64; to 1_000_000.
    pub concurrency_max: u32,
    /// `gradient2`: run times up to so many times the long-term one do not lower the limit. Default 1.5; 1 to 100.
    pub tolerance: f64,
    /// `aimd`: a mean run time above this is bad, in milliseconds. Default 1_000; 1 to 31_536_000_000.
    pub slow_ms: u64,
    /// Agents with one of these capabilities take part. Default none.
    pub capabilities: Vec<String>,
}

impl Default for LimiterConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            algorithm: LimiterAlgorithm::Gradient2,
            concurrency_min: 1,
            concurrency_max: 64,
            tolerance: 1.5,
            slow_ms: 1_000,
            capabilities: Vec::new(),
        }
    }
}

impl LimiterConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigFault> {
        within(
            "limiter.concurrency_min",
            self.concurrency_min,
            1,
            1_000_000,
        )?;
        let (min, max) = (self.concurrency_min, self.concurrency_max);
        within("limiter.concurrency_max", max, min, 1_000_000)?;
        within("limiter.tolerance", self.tolerance, 1.0, 100.0)?;
        within("limiter.slow_ms", self.slow_ms, 1, YEAR_MS)
    }
}

/// Refuses less urgent tasks while too much waits. Tasks of priority `critical` are never shed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SheddingConfig {
    /// Whether tasks are shed. Default false.
    pub enabled: bool,
    /// Waiting tasks from which `low` is refused. Default 50_000; 0 switches this threshold off.
    pub depth_low: u64,
    /// Waiting tasks from which `medium` is refused too. Default 80_000; 0 switches this threshold off.
    pub depth_medium: u64,
    /// Waiting tasks from which `high` is refused too. Default 95_000; 0 switches this threshold off.
    pub depth_high: u64,
    /// Longest wait of a ready task from which `low` is refused, in milliseconds. Default 0: off.
    pub wait_low_ms: u64,
    /// Longest wait from which `medium` is refused too, in milliseconds. Default 0: off.
    pub wait_medium_ms: u64,
    /// Longest wait from which `high` is refused too, in milliseconds. Default 0: off.
    pub wait_high_ms: u64,
    /// A priority is taken again when depth and wait are below this share of its thresholds, in percent. Default 80; 1 to 100.
    pub resume_percent: u64,
}

impl Default for SheddingConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            depth_low: 50_000,
            depth_medium: 80_000,
            depth_high: 95_000,
            wait_low_ms: 0,
            wait_medium_ms: 0,
            wait_high_ms: 0,
            resume_percent: 80,
        }
    }
}

impl SheddingConfig {
    /// Depth and wait thresholds, by level: `low`, `medium`, `high`.
    pub(crate) const fn levels(&self) -> [(u64, u64); 3] {
        [
            (self.depth_low, self.wait_low_ms),
            (self.depth_medium, self.wait_medium_ms),
            (self.depth_high, self.wait_high_ms),
        ]
    }

    pub(super) fn validate(&self) -> Result<(), ConfigFault> {
        within("shedding.resume_percent", self.resume_percent, 1, 100)?;
        let pairs = [
            ("shedding.depth_medium", self.depth_low, self.depth_medium),
            ("shedding.depth_high", self.depth_medium, self.depth_high),
            (
                "shedding.wait_medium_ms",
                self.wait_low_ms,
                self.wait_medium_ms,
            ),
            (
                "shedding.wait_high_ms",
                self.wait_medium_ms,
                self.wait_high_ms,
            ),
        ];
        for (key, lower, higher) in pairs {
            if higher > 0 && higher < lower {
                let remedy = format!(
                    "the threshold of the less urgent priority is {lower}: choose at least that, or 0 for none"
                );
                return Err(ConfigFault::new(key, higher, remedy));
            }
        }
        Ok(())
    }
}
