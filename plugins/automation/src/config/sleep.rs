//! `[plugins.automation.sleep]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::config::{ConfigFault, YEAR_MS, within};
use crate::sleep::Cron;

/// When agents are put to sleep, for how long, and what stays awake. An agent with the label `automation_sleep = "never"` is left alone.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SleepConfig {
    /// Whether any trigger puts agents to sleep. Default false.
    pub enabled: bool,
    /// Tokens that the context of an agent holds; what its tasks charged since it last woke counts against it. Default 200_000; 0 switches the trigger off.
    pub context_window_tokens: u64,
    /// Share of `context_window_tokens` from which the agent sleeps, in percent. Default 80; 1 to 100.
    pub context_threshold_percent: f64,
    /// An agent without a task for so long sleeps, in milliseconds. Default 1_800_000; 0 switches the trigger off.
    pub inactivity_ms: u64,
    /// Mean run time in the window from which the agent sleeps, in milliseconds. Default 5_000; 0 switches the trigger off.
    pub slow_mean_ms: u64,
    /// Share of failed attempts in the window from which the agent sleeps, in percent. Default 50; 0 to 100; 0 switches the trigger off.
    pub error_rate_percent: f64,
    /// Attempts in the window before its mean or its error rate counts. Default 10; 1 to 1_000_000.
    pub minimum_calls: u64,
    /// Length of the sliding window, in milliseconds. Default 60_000; 10 to 86_400_000.
    pub window_ms: u64,
    /// Memory use of the host from which one idle agent a tick sleeps, in percent. Default 0; 0 to 100; 0 switches the trigger off.
    pub memory_percent: f64,
    /// CPU use of the host from which one idle agent a tick sleeps, in percent. Default 0; 0 to 100; 0 switches the trigger off.
    pub cpu_percent: f64,
    /// Length of a first sleep, in milliseconds. Default 300_000; 1 to 31_536_000_000.
    pub min_ms: u64,
    /// So much longer for each sleep that follows another without a successful task between them, in milliseconds. Default 300_000; 0 to 31_536_000_000.
    pub step_ms: u64,
    /// The longest sleep, in milliseconds; not less than `min_ms`. Default 3_600_000.
    pub max_ms: u64,
    /// Agents of each capability that stay awake, whatever the trigger. Default 1; 0 leaves it to wake on demand.
    pub min_awake: usize,
    /// The same for single capabilities, by name. Default empty: `min_awake` holds.
    pub min_awake_of: BTreeMap<String, usize>,
    /// Agents asleep at once; further ones stay awake. Default 1_000; 1 to 1_000_000.
    pub sleeping_max: usize,
    /// The longest that a checkpoint or a pre-warm may take, in milliseconds; then the agent sleeps or wakes without. Default 5_000; 1 to 3_600_000.
    pub hook_timeout_ms: u64,
    /// Sleep and wake by the wall clock; at most 100. Default none.
    pub schedules: Vec<ScheduleConfig>,
}

impl Default for SleepConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            context_window_tokens: 200_000,
            context_threshold_percent: 80.0,
            inactivity_ms: 1_800_000,
            slow_mean_ms: 5_000,
            error_rate_percent: 50.0,
            minimum_calls: 10,
            window_ms: 60_000,
            memory_percent: 0.0,
            cpu_percent: 0.0,
            min_ms: 300_000,
            step_ms: 300_000,
            max_ms: 3_600_000,
            min_awake: 1,
            min_awake_of: BTreeMap::new(),
            sleeping_max: 1_000,
            hook_timeout_ms: 5_000,
            schedules: Vec::new(),
        }
    }
}

impl SleepConfig {
    /// How long an agent sleeps whose last `consecutive` sleeps had no successful task between them.
    pub(crate) fn length(&self, consecutive: u32) -> Duration {
        let longer = self.step_ms.saturating_mul(u64::from(consecutive));
        Duration::from_millis(self.min_ms.saturating_add(longer).min(self.max_ms))
    }

    /// How many agents of a capability stay awake.
    pub(crate) fn awake_of(&self, capability: &str) -> usize {
        let own = self.min_awake_of.get(capability);
        own.copied().unwrap_or(self.min_awake)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigFault> {
        let percent = |key, value| within(key, value, 0.0, 100.0);
        within(
            "sleep.context_threshold_percent",
            self.context_threshold_percent,
            1.0,
            100.0,
        )?;
        percent("sleep.error_rate_percent", self.error_rate_percent)?;
        percent("sleep.memory_percent", self.memory_percent)?;
        percent("sleep.cpu_percent", self.cpu_percent)?;
        within("sleep.inactivity_ms", self.inactivity_ms, 0, YEAR_MS)?;
        within("sleep.slow_mean_ms", self.slow_mean_ms, 0, YEAR_MS)?;
        within("sleep.minimum_calls", self.minimum_calls, 1, 1_000_000)?;
        within("sleep.window_ms", self.window_ms, 10, 86_400_000)?;
        within("sleep.min_ms", self.min_ms, 1, YEAR_MS)?;
        within("sleep.step_ms", self.step_ms, 0, YEAR_MS)?;
        within("sleep.max_ms", self.max_ms, self.min_ms, YEAR_MS)?;
        within("sleep.sleeping_max", self.sleeping_max, 1, 1_000_000)?;
        within("sleep.hook_timeout_ms", self.hook_timeout_ms, 1, 3_600_000)?;
        within("number of sleep.schedules", self.schedules.len(), 0, 100)?;
        for schedule in &self.schedules {
            schedule.validate()?;
        }
        Ok(())
    }
}

/// Sleep and wake by the wall clock, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ScheduleConfig {
    /// When the agents go to sleep: a cron expression of five fields, or of six that begin with seconds. No default.
    pub sleep: String,
    /// When they wake. No default.
    pub wake: String,
    /// Only agents with this capability. Default unset: all.
    #[serde(default)]
    pub capability: Option<String>,
}

impl ScheduleConfig {
    fn validate(&self) -> Result<(), ConfigFault> {
        for (key, text) in [("sleep", &self.sleep), ("wake", &self.wake)] {
            Cron::parse(text).map_err(|error| {
                let remedy = format!(
                    "{error}; write five fields such as \"0 22 * * *\", or six with seconds first"
                );
                ConfigFault::new(
                    format!("sleep.schedules.{key}"),
                    format!("{text:?}"),
                    remedy,
                )
            })?;
        }
        Ok(())
    }
}
