//! The check of a whole configuration, however it came about.

use std::collections::BTreeSet;

use super::{BudgetLimits, ConfigError, KeyLimit, OrchestratorConfig, shape};

/// Digits of an amount of money: what the exact decimals of the core hold in every case.
const MONEY_DIGITS_MAX: usize = 28;

impl OrchestratorConfig {
    /// Checks every limit, and that no two keys contradict each other.
    ///
    /// The loading functions call it; a configuration that was built in code is checked at the
    /// start.
    ///
    /// # Errors
    ///
    /// Fails with the first problem, and names the path, the value and the remedy.
    ///
    /// # Examples
    ///
    /// ```
    /// # use universal_orchestrator::config::OrchestratorConfig;
    /// let mut config = OrchestratorConfig::default();
    /// config.max_agents = 0;
    /// assert_eq!(
    ///     config.validate().unwrap_err().to_string(),
    ///     "`max_agents` must be an integer from 1 to 1_000_000, but is 0",
    /// );
    /// ```
    pub fn validate(&self) -> Result<(), ConfigError> {
        // The required list and the tables share one name space in TOML, and so they do in this
        // rendering.
        if self.plugins.sections.contains_key("required") {
            let remedy = "no plugin can have this name; rename the plugin";
            return Err(ConfigError::invalid("plugins.required", "a table", remedy));
        }
        let value = serde_json::to_value(self).map_err(|error| ConfigError::Decode {
            message: error.to_string(),
        })?;
        shape::root().check("", &value)?;
        self.check_retry()?;
        for (key, limit) in &self.concurrency_keys.keys {
            check_key_limit(&shape::join("concurrency_keys.keys", key), limit)?;
        }
        check_money("budget.global", &self.budget.global)?;
        check_money("budget.tenant_per_day", &self.budget.tenant_per_day)?;
        for (tenant, limits) in &self.budget.tenants {
            check_money(&shape::join("budget.tenants", tenant), limits)?;
        }
        self.check_plugins()
    }

    fn check_retry(&self) -> Result<(), ConfigError> {
        let retry = &self.retry;
        if retry.max_delay_ms >= retry.base_delay_ms {
            return Ok(());
        }
        let remedy = format!(
            "it is less than retry.base_delay_ms, which is {}; raise the one or lower the other",
            retry.base_delay_ms
        );
        let value = retry.max_delay_ms.to_string();
        Err(ConfigError::invalid("retry.max_delay_ms", value, remedy))
    }

    fn check_plugins(&self) -> Result<(), ConfigError> {
        let switched = ["performance", "security", "context", "automation"];
        let names: BTreeSet<&str> = switched
            .into_iter()
            .chain(self.plugins.required.iter().map(String::as_str))
            .chain(self.plugins.sections.keys().map(String::as_str))
            .collect();
        for name in names {
            let statements = self.plugin_statements(name);
            let says = |wanted: bool| statements.iter().find(|(_, on)| *on == wanted);
            if let (Some((on, _)), Some((off, _))) = (says(true), says(false)) {
                return Err(ConfigError::Conflict {
                    path: on.clone(),
                    other: off.clone(),
                    remedy: format!(
                        "one requires the plugin `{name}`, the other keeps it out; remove one"
                    ),
                });
            }
        }
        Ok(())
    }
}

fn check_key_limit(path: &str, limit: &KeyLimit) -> Result<(), ConfigError> {
    let Some(rate) = limit.rate_per_second else {
        return match limit.burst {
            Some(burst) => Err(ConfigError::invalid(
                format!("{path}.burst"),
                burst.to_string(),
                "a burst needs a rate; set rate_per_second beside it, or remove it",
            )),
            None => Ok(()),
        };
    };
    // The schema cannot see this one: a number that is not finite looks unset to it.
    if rate.is_finite() {
        return Ok(());
    }
    let remedy = "write a finite number, or leave it out for no limit";
    let path = format!("{path}.rate_per_second");
    Err(ConfigError::invalid(path, rate.to_string(), remedy))
}

fn check_money(path: &str, limits: &BudgetLimits) -> Result<(), ConfigError> {
    match &limits.money {
        Some(money) if !is_amount(money) => Err(ConfigError::invalid(
            format!("{path}.money"),
            shape::describe(&money.as_str().into()),
            "write a decimal that is not negative, with at most 28 digits, such as \"12.50\"",
        )),
        _ => Ok(()),
    }
}

/// Whether the text is `digits` or `digits.digits`.
fn is_amount(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && text.replace('.', "").len() <= MONEY_DIGITS_MAX
}
