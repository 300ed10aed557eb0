//! The section `[plugins.security]`.

mod audit;
mod check;
mod identities;
mod limits;
mod rules;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

pub use audit::{AuditConfig, Fsync};
pub use identities::{IdentityConfig, RoleConfig, TokenConfig};
pub use limits::{RateLimitsConfig, TaskTypeRateConfig};
pub use rules::{RuleAction, RuleConfig, Severity, Suspicion};

pub(crate) use check::{fault, time_of};

use crate::secret::SecretText;

/// The section `[plugins.security]`. Every key has a default; `docs/plugins/security.md` lists them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SecurityConfig {
    /// Whether a caller without a credential is refused. Default: by mode; `true` in `production`, `false` in the others.
    /// A credential that is shown is checked either way, and so is a name that an identity has.
    pub require_authentication: Option<bool>,

    /// File that holds the server key, at least 32 bytes; one line end at its end does not count. Default none.
    pub key_file: Option<PathBuf>,

    /// Environment variable that holds the server key, at least 32 bytes. Default none.
    pub key_env: Option<String>,

    /// The server key itself, at least 32 bytes. For trials: whoever reads the configuration has it, and a start with it logs a warning. Default none.
    pub key_inline: Option<SecretText>,

    /// Who may call. Default none: in `production` nobody gets in but with tokens that are issued at run time.
    pub identities: Vec<IdentityConfig>,

    /// What identities may do, by the name of the role. Default none.
    pub roles: BTreeMap<String, RoleConfig>,

    /// Roles of callers without a credential, where such callers are let in. Default unset: they may do everything; an empty list: nothing.
    pub unauthenticated_roles: Option<Vec<String>>,

    /// Tokens that are held at once, configured and issued, the expired ones too. Default 10_000; 1 to 1_000_000; one more is refused.
    pub tokens_max: usize,

    /// Longest life of a token that is issued at run time, in seconds. Default 7_776_000 (90 days); 1 to 315_360_000.
    pub token_lifetime_max_s: u64,

    /// How often tasks may be submitted.
    pub rate_limits: RateLimitsConfig,

    /// Depth of a payload, inclusive; a scalar has depth 0. Default 64; 0 to 128; besides `tasks.payload_depth_max` of the orchestrator.
    pub payload_depth_max: usize,

    /// Keys of all objects of a payload together, inclusive. Default 10_000; 0 to 10_000_000; 0 refuses every payload with a key.
    pub payload_keys_max: usize,

    /// What counts as suspicious, and what follows. Default: failed authentications and refused grants (above 10 an hour, an alert),
    /// executions (above 100 an hour, an entry of the audit log). An empty list: nothing.
    pub rules: Vec<RuleConfig>,

    /// Principals that each rule counts at once. Default 4_096; 1 to 1_000_000; above it those that were quiet for longest are forgotten.
    pub rule_principals_max: usize,

    /// Principals that are blocked at once. Default 10_000; 1 to 1_000_000; one more replaces the block that ends first.
    pub blocks_max: usize,

    /// Regular expressions of texts that are redacted besides the built-in ones, whole match. Default none; at most 64.
    pub redact_patterns: Vec<String>,

    /// The audit log.
    pub audit: AuditConfig,
}

impl Default for SecurityConfig {
    fn default() -> Self {
        Self {
            require_authentication: None,
            key_file: None,
            key_env: None,
            key_inline: None,
            identities: Vec::new(),
            roles: BTreeMap::new(),
            unauthenticated_roles: None,
            tokens_max: 10_000,
            token_lifetime_max_s: 90 * 86_400,
            rate_limits: RateLimitsConfig::default(),
            payload_depth_max: 64,
            payload_keys_max: 10_000,
            rules: rules::defaults(),
            rule_principals_max: 4_096,
            blocks_max: 10_000,
            redact_patterns: Vec::new(),
            audit: AuditConfig::default(),
        }
    }
}
