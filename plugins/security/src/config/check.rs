//! What each key may be. Every text names the key, the value and what to write instead.

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::SystemTime;

use universal_orchestrator::plugin::PluginError;
use universal_orchestrator::{AgentRole, Principal};

use super::{IdentityConfig, RoleConfig, RuleAction, RuleConfig, SecurityConfig, Suspicion};
use crate::grants::Pattern;
use crate::redact::Redactor;
use crate::token;

const PATTERNS_MAX: usize = 64;
const TYPE_RATES_MAX: usize = 256;
const RULES_MAX: usize = 64;
const IDENTITIES_MAX: usize = 100_000;
const GRANTS_MAX: usize = 10_000;

/// The error for a section that does not fit.
pub(crate) fn fault(text: impl Into<String>) -> PluginError {
    PluginError::Section {
        plugin: crate::NAME.to_owned(),
        text: text.into(),
    }
}

/// Reads `expires_at`.
pub(crate) fn time_of(text: &str) -> Result<SystemTime, jiff::Error> {
    text.parse::<jiff::Timestamp>().map(SystemTime::from)
}

fn within<T: PartialOrd + Display>(
    key: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), PluginError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = (range.start(), range.end());
    Err(fault(format!("{key} = {value}: write {low} to {high}")))
}

impl SecurityConfig {
    /// Checks every key, without reading files or the environment.
    ///
    /// # Errors
    /// [`PluginError::Section`] names the key, the value, and what to write.
    pub fn check(&self) -> Result<(), PluginError> {
        within("tokens_max", self.tokens_max, 1..=1_000_000)?;
        let lifetime = self.token_lifetime_max_s;
        within("token_lifetime_max_s", lifetime, 1..=315_360_000)?;
        within("payload_depth_max", self.payload_depth_max, 0..=128)?;
        within("payload_keys_max", self.payload_keys_max, 0..=10_000_000)?;
        within("blocks_max", self.blocks_max, 1..=1_000_000)?;
        let principals = self.rule_principals_max;
        within("rule_principals_max", principals, 1..=1_000_000)?;
        within(
            "identities (entries)",
            self.identities.len(),
            0..=IDENTITIES_MAX,
        )?;
        self.check_key()?;
        for (name, role) in &self.roles {
            check_role(name, role)?;
        }
        self.check_identities()?;
        self.check_rates()?;
        self.check_rules()?;
        self.check_audit()?;
        let patterns = self.redact_patterns.len();
        within("redact_patterns (entries)", patterns, 0..=PATTERNS_MAX)?;
        Redactor::new(&self.redact_patterns).map(|_| ())
    }

    fn check_key(&self) -> Result<(), PluginError> {
        let sources = [
            self.key_file.is_some(),
            self.key_env.is_some(),
            self.key_inline.is_some(),
        ];
        if sources.iter().filter(|is_set| **is_set).count() > 1 {
            return Err(fault(
                "more than one of key_file, key_env and key_inline is set: keep one",
            ));
        }
        Ok(())
    }

    fn check_identities(&self) -> Result<(), PluginError> {
        let (mut names, mut ids) = (HashSet::new(), HashSet::new());
        for identity in &self.identities {
            self.check_identity(identity)?;
            if !names.insert(&identity.name) {
                let text = format!("identity {:?} is there twice: join the two", identity.name);
                return Err(fault(text));
            }
            for token in &identity.tokens {
                if !ids.insert(&token.id) {
                    let text =
                        format!("token id {:?} is there twice: each needs its own", token.id);
                    return Err(fault(text));
                }
            }
        }
        within("tokens of all identities", ids.len(), 0..=self.tokens_max)?;
        for role in self.unauthenticated_roles.iter().flatten() {
            self.check_role_is_there("unauthenticated_roles", role)?;
        }
        Ok(())
    }

    fn check_identity(&self, identity: &IdentityConfig) -> Result<(), PluginError> {
        let name = &identity.name;
        match Principal::new(name) {
            Ok(principal) if principal.is_anonymous() => {
                let text = "identities.name = \"anonymous\": that is the name of who says none; choose another";
                return Err(fault(text));
            }
            Ok(_) => {}
            Err(error) => return Err(fault(format!("identities.name = {name:?}: {error}"))),
        }
        for role in &identity.roles {
            self.check_role_is_there(&format!("identity {name:?}, roles"), role)?;
        }
        for entry in &identity.tokens {
            let id = &entry.id;
            if !token::is_token_id(id) {
                let text =
                    format!("identity {name:?}, token id {id:?}: write 1 to 64 of A-Z a-z 0-9 _ -");
                return Err(fault(text));
            }
            if token::hash_from_hex(&entry.hash).is_none() {
                let text = format!(
                    "identity {name:?}, hash of token {id:?}: write the 64 lower-case hexadecimal digits that the issuer printed"
                );
                return Err(fault(text));
            }
            if let Some(text) = &entry.expires_at
                && let Err(error) = time_of(text)
            {
                let text = format!(
                    "expires_at = {text:?} of token {id:?}: {error}; write it as 2027-01-31T00:00:00Z"
                );
                return Err(fault(text));
            }
        }
        Ok(())
    }

