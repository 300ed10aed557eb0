//! The tokens that are known: configured and issued.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use serde::Serialize;

use crate::error::SecurityError;
use crate::policy::Identity;

/// Never expires.
pub(crate) const NEVER_MS: u64 = u64::MAX;

/// Above so many, ids of revoked tokens that the configuration no longer has are forgotten.
const REVOKED_IDS_MAX: usize = 100_000;

/// A token without its secret.
#[derive(Debug)]
pub(crate) struct TokenRecord {
    pub(crate) id: Arc<str>,
    pub(crate) identity: Arc<str>,
    pub(crate) hash: [u8; 32],
    /// Whether it was issued at run time; such a one ends with the process.
    pub(crate) is_issued: bool,
    expires_ms: AtomicU64,
    /// When a rotation ends it; a configuration that is read again does not undo that.
    rotated_ms: AtomicU64,
    revoked: AtomicBool,
}

impl TokenRecord {
    pub(crate) fn new(
        id: &str,
        identity: &str,
        hash: [u8; 32],
        expires_ms: u64,
        is_issued: bool,
    ) -> Self {
        Self {
            id: id.into(),
            identity: identity.into(),
            hash,
            is_issued,
            expires_ms: AtomicU64::new(expires_ms),
            rotated_ms: AtomicU64::new(NEVER_MS),
            revoked: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }

    pub(crate) fn expires_ms(&self) -> u64 {
        self.expires_ms.load(Ordering::Acquire)
    }

    fn rotated_ms(&self) -> u64 {
        self.rotated_ms.load(Ordering::Acquire)
    }

    /// Ends at the given time because another took its place, or earlier when it does already.
    pub(crate) fn expire_by(&self, ms: u64) {
        self.rotated_ms.fetch_min(ms, Ordering::AcqRel);
        self.expires_ms.fetch_min(ms, Ordering::AcqRel);
    }
}

/// A token that was checked, with whom it proves.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) record: Arc<TokenRecord>,
    pub(crate) identity: Arc<Identity>,
}

/// A token as it can be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub identity: String,
    /// When it stops to be valid; `None`: never.
    pub expires_at: Option<SystemTime>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Whether it was issued at run time; such a one ends with the process unless its hash is configured.
    pub issued: bool,
}

/// All tokens by id.
#[derive(Debug)]
pub(crate) struct Tokens {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    by_id: HashMap<Arc<str>, Arc<TokenRecord>>,
    /// Ids that were revoked at run time: a reconfiguration does not bring them back.
    revoked_ids: HashSet<Arc<str>>,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self {
            state: RwLock::new(State::default()),
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<TokenRecord>> {
        self.state.read().by_id.get(id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.state.read().by_id.len()
    }

    /// Replaces the configured ones; those that were issued stay while their identity does.
    pub(crate) fn configure(&self, records: Vec<TokenRecord>, is_identity: impl Fn(&str) -> bool) {
        let mut state = self.state.write();
        let State { by_id, revoked_ids } = &mut *state;
        let mut before = std::mem::take(by_id);
        for record in records {
            // What run time decided about the same token stands: the end of its life by a rotation, and its revocation.
            let same = before.remove(&record.id);
            if let Some(same) = same.filter(|same| same.hash == record.hash) {
                record.expire_by(same.rotated_ms());
            }
            if revoked_ids.contains(&record.id) {
                record.revoked.store(true, Ordering::Release);
            }
            by_id.insert(Arc::clone(&record.id), Arc::new(record));
        }
        let issued = before.into_iter();
        by_id
            .extend(issued.filter(|(_, record)| record.is_issued && is_identity(&record.identity)));
        if revoked_ids.len() > REVOKED_IDS_MAX {
            revoked_ids.retain(|id| by_id.contains_key(id));
        }
    }

    /// Adds an issued one.
    ///
    /// # Errors
    /// [`SecurityError::TooManyTokens`] at the limit.
    pub(crate) fn add(&self, record: TokenRecord, max: usize) -> Result<(), SecurityError> {
        let mut state = self.state.write();
        if state.by_id.len() >= max {
            return Err(SecurityError::TooManyTokens { max });
        }
        state.by_id.insert(Arc::clone(&record.id), Arc::new(record));
        Ok(())
    }

    /// Revokes one for good.
    ///
    /// # Errors
    /// [`SecurityError::UnknownToken`].
    pub(crate) fn revoke(&self, id: &str) -> Result<Arc<TokenRecord>, SecurityError> {
        let mut state = self.state.write();
        let Some(record) = state.by_id.get(id).cloned() else {
            return Err(SecurityError::UnknownToken { id: id.to_owned() });
        };
        record.revoked.store(true, Ordering::Release);
        // Bounded with the tokens: an id gets here only while it is held.
        state.revoked_ids.insert(Arc::clone(&record.id));
        Ok(record)
    }

    /// Forgets issued ones that expired longer ago than their refusal needs to be told apart.
    pub(crate) fn forget_expired(&self, before_ms: u64) {
        let mut state = self.state.write();
        let State { by_id, revoked_ids } = &mut *state;
        by_id.retain(|id, record| {
            let keep = !record.is_issued || record.expires_ms() >= before_ms;
            if !keep {
                revoked_ids.remove(id);
            }
            keep
        });
    }

    /// All of them by id.
    pub(crate) fn views(&self) -> Vec<TokenView> {
        let state = self.state.read();
        let mut views: Vec<_> = state.by_id.values().map(|record| view(record)).collect();
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }
}

fn view(record: &TokenRecord) -> TokenView {
    let expires_ms = record.expires_ms();
    let expires_at = match expires_ms {
        NEVER_MS => None,
        ms => SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms)),
    };
    TokenView {
        id: record.id.to_string(),
        identity: record.identity.to_string(),
        expires_at,
        revoked: record.is_revoked(),
        issued: record.is_issued,
    }
}
