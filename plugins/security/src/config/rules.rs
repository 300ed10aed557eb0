//! What counts as suspicious.

use serde::{Deserialize, Serialize};

/// An entry of `rules`: more than `count` of an event by one principal within the window.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RuleConfig {
    /// A name for alerts and the audit log. Required; each once.
    pub name: String,
    /// What is counted. Default `auth_failure`.
    pub event: Suspicion,
    /// The rule fires above so many. Default 10; 1 to 1_000_000.
    pub count: u32,
    /// Length of the window in seconds; it moves in sixteenths. Default 3_600; 1 to 604_800.
    pub window_s: u64,
    /// How bad it is. Default `medium`.
    pub severity: Severity,
    /// What follows besides an entry of the audit log. Default `alert`.
    pub action: RuleAction,
    /// How long a `block` lasts, in seconds. Default 900; 1 to 31_536_000. Read by the action `block` alone.
    pub block_s: u64,
}

impl Default for RuleConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            event: Suspicion::AuthFailure,
            count: 10,
            window_s: 3_600,
            severity: Severity::Medium,
            action: RuleAction::Alert,
            block_s: 900,
        }
    }
}

/// What a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Suspicion {
    /// No credential, or one that does not hold. Counted for the name that was claimed.
    AuthFailure,
    /// A capability, role, id or type that is not granted.
    GrantRefused,
    /// A rate limit was hit.
    RateLimited,
    /// A payload was too deep or had too many keys.
    PayloadRefused,
    /// A task was let through.
    Execution,
}

impl Suspicion {
    pub(crate) const COUNT: usize = 5;

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AuthFailure => "auth_failure",
            Self::GrantRefused => "grant_refused",
            Self::RateLimited => "rate_limited",
            Self::PayloadRefused => "payload_refused",
            Self::Execution => "execution",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// Worth to know.
    Low,
    /// Worth a look.
    Medium,
    /// The plugin is degraded for the length of the window.
    High,
    /// The plugin is critical for the length of the window.
    Critical,
}

impl Severity {
    pub(crate) const COUNT: usize = 4;

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RuleAction {
    /// An entry of the audit log.
    Audit,
    /// And an alert.
    Alert,
    /// And an alert, and everything of the principal is refused for a while. Not for `auth_failure`: whoever can say a name could lock its owner out.
    Block,
    /// And an alert, and the agents that the principal registered are put in quarantine. Not for `auth_failure`.
    Quarantine,
}

impl RuleAction {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Alert => "alert",
            Self::Block => "block",
            Self::Quarantine => "quarantine",
        }
    }
}

pub(super) fn defaults() -> Vec<RuleConfig> {
    let rule = |name: &str, event, count, severity, action| RuleConfig {
        name: name.to_owned(),
        event,
        count,
        severity,
        action,
        ..RuleConfig::default()
    };
    vec![
        rule(
            "many_auth_failures",
            Suspicion::AuthFailure,
            10,
            Severity::High,
            RuleAction::Alert,
        ),
        rule(
            "many_refused_grants",
            Suspicion::GrantRefused,
            10,
            Severity::High,
            RuleAction::Alert,
        ),
        rule(
            "many_executions",
            Suspicion::Execution,
            100,
            Severity::Medium,
            RuleAction::Audit,
        ),
    ]
}
