//! What operators do while it runs.

mod explain;
mod operate;

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::Value;
use universal_orchestrator::async_trait;

use crate::audit::AuditReport;
use crate::blocks::BlockView;
use crate::error::SecurityError;
use crate::token::BearerToken;
use crate::tokens::TokenView;

pub(crate) use operate::Operator;

/// The service of the plugin: `orchestrator.service::<dyn SecurityService>()`.
///
/// Whoever has the orchestrator's handle has it too, an in-process agent included; `docs/security.md` says why.
/// Each change is written to the audit log.
#[async_trait]
pub trait SecurityService: Send + Sync {
    /// Issues a token. It ends with the process, unless its hash is written into the configuration.
    ///
    /// # Errors
    /// [`SecurityError`] when the identity is not configured, the life is zero or above `token_lifetime_max_s`, or `tokens_max` are held.
    fn issue(&self, identity: &str, valid_for: Duration) -> Result<IssuedToken, SecurityError>;

    /// Issues another token for the owner of one, which stops to be valid after `overlap`, or earlier if it did anyway.
    ///
    /// # Errors
    /// As [`Self::issue`], and when the token is unknown, was revoked, or has expired.
    fn rotate(
        &self,
        token_id: &str,
        overlap: Duration,
        valid_for: Duration,
    ) -> Result<IssuedToken, SecurityError>;

    /// Revokes a token. Calls with it are refused from then on, and so are tasks that wait under it. Agents that were registered with it stay.
    ///
    /// It holds until the process ends: take a configured token out of the configuration too.
    ///
    /// # Errors
    /// [`SecurityError::UnknownToken`].
    fn revoke(&self, token_id: &str) -> Result<(), SecurityError>;

    /// All tokens by id, without secrets.
    fn tokens(&self) -> Vec<TokenView>;

    /// Refuses everything that a principal asks for, for a while of whole seconds. A longer block stays.
    ///
    /// # Errors
    /// [`SecurityError`] when the name is no principal's, or the time is zero or longer than a year.
    fn block(&self, principal: &str, time: Duration, reason: &str) -> Result<(), SecurityError>;

    /// Lifts a block; whether there was one.
    ///
    /// # Errors
    /// [`SecurityError::Name`] when the name is no principal's.
    fn unblock(&self, principal: &str) -> Result<bool, SecurityError>;

    /// Blocks that hold, by name.
    fn blocked(&self) -> Vec<BlockView>;

    /// Says what an identity may do and why, without doing it. Limits of rate and blocks are not asked.
    ///
    /// # Errors
    /// [`SecurityError::UnknownIdentity`].
    fn explain(&self, identity: &str, request: &Request) -> Result<Explanation, SecurityError>;

    /// A text without what looks like a secret.
    fn redact_text(&self, text: &str) -> String;

    /// A value without what looks like a secret.
    fn redact_json(&self, value: &Value) -> Value;

    /// Waits until everything before is written to the audit log, synced as `audit.fsync` says, and anchored.
    ///
    /// # Errors
    /// [`SecurityError`] when there is no log or it cannot be written.
    async fn flush_audit(&self) -> Result<(), SecurityError>;

    /// Flushes the audit log of this orchestrator and verifies all of it. Entries that come meanwhile may be counted as not anchored.
    ///
    /// # Errors
    /// [`SecurityError`] when there is no log or it cannot be read. A log that does not hold is no error but a finding.
    async fn verify_audit(&self) -> Result<AuditReport, SecurityError>;

    /// Verifies another log that was sealed with the same key, such as one that was moved away.
    ///
    /// # Errors
    /// [`SecurityError`] when it cannot be read.
    async fn verify_audit_in(&self, folder: &Path) -> Result<AuditReport, SecurityError>;
}

const _: fn(&dyn SecurityService) = |_| {};

/// A token that was just issued: the only time that it can be seen.
#[derive(Debug)]
#[must_use = "the token cannot be seen again"]
#[non_exhaustive]
pub struct IssuedToken {
    /// The token, for its owner.
    pub token: BearerToken,
    /// Its id.
    pub id: String,
    /// Its keyed hash, for `tokens` of an identity in the configuration.
    pub hash: String,
    /// When it stops to be valid.
    pub expires_at: SystemTime,
}

/// What somebody would ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// To submit a task.
    Submit {
        /// Its type.
        task_type: String,
        /// The capabilities that it requires.
        requires: Vec<String>,
    },
    /// To register an agent.
    Register {
        /// Its id.
        agent: String,
        /// Its role.
        role: String,
        /// Its capabilities.
        capabilities: Vec<String>,
    },
}

impl Request {
    /// To submit a task of a type that requires capabilities.
    pub fn submit<I>(task_type: impl Into<String>, requires: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self::Submit {
            task_type: task_type.into(),
            requires: requires.into_iter().map(Into::into).collect(),
        }
    }

    /// To register an agent.
    pub fn register<I>(agent: impl Into<String>, role: impl Into<String>, capabilities: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self::Register {
            agent: agent.into(),
            role: role.into(),
            capabilities: capabilities.into_iter().map(Into::into).collect(),
        }
    }
}

/// Why something is granted or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether it is.
    pub granted: bool,
    /// One line for each part of the request: what grants it, or that nothing does.
    pub reasons: Vec<String>,
}
