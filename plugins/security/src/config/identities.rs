//! Who may call, and what.

use serde::Deserialize;

/// An entry of `identities`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct IdentityConfig {
    /// The principal's name. Required; not `anonymous`.
    pub name: String,
    /// Its roles; it may do what any of them grants. Default none: nothing.
    pub roles: Vec<String>,
    /// Tokens that were issued before. Default none; others can be issued at run time.
    pub tokens: Vec<TokenConfig>,
}

/// A token of an identity: its keyed hash, never itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TokenConfig {
    /// What stands before the full stop of the token: 1 to 64 of `A-Z a-z 0-9 _ -`. Required; each once.
    pub id: String,
    /// The keyed hash, 64 hexadecimal digits in lower case. Required.
    pub hash: String,
    /// When it stops to be valid, as `2027-01-31T00:00:00Z`. Default unset: never.
    pub expires_at: Option<String>,
}

/// A role: what it grants. A pattern is a name, a beginning followed by `*`, or `*` alone. What no pattern matches is refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RoleConfig {
    /// Ids of agents that it may register. Default `["*"]`.
    pub register_agents: Vec<String>,
    /// Capabilities of agents that it may register. Default none.
    pub register_capabilities: Vec<String>,
    /// Roles of agents that it may register: `coordinator`, `specialist`, `worker`, `monitor`, `security`, `optimizer`. Default none.
    pub register_roles: Vec<String>,
    /// Types of tasks that it may submit. Default none.
    pub submit_types: Vec<String>,
    /// Capabilities that its tasks may require. Default none.
    pub require_capabilities: Vec<String>,
    /// Names that it may call under besides its own, with its own grants. Default none.
    pub act_as: Vec<String>,
}

impl Default for RoleConfig {
    fn default() -> Self {
        Self {
            register_agents: vec!["*".to_owned()],
            register_capabilities: Vec::new(),
            register_roles: Vec::new(),
            submit_types: Vec::new(),
            require_capabilities: Vec::new(),
            act_as: Vec::new(),
        }
    }
}
