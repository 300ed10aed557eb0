//! Who calls: finds out what a credential proves.

use std::sync::Arc;

use subtle::ConstantTimeEq;
use universal_orchestrator::Principal;

use crate::key::ServerKey;
use crate::policy::Policy;
use crate::refusal::Denied;
use crate::token::{self, BearerToken};
use crate::tokens::{Tokens, Verified};

/// What is known about a caller.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Its token holds.
    Verified(Arc<Verified>),
    /// It showed none, and that is allowed.
    Unverified,
}

/// What it takes to check a token.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// Tells this one apart from those of other orchestrators that see the same token.
    mark: Arc<()>,
    key: ServerKey,
    tokens: Tokens,
}

impl Authenticator {
    pub(crate) fn new(key: ServerKey) -> Self {
        Self {
            mark: Arc::new(()),
            key,
            tokens: Tokens::new(),
        }
    }

    pub(crate) const fn key(&self) -> &ServerKey {
        &self.key
    }

    pub(crate) const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Checks a caller. Before a token has proven that its owner has the secret, every refusal of it is the same.
    pub(crate) fn authenticate(
        &self,
        policy: &Policy,
        principal: &Principal,
        now_ms: u64,
    ) -> Result<Caller, (Denied, Option<Arc<Verified>>)> {
        let nobody = policy.identities.is_empty();
        let Some(token) = principal.credential::<BearerToken>() else {
            // A name that an identity has is never believed without proof.
            let is_claimed = policy.identities.contains_key(principal.as_str());
            return match policy.require_authentication || is_claimed {
                true => Err((Denied::unauthenticated().with_nobody_known(nobody), None)),
                false => Ok(Caller::Unverified),
            };
        };
        let verified = match token.remembered(&self.mark, policy.epoch) {
            Some(verified) => verified,
            None => {
                let verified = self.verify(policy, token);
                let refused = || Denied::invalid_token().with_nobody_known(nobody);
                let verified = verified.ok_or_else(|| (refused(), None))?;
                token.remember(&self.mark, policy.epoch, &verified);
                verified
            }
        };
        let refuse = |denied| Err((denied, Some(Arc::clone(&verified))));
        if verified.record.is_revoked() {
            return refuse(Denied::token_revoked());
        }
        if now_ms >= verified.record.expires_ms() {
            return refuse(Denied::token_expired());
        }
        let identity = &verified.identity;
        let name = principal.name();
        if identity.name != *name && !identity.grants.may_act_as(name.as_str()) {
            return refuse(Denied::token_of_another());
        }
        Ok(Caller::Verified(verified))
    }

    /// Hashes what was shown and compares in constant time; a token that is not known takes as long as one that is.
    fn verify(&self, policy: &Policy, token: &BearerToken) -> Option<Arc<Verified>> {
        let (id, secret) = token::split(token.expose())?;
        let hash = token::hash(&self.key, id, secret);
        let record = self.tokens.get(id);
        let expected = record.as_ref().map_or([0; 32], |record| record.hash);
        let fits = bool::from(hash.ct_eq(&expected));
        let record = record.filter(|_| fits)?;
        let identity = policy.identities.get(&*record.identity)?;
        Some(Arc::new(Verified {
            record,
            identity: Arc::clone(identity),
        }))
    }
}
