//! Codes of refusals, and their texts.

use std::time::Duration;

use universal_orchestrator::Veto;

use crate::config::Suspicion;
use crate::grants::Missing;

macro_rules! codes {
    ($($variant:ident $name:literal)+) => {
        /// A decision: allowed, or why not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Code {
            $($variant,)+
        }

        impl Code {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

codes! {
    Allowed "allowed"
    Unauthenticated "unauthenticated"
    InvalidToken "invalid_token"
    TokenExpired "token_expired"
    TokenRevoked "token_revoked"
    TokenOfAnother "token_of_another"
    ClockUnusable "clock_unusable"
    AgentIdNotGranted "agent_id_not_granted"
    RoleNotGranted "role_not_granted"
    CapabilityNotGranted "capability_not_granted"
    TaskTypeNotGranted "task_type_not_granted"
    RateLimited "rate_limited"
    Blocked "blocked"
    PayloadTooDeep "payload_too_deep"
    PayloadTooManyKeys "payload_too_many_keys"
    AuditUnavailable "audit_unavailable"
}

impl Code {
    /// What rules count it as.
    pub(crate) const fn suspicion(self) -> Option<Suspicion> {
        match self {
            Self::Allowed => Some(Suspicion::Execution),
            Self::Unauthenticated
            | Self::InvalidToken
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::TokenOfAnother => Some(Suspicion::AuthFailure),
            Self::AgentIdNotGranted
            | Self::RoleNotGranted
            | Self::CapabilityNotGranted
            | Self::TaskTypeNotGranted => Some(Suspicion::GrantRefused),
            Self::RateLimited => Some(Suspicion::RateLimited),
            Self::PayloadTooDeep | Self::PayloadTooManyKeys => Some(Suspicion::PayloadRefused),
            Self::ClockUnusable | Self::Blocked | Self::AuditUnavailable => None,
        }
    }
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) code: Code,
    /// For the caller.
    pub(crate) text: String,
    /// For the audit log, besides the code.
    pub(crate) detail: String,
}

impl Denied {
    fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            detail: String::new(),
        }
    }

    fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            Code::Unauthenticated,
            "call with a credential, through as_principal(Principal::new(name)?.with_credential(BearerToken::new(text)))",
        )
    }

    /// Adds what an operator has to write first, when there is nobody yet whom a credential could prove.
    pub(crate) fn with_nobody_known(mut self, is_nobody_known: bool) -> Self {
        if is_nobody_known {
            self.text += "; no identity is configured, so that nobody gets in: write [[plugins.security.identities]] first";
        }
        self
    }

    /// One text for every token that proves nothing: unknown, forged and malformed ones look the same.
    pub(crate) fn invalid_token() -> Self {
        Self::new(
            Code::InvalidToken,
            "the token is not valid: get another one issued",
        )
    }

    pub(crate) fn token_expired() -> Self {
        Self::new(
            Code::TokenExpired,
            "the token has expired: get another one issued",
        )
    }

    pub(crate) fn token_revoked() -> Self {
        Self::new(
            Code::TokenRevoked,
            "the token was revoked: get another one issued",
        )
    }

    pub(crate) fn token_of_another() -> Self {
        Self::new(
            Code::TokenOfAnother,
            "the token does not prove this name: call under the name that it was issued for, or have act_as granted",
        )
    }

    pub(crate) fn clock_unusable() -> Self {
        Self::new(
            Code::ClockUnusable,
            "the wall clock stands before 1970, so that no expiry can be checked: set it",
        )
    }

    /// What is not granted; `shown` is its name without secrets.
    pub(crate) fn missing(missing: &Missing, shown: &str) -> Self {
        let (code, text) = match missing {
            Missing::Agent(_) => (
                Code::AgentIdNotGranted,
                format!(
                    "registering an agent {shown:?} is not granted: add it to register_agents of a role"
                ),
            ),
            Missing::Role(_) => (
                Code::RoleNotGranted,
                format!("registering a {shown} is not granted: add it to register_roles of a role"),
            ),
            Missing::AgentCapability(_) => (
                Code::CapabilityNotGranted,
                format!(
                    "registering the capability {shown:?} is not granted: add it to register_capabilities of a role"
                ),
            ),
            Missing::TaskType(_) => (
                Code::TaskTypeNotGranted,
                format!(
                    "submitting tasks of type {shown:?} is not granted: add it to submit_types of a role"
                ),
            ),
            Missing::RequiredCapability(_) => (
                Code::CapabilityNotGranted,
                format!(
                    "requiring the capability {shown:?} is not granted: add it to require_capabilities of a role"
                ),
            ),
        };
        Self::new(code, text).with_detail(shown)
    }

    pub(crate) fn rate_limited(limit: &str, wait: Duration) -> Self {
        let ms = wait.as_millis() + 1;
        Self::new(
            Code::RateLimited,
            format!("the limit {limit} is reached: wait {ms} ms"),
        )
        .with_detail(limit)
    }

    pub(crate) fn blocked(left: Duration) -> Self {
        let seconds = left.as_secs() + 1;
        Self::new(
            Code::Blocked,
            format!("blocked for another {seconds} s: wait, or have the block lifted"),
        )
    }

    pub(crate) fn payload_too_deep(max: usize) -> Self {
        Self::new(
            Code::PayloadTooDeep,
            format!("the payload is deeper than payload_depth_max {max}: flatten it"),
        )
    }

    pub(crate) fn payload_too_many_keys(max: usize) -> Self {
        Self::new(
            Code::PayloadTooManyKeys,
            format!("the payload has more keys than payload_keys_max {max}: send fewer"),
        )
    }

    pub(crate) fn audit_unavailable() -> Self {
        Self::new(
            Code::AuditUnavailable,
            "the audit log cannot take an entry: see the health of the plugin security",
        )
    }

    pub(crate) fn into_veto(self) -> Veto {
        Veto::new(self.code.as_str(), self.text)
    }
}
