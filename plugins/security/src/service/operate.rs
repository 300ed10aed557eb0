//! The service, done by the gate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use serde_json::Value;
use universal_orchestrator::{PrincipalName, async_trait};

use crate::audit::{AuditError, AuditReport, Event, Seal, verify_sealed};
use crate::blocks::BlockView;
use crate::error::SecurityError;
use crate::gate::Gate;
use crate::service::explain::explain;
use crate::service::{Explanation, IssuedToken, Request, SecurityService};
use crate::token;
use crate::tokens::{TokenRecord, TokenView};

const BLOCK_S_MAX: u64 = 31_536_000;

/// The gate as a service.
pub(crate) struct Operator(pub(crate) Arc<Gate>);

impl Operator {
    fn now_ms(&self) -> Result<u64, SecurityError> {
        let gate = &self.0;
        let now = gate.latest.at(gate.wall_clock.now());
        now.ok_or(SecurityError::Clock)
    }

    fn make(
        &self,
        identity: &str,
        valid_for: Duration,
    ) -> Result<(IssuedToken, Arc<str>), SecurityError> {
        let policy = self.0.policy.load();
        let Some(identity) = policy.identities.get(identity) else {
            return Err(SecurityError::UnknownIdentity {
                name: identity.to_owned(),
            });
        };
        let max = policy.token_lifetime_max_s;
        length_within("a token's life", valid_for, max)?;
        let life_ms = u64::try_from(valid_for.as_millis()).unwrap_or(u64::MAX);
        let expires_ms = self.now_ms()?.saturating_add(life_ms);
        let expires_at = SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_millis(expires_ms))
            .ok_or(SecurityError::Clock)?;
        let tokens = self.0.authenticator.tokens();
        let id = token::random_id()?;
        let (token, hash) = token::generate(self.0.authenticator.key(), &id)?;
        let name = identity.name.as_str();
        let record = TokenRecord::new(&id, name, hash, expires_ms, true);
        tokens.add(record, policy.tokens_max)?;
        self.0.show_held();
        let issued = IssuedToken {
            token,
            hash: HEXLOWER.encode(&hash),
            expires_at,
            id,
        };
        Ok((issued, name.into()))
    }

    fn note_token(&self, event: Event, id: &str, text: String) {
        if let Some(record) = self.0.authenticator.tokens().get(id) {
            self.0.token_entry(event, &record, text);
        }
    }

    async fn verify(&self, folder: PathBuf, seal: Seal) -> Result<AuditReport, SecurityError> {
        let verified = blocking(move || verify_sealed(&folder, &seal)).await?;
        Ok(verified)
    }
}

fn length_within(what: &'static str, time: Duration, max: u64) -> Result<(), SecurityError> {
    let seconds = time.as_secs();
    if time.is_zero() || time > Duration::from_secs(max) {
        return Err(SecurityError::Length { what, seconds, max });
    }
    Ok(())
}

fn name_of(principal: &str) -> Result<PrincipalName, SecurityError> {
    PrincipalName::new(principal).map_err(|error| SecurityError::Name {
        name: principal.to_owned(),
        text: error.to_string(),
    })
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuditError> + Send + 'static,
) -> Result<T, AuditError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(AuditError::Writer {
            text: error.to_string(),
        })
    })
}

#[async_trait]
impl SecurityService for Operator {
    fn issue(&self, identity: &str, valid_for: Duration) -> Result<IssuedToken, SecurityError> {
        let (issued, _) = self.make(identity, valid_for)?;
        let text = format!("valid for {} s", valid_for.as_secs());
        self.note_token(Event::TokenIssued, &issued.id, text);
        Ok(issued)
    }

    fn rotate(
        &self,
        token_id: &str,
        overlap: Duration,
        valid_for: Duration,
    ) -> Result<IssuedToken, SecurityError> {
        let Some(old) = self.0.authenticator.tokens().get(token_id) else {
            return Err(SecurityError::UnknownToken {
                id: token_id.to_owned(),
            });
        };
        let now_ms = self.now_ms()?;
        if old.is_revoked() || now_ms >= old.expires_ms() {
            return Err(SecurityError::TokenEnded {
                id: token_id.to_owned(),
            });
        }
        let (issued, _) = self.make(&old.identity, valid_for)?;
        let overlap_ms = u64::try_from(overlap.as_millis()).unwrap_or(u64::MAX);
        old.expire_by(now_ms.saturating_add(overlap_ms));
        let text = format!("by {}, overlap {} s", issued.id, overlap.as_secs());
        self.0.token_entry(Event::TokenRotated, &old, text);
        Ok(issued)
    }

    fn revoke(&self, token_id: &str) -> Result<(), SecurityError> {
        let record = self.0.authenticator.tokens().revoke(token_id)?;
        self.0
            .token_entry(Event::TokenRevoked, &record, String::new());
        Ok(())
    }

    fn tokens(&self) -> Vec<TokenView> {
        self.0.authenticator.tokens().views()
    }

    fn block(&self, principal: &str, time: Duration, reason: &str) -> Result<(), SecurityError> {
        let name = name_of(principal)?;
        length_within("a block", time, BLOCK_S_MAX)?;
        let gate = &self.0;
        let max = gate.policy.load().blocks_max;
        let reason = self.redact_text(reason);
        gate.blocks.block(&name, time, reason.clone(), max);
        let text = format!("for {} s: {reason}", time.as_secs());
        gate.note(gate.wall_clock.now(), Event::Blocked, principal, text);
        gate.show_held();
        Ok(())
    }

    fn unblock(&self, principal: &str) -> Result<bool, SecurityError> {
        let gate = &self.0;
        let was_blocked = gate.blocks.unblock(&name_of(principal)?);
        if was_blocked {
            let now = gate.wall_clock.now();
            gate.note(now, Event::Unblocked, principal, String::new());
            gate.show_held();
        }
        Ok(was_blocked)
    }

    fn blocked(&self) -> Vec<BlockView> {
        self.0.blocks.views()
    }

    fn explain(&self, identity: &str, request: &Request) -> Result<Explanation, SecurityError> {
        let policy = self.0.policy.load();
        let Some(found) = policy.identities.get(identity) else {
            return Err(SecurityError::UnknownIdentity {
                name: identity.to_owned(),
            });
        };
        Ok(explain(&policy, found, request))
    }

    fn redact_text(&self, text: &str) -> String {
        self.0.redactor.load().text(text).into_owned()
    }

    fn redact_json(&self, value: &Value) -> Value {
        self.0.redactor.load().json(value)
    }

    async fn flush_audit(&self) -> Result<(), SecurityError> {
        let gate = Arc::clone(&self.0);
        if gate.audit.is_none() {
            return Err(SecurityError::NoAudit);
        }
        let flush = move || gate.audit.as_ref().map_or(Ok(()), |audit| audit.flush());
        Ok(blocking(flush).await?)
    }

    async fn verify_audit(&self) -> Result<AuditReport, SecurityError> {
        let (Some(folder), Some(seal)) = (&self.0.audit_config.directory, &self.0.seal) else {
            return Err(SecurityError::NoAudit);
        };
        self.flush_audit().await?;
        self.verify(folder.clone(), seal.clone()).await
    }

    async fn verify_audit_in(&self, folder: &Path) -> Result<AuditReport, SecurityError> {
        let Some(seal) = &self.0.seal else {
            return Err(SecurityError::NoAudit);
        };
        self.verify(folder.to_owned(), seal.clone()).await
    }
}
