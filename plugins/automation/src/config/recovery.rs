//! `[plugins.automation.recovery]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{ConfigFault, YEAR_MS, within};

/// A step of a recovery plan, in the order in which they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Tier {
    /// The core repeats the attempt as the task's retry policy says; nothing else is done.
    Retry,
    /// The agent rests, so that the work goes to another one.
    OtherAgent,
    /// The agent is replaced by a new one of its factory.
    Restart,
    /// The agent is put in quarantine.
    Quarantine,
    /// A human is asked.
    Ask,
}

impl Tier {
    /// All tiers, in order.
    pub const ALL: [Self; 5] = [
        Self::Retry,
        Self::OtherAgent,
        Self::Restart,
        Self::Quarantine,
        Self::Ask,
    ];

    /// The name used in configuration and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::OtherAgent => "other_agent",
            Self::Restart => "restart",
            Self::Quarantine => "quarantine",
            Self::Ask => "ask",
        }
    }
}

/// Recovery plans: which steps are taken against failures, and how long each has to show that it worked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RecoveryConfig {
    /// Whether failures open plans. Default true.
    pub enabled: bool,
    /// The tiers that may be used, in any order: `retry`, `other_agent`, `restart`, `quarantine`, `ask`. Default `retry` and `ask`, which leave agents alone.
    pub tiers: Vec<Tier>,
    /// Failures in one tier that lead to the next one. Default 3; 1 to 1_000_000.
    pub failures_per_tier: u32,
    /// Successes without a failure between them that prove a plan. Default 3; 1 to 1_000_000.
    pub proof_tasks: u32,
    /// How long an agent rests in the tier `other_agent`, in milliseconds. Default 30_000; 1 to 31_536_000_000.
    pub rest_ms: u64,
    /// Plans kept, open and closed; beyond it the oldest closed one goes, and with all of them open no new one is opened. Default 1_000; 1 to 100_000.
    pub plans_max: usize,
    /// Questions to humans that may wait; further ones are not asked. Default 100; 1 to 10_000.
    pub decisions_max: usize,
    /// Deadline of the tier `retry`, in milliseconds. Default 30_000; 1 to 31_536_000_000, as for the other tiers.
    pub retry_deadline_ms: u64,
    /// Deadline of the tier `other_agent`, in milliseconds. Default 60_000.
    pub other_agent_deadline_ms: u64,
    /// Deadline of the tier `restart`, in milliseconds. Default 180_000.
    pub restart_deadline_ms: u64,
    /// Deadline of the tier `quarantine`, in milliseconds; then a human is asked. Default 600_000.
    pub quarantine_deadline_ms: u64,
    /// How long a human has to answer, in milliseconds. Default 1_800_000.
    pub ask_deadline_ms: u64,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            tiers: vec![Tier::Retry, Tier::Ask],
            failures_per_tier: 3,
            proof_tasks: 3,
            rest_ms: 30_000,
            plans_max: 1_000,
            decisions_max: 100,
            retry_deadline_ms: 30_000,
            other_agent_deadline_ms: 60_000,
            restart_deadline_ms: 180_000,
            quarantine_deadline_ms: 600_000,
            ask_deadline_ms: 1_800_000,
        }
    }
}

impl RecoveryConfig {
    pub(crate) const fn deadline(&self, tier: Tier) -> Duration {
        Duration::from_millis(match tier {
            Tier::Retry => self.retry_deadline_ms,
            Tier::OtherAgent => self.other_agent_deadline_ms,
            Tier::Restart => self.restart_deadline_ms,
            Tier::Quarantine => self.quarantine_deadline_ms,
            Tier::Ask => self.ask_deadline_ms,
        })
    }

    pub(super) fn validate(&self) -> Result<(), ConfigFault> {
        if self.enabled && self.tiers.is_empty() {
            let remedy = "name at least one tier, or switch recovery off with enabled = false";
            return Err(ConfigFault::new("recovery.tiers", "empty", remedy));
        }
        let (failures, proof) = (self.failures_per_tier, self.proof_tasks);
        within("recovery.failures_per_tier", failures, 1, 1_000_000)?;
        within("recovery.proof_tasks", proof, 1, 1_000_000)?;
        within("recovery.rest_ms", self.rest_ms, 1, YEAR_MS)?;
        within("recovery.plans_max", self.plans_max, 1, 100_000)?;
        within("recovery.decisions_max", self.decisions_max, 1, 10_000)?;
        for tier in Tier::ALL {
            let key = format!("recovery.{}_deadline_ms", tier.as_str());
            let ms = u64::try_from(self.deadline(tier).as_millis()).unwrap_or(u64::MAX);
            within(&key, ms, 1, YEAR_MS)?;
        }
        Ok(())
    }
}
