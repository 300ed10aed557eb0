//! The section `[plugins.automation]`.

mod fault;
mod protect;
mod recovery;
mod rules;
mod scaling;
mod sleep;

pub use fault::ConfigFault;
pub(crate) use fault::within;
pub use protect::{BreakersConfig, LimiterAlgorithm, LimiterConfig, SheddingConfig};
pub use recovery::{RecoveryConfig, Tier};
pub(crate) use rules::RULE_NOTE;
pub use rules::{ConditionConfig, Field, RuleAction, RuleConfig, When};
pub use scaling::ScalingConfig;
pub use sleep::{ScheduleConfig, SleepConfig};

use serde::Deserialize;
use universal_orchestrator::PrincipalName;

/// The longest time that any key takes: a year, in milliseconds.
pub(crate) const YEAR_MS: u64 = 31_536_000_000;

/// The section `[plugins.automation]`. What acts on agents or refuses tasks is off unless its part says `enabled = true`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AutomationConfig {
    /// Between two looks at agents and queue, in milliseconds. Default 1_000; 10 to 3_600_000.
    pub tick_ms: u64,
    /// Agents that are followed; further ones are counted as untracked and left alone. Default 10_000; 1 to 1_000_000.
    pub agents_max: usize,
    /// Checkpoints, pre-warms and creations under way at once; further ones wait for a later tick. Default 64; 1 to 10_000.
    pub jobs_max: usize,
    /// In whose name rules submit tasks, unless the service was told another. Default `automation`.
    pub principal: PrincipalName,
    /// Sleep and wake.
    pub sleep: SleepConfig,
    /// Circuit breakers by task type.
    pub breakers: BreakersConfig,
    /// Recovery plans.
    pub recovery: RecoveryConfig,
    /// Rules, in the order in which they are asked; at most 1_000. Default none.
    pub rules: Vec<RuleConfig>,
    /// Concurrency of agents.
    pub limiter: LimiterConfig,
    /// Load shedding.
    pub shedding: SheddingConfig,
    /// Scaling of groups that have a factory.
    pub scaling: ScalingConfig,
}

impl Default for AutomationConfig {
    fn default() -> Self {
        Self {
            tick_ms: 1_000,
            agents_max: 10_000,
            jobs_max: 64,
            principal: default_principal(),
            sleep: SleepConfig::default(),
            breakers: BreakersConfig::default(),
            recovery: RecoveryConfig::default(),
            rules: Vec::new(),
            limiter: LimiterConfig::default(),
            shedding: SheddingConfig::default(),
            scaling: ScalingConfig::default(),
        }
    }
}

fn default_principal() -> PrincipalName {
    match PrincipalName::new("automation") {
        Ok(name) => name,
        Err(_) => unreachable!("the literal is a name"),
    }
}

impl AutomationConfig {
    /// Checks what single types cannot: limits and what belongs together.
    ///
    /// # Errors
    /// [`ConfigFault`] names key, value and remedy.
    pub fn validate(&self) -> Result<(), ConfigFault> {
        within("tick_ms", self.tick_ms, 10, 3_600_000)?;
        within("agents_max", self.agents_max, 1, 1_000_000)?;
        within("jobs_max", self.jobs_max, 1, 10_000)?;
        within("number of rules", self.rules.len(), 0, 1_000)?;
        self.sleep.validate()?;
        self.breakers.validate()?;
        self.recovery.validate()?;
        self.limiter.validate()?;
        self.shedding.validate()?;
        self.scaling.validate()?;
        for (at, rule) in self.rules.iter().enumerate() {
            rule.validate()?;
            if self.rules[..at].iter().any(|other| other.name == rule.name) {
                return Err(ConfigFault::new(
                    "rules.name",
                    &rule.name,
                    "another rule has this name: choose a different one",
                ));
            }
        }
        Ok(())
    }
}