    fn check_role_is_there(&self, key: &str, role: &str) -> Result<(), PluginError> {
        if self.roles.contains_key(role) {
            return Ok(());
        }
        let known: Vec<_> = self.roles.keys().map(String::as_str).collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        let text = format!(
            "{key}: no role {role:?} (there are: {known}): add [plugins.security.roles.{role}]"
        );
        Err(fault(text))
    }

    fn check_rates(&self) -> Result<(), PluginError> {
        let rates = &self.rate_limits;
        let principals = rates.principals_max;
        within("rate_limits.principals_max", principals, 1..=1_000_000)?;
        let types = rates.task_types.len();
        within(
            "rate_limits.task_types (entries)",
            types,
            0..=TYPE_RATES_MAX,
        )?;
        if rates.burst > 0 && rates.submits_per_minute == 0 {
            let text = format!(
                "rate_limits.burst = {}: without rate_limits.submits_per_minute there is no limit; set it, or remove burst",
                rates.burst
            );
            return Err(fault(text));
        }
        for rate in &rates.task_types {
            let key = format!("rate_limits.task_types pattern {:?}", rate.pattern);
            check_pattern(&key, &rate.pattern)?;
            within(&format!("{key}, per_minute"), rate.per_minute, 1..=u32::MAX)?;
        }
        Ok(())
    }

    fn check_rules(&self) -> Result<(), PluginError> {
        within("rules (entries)", self.rules.len(), 0..=RULES_MAX)?;
        let mut names = HashSet::new();
        for rule in &self.rules {
            check_rule(rule)?;
            if !names.insert(&rule.name) {
                let text = format!("rule {:?} is there twice: name each", rule.name);
                return Err(fault(text));
            }
        }
        Ok(())
    }

    fn check_audit(&self) -> Result<(), PluginError> {
        let audit = &self.audit;
        within("audit.queue_max", audit.queue_max, 16..=1_000_000)?;
        let bytes = audit.file_bytes_max;
        within("audit.file_bytes_max", bytes, 4_096..=1_073_741_824)?;
        within("audit.files_max", audit.files_max, 2..=100_000)?;
        let interval = audit.fsync_interval_ms;
        within("audit.fsync_interval_ms", interval, 1..=3_600_000)?;
        within("audit.text_bytes_max", audit.text_bytes_max, 64..=65_536)
    }
}

fn check_role(name: &str, role: &RoleConfig) -> Result<(), PluginError> {
    let lists = [
        ("register_agents", &role.register_agents),
        ("register_capabilities", &role.register_capabilities),
        ("register_roles", &role.register_roles),
        ("submit_types", &role.submit_types),
        ("require_capabilities", &role.require_capabilities),
        ("act_as", &role.act_as),
    ];
    for (key, patterns) in lists {
        let key = format!("roles.{name}.{key}");
        within(&format!("{key} (entries)"), patterns.len(), 0..=GRANTS_MAX)?;
        for pattern in patterns {
            check_pattern(&key, pattern)?;
        }
    }
    let roles = AgentRole::ALL.map(AgentRole::as_str);
    for pattern in &role.register_roles {
        let parsed = Pattern::parse(pattern);
        if !parsed.is_some_and(|p| roles.iter().any(|role| p.matches(role))) {
            let text = format!(
                "roles.{name}.register_roles: {pattern:?} is no role of an agent: write one of {}",
                roles.join(", ")
            );
            return Err(fault(text));
        }
    }
    Ok(())
}

fn check_pattern(key: &str, pattern: &str) -> Result<(), PluginError> {
    if Pattern::parse(pattern).is_some() {
        return Ok(());
    }
    let text =
        format!("{key}: {pattern:?} is no pattern: write a name, a beginning followed by *, or *");
    Err(fault(text))
}

fn check_rule(rule: &RuleConfig) -> Result<(), PluginError> {
    let name = &rule.name;
    if name.trim().is_empty() || name.len() > 128 {
        let text = format!("rules.name = {name:?}: write 1 to 128 bytes");
        return Err(fault(text));
    }
    let key = |key: &str| format!("rule {name:?}, {key}");
    within(&key("count"), rule.count, 1..=1_000_000)?;
    within(&key("window_s"), rule.window_s, 1..=604_800)?;
    within(&key("block_s"), rule.block_s, 1..=31_536_000)?;
    let acts_on_somebody = matches!(rule.action, RuleAction::Block | RuleAction::Quarantine);
    if rule.event == Suspicion::AuthFailure && acts_on_somebody {
        let text = format!(
            "rule {name:?}: action {:?} for auth_failure would let whoever claims a name lock out its owner: write audit or alert",
            rule.action.as_str()
        );
        return Err(fault(text));
    }
    Ok(())
}
