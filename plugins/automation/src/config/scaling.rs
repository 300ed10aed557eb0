//! `[plugins.automation.scaling]`.

use serde::Deserialize;

use crate::config::{ConfigFault, YEAR_MS, within};

/// When groups grow and shrink. A group exists once a program gives the service its factory.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ScalingConfig {
    /// Groups that may be registered. Default 64; 1 to 10_000.
    pub groups_max: usize,
    /// A ready task of the group's capabilities that waits so long makes it grow, in milliseconds. Default 1_000; 0 to 31_536_000_000.
    pub out_wait_ms: u64,
    /// Share of taken slots from which the group grows, in percent. Default 90; 1 to 100.
    pub out_utilization_percent: f64,
    /// Share of taken slots below which the group shrinks while nothing waits for it, in percent; below `out_utilization_percent`. Default 30; 0 never shrinks.
    pub in_utilization_percent: f64,
    /// Between two steps of growth, in milliseconds. Default 10_000; 0 to 31_536_000_000. Reaching the minimum does not wait for it.
    pub out_cooldown_ms: u64,
    /// After any step, before the group shrinks, in milliseconds. Default 60_000; 0 to 31_536_000_000.
    pub in_cooldown_ms: u64,
    /// How long a factory and the registration have, in milliseconds; then the creation has failed. Default 10_000; 1 to 3_600_000.
    pub create_timeout_ms: u64,
    /// How long a leaving agent has to finish what it has, in milliseconds; then it is taken out, and its attempts are lost. Default 60_000; 0 to 31_536_000_000; 0 waits without limit.
    pub drain_timeout_ms: u64,
}

impl Default for ScalingConfig {
    fn default() -> Self {
        Self {
            groups_max: 64,
            out_wait_ms: 1_000,
            out_utilization_percent: 90.0,
            in_utilization_percent: 30.0,
            out_cooldown_ms: 10_000,
            in_cooldown_ms: 60_000,
            create_timeout_ms: 10_000,
            drain_timeout_ms: 60_000,
        }
    }
}

impl ScalingConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigFault> {
        let (out, shrink) = (self.out_utilization_percent, self.in_utilization_percent);
        within("scaling.groups_max", self.groups_max, 1, 10_000)?;
        within("scaling.out_wait_ms", self.out_wait_ms, 0, YEAR_MS)?;
        within("scaling.out_utilization_percent", out, 1.0, 100.0)?;
        within("scaling.in_utilization_percent", shrink, 0.0, 100.0)?;
        if shrink >= out {
            let remedy = format!("choose less than scaling.out_utilization_percent {out}");
            return Err(ConfigFault::new(
                "scaling.in_utilization_percent",
                shrink,
                remedy,
            ));
        }
        within("scaling.out_cooldown_ms", self.out_cooldown_ms, 0, YEAR_MS)?;
        within("scaling.in_cooldown_ms", self.in_cooldown_ms, 0, YEAR_MS)?;
        within(
            "scaling.create_timeout_ms",
            self.create_timeout_ms,
            1,
            3_600_000,
        )?;
        within(
            "scaling.drain_timeout_ms",
            self.drain_timeout_ms,
            0,
            YEAR_MS,
        )
    }
}
