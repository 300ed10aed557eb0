//! Figures of the store.

use serde::Serialize;

use crate::session::SessionId;
use crate::store::{Session, State};

/// Figures of one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SessionStats {
    /// The session.
    pub session: SessionId,
    /// Its fragments.
    pub fragments: usize,
    /// Their tokens.
    pub tokens: usize,
    /// Their bytes, working data included.
    pub bytes: usize,
    /// How often content came that it had.
    pub repeats: u64,
    /// Fragments that are compressed to save room.
    pub compressed: usize,
    /// Fragments that went to make room.
    pub evicted: u64,
    /// Fragments that were too old.
    pub expired: u64,
}

impl SessionStats {
    pub(super) fn of(id: &SessionId, session: &Session) -> Self {
        let held = || session.fragments.values();
        Self {
            session: id.clone(),
            fragments: session.fragments.len(),
            tokens: session.tokens(),
            bytes: session.bytes(),
            repeats: held().map(|held| held.repeats).sum(),
            compressed: held().filter(|held| held.fragment.level.is_some()).count(),
            evicted: session.evicted,
            expired: session.expired,
        }
    }
}

/// Figures of all sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreStats {
    /// Sessions.
    pub sessions: usize,
    /// Fragments of all of them.
    pub fragments: usize,
    /// Tokens of all of them.
    pub tokens: usize,
    /// Bytes of all of them, working data included.
    pub bytes: usize,
    /// Fragments that went to make room, so far.
    pub evicted: u64,
    /// Fragments that were too old, so far.
    pub expired: u64,
    /// Sessions that were unused too long, so far.
    pub sessions_expired: u64,
    /// Fragments that were compressed to save room, so far.
    pub compressed: u64,
    /// The largest sessions by tokens.
    pub largest: Vec<SessionStats>,
}

impl StoreStats {
    pub(super) fn of(state: &State, top: usize) -> Self {
        let sessions = || state.sessions.values();
        let mut by_size: Vec<_> = state.sessions.iter().collect();
        by_size.sort_by(|(a, x), (b, y)| y.tokens().cmp(&x.tokens()).then(a.cmp(b)));
        by_size.truncate(top);
        Self {
            sessions: state.sessions.len(),
            fragments: sessions().map(|session| session.fragments.len()).sum(),
            tokens: sessions().map(Session::tokens).sum(),
            bytes: state.bytes,
            evicted: state.evicted,
            expired: state.expired,
            sessions_expired: state.sessions_expired,
            compressed: state.compressed,
            largest: by_size
                .into_iter()
                .map(|(id, session)| SessionStats::of(id, session))
                .collect(),
        }
    }
}
