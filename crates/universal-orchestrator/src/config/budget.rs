//! The section `budget`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::root::DURATION_MS_MAX;

/// What may be spent; a limit that is unset is unlimited, and zero is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct BudgetConfig {
    /// What all tasks together may spend during the life of the orchestrator.
    pub global: BudgetLimits,

    /// What each tenant may spend in a UTC day, unless `tenants` names it.
    pub tenant_per_day: BudgetLimits,

    /// What single tenants may spend in a UTC day, by tenant; a named tenant's table replaces
    /// `tenant_per_day` as a whole. Default empty.
    pub tenants: BTreeMap<String, BudgetLimits>,
}

/// The limits of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct BudgetLimits {
    /// Money, in the one currency that all prices of this orchestrator share, as an exact decimal
    /// in quotes such as `"12.50"`; not negative, at most 28 digits; `"0"` allows nothing that
    /// costs. Default unset: unlimited.
    #[schemars(example = "100.00")]
    pub money: Option<String>,

    /// Tokens, prompt and answer together; 0 to 1_000_000_000_000_000; 0 allows none. Default
    /// unset: unlimited.
    #[schemars(range(min = 0, max = 1_000_000_000_000_000_u64), example = 1_000_000)]
    pub tokens: Option<u64>,

    /// Calls, in other words attempts started; 0 to 1_000_000_000_000_000; 0 allows none. Default
    /// unset: unlimited.
    #[schemars(range(min = 0, max = 1_000_000_000_000_000_u64), example = 10_000)]
    pub calls: Option<u64>,

    /// Time that agents are busy, summed over all of them, in milliseconds; 0 to 31_536_000_000; 0
    /// allows none. Default unset: unlimited.
    #[schemars(range(min = 0, max = DURATION_MS_MAX), example = 3_600_000)]
    pub busy_ms: Option<u64>,
}
