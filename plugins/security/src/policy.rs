//! What a configuration comes to: one value, replaced as a whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use universal_orchestrator::plugin::PluginError;
use universal_orchestrator::{Mode, PrincipalName};

use crate::config::{
    IdentityConfig, RateLimitsConfig, RoleConfig, RuleConfig, SecurityConfig, fault, time_of,
};
use crate::grants::Grants;
use crate::rates::Rates;
use crate::redact::Redactor;
use crate::suspicion::Rules;
use crate::token::hash_from_hex;
use crate::tokens::{NEVER_MS, TokenRecord};
use crate::wall::ms_of;

/// The redactor of the configuration in force.
pub(crate) type SharedRedactor = Arc<ArcSwap<Redactor>>;

/// Who may call, with all that its roles grant.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) name: PrincipalName,
    pub(crate) roles: Vec<String>,
    pub(crate) grants: Grants,
}

/// The configuration in force.
#[derive(Debug)]
pub(crate) struct Policy {
    /// Changes with each configuration, so that what was remembered under another is not used.
    pub(crate) epoch: u64,
    pub(crate) require_authentication: bool,
    pub(crate) identities: HashMap<String, Arc<Identity>>,
    pub(crate) roles: BTreeMap<String, RoleConfig>,
    /// What callers without a credential may do; `None`: everything.
    pub(crate) unauthenticated: Option<Grants>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) tokens_max: usize,
    pub(crate) token_lifetime_max_s: u64,
    pub(crate) payload_depth_max: usize,
    pub(crate) payload_keys_max: usize,
    pub(crate) blocks_max: usize,
    rate_limits: RateLimitsConfig,
    rule_configs: (Vec<RuleConfig>, usize),
}

impl Policy {
    /// Compiles a configuration that was checked. Counters of limits and rules that did not change go on.
    pub(crate) fn new(
        config: &SecurityConfig,
        mode: Mode,
        before: Option<&Self>,
    ) -> Result<Self, PluginError> {
        let grants_of = |names: &[String]| {
            let roles = names.iter().filter_map(|name| config.roles.get(name));
            Grants::of(roles)
        };
        let mut identities = HashMap::with_capacity(config.identities.len());
        for IdentityConfig { name, roles, .. } in &config.identities {
            let identity = Identity {
                name: PrincipalName::new(name).map_err(|e| fault(e.to_string()))?,
                roles: roles.clone(),
                grants: grants_of(roles),
            };
            identities.insert(name.clone(), Arc::new(identity));
        }
        let rates = before
            .filter(|before| before.rate_limits == config.rate_limits)
            .map(|before| Arc::clone(&before.rates));
        let rule_configs = (config.rules.clone(), config.rule_principals_max);
        let rules = before
            .filter(|before| before.rule_configs == rule_configs)
            .map(|before| Arc::clone(&before.rules));
        Ok(Self {
            epoch: before.map_or(0, |before| before.epoch + 1),
            require_authentication: config
                .require_authentication
                .unwrap_or(mode == Mode::Production),
            identities,
            roles: config.roles.clone(),
            unauthenticated: config.unauthenticated_roles.as_deref().map(grants_of),
            rates: rates.unwrap_or_else(|| Arc::new(Rates::new(&config.rate_limits))),
            rules: rules
                .unwrap_or_else(|| Arc::new(Rules::new(&config.rules, config.rule_principals_max))),
            tokens_max: config.tokens_max,
            token_lifetime_max_s: config.token_lifetime_max_s,
            payload_depth_max: config.payload_depth_max,
            payload_keys_max: config.payload_keys_max,
            blocks_max: config.blocks_max,
            rate_limits: config.rate_limits.clone(),
            rule_configs,
        })
    }
}

/// The tokens of a configuration that was checked.
pub(crate) fn configured_tokens(config: &SecurityConfig) -> Result<Vec<TokenRecord>, PluginError> {
    let mut records = Vec::new();
    for identity in &config.identities {
        for token in &identity.tokens {
            let hash = hash_from_hex(&token.hash)
                .ok_or_else(|| fault(format!("hash of token {:?}", token.id)))?;
            let expires_ms = match &token.expires_at {
                None => NEVER_MS,
                Some(text) => {
                    let time = time_of(text).map_err(|e| fault(format!("expires_at: {e}")))?;
                    // Before 1970 is long ago.
                    ms_of(time).unwrap_or(0)
                }
            };
            let record = TokenRecord::new(&token.id, &identity.name, hash, expires_ms, false);
            records.push(record);
        }
    }
    Ok(records)
}
