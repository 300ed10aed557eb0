//! Sessions and their fragments, within limits. Every section under the lock is short: what takes time is done before.

mod eviction;
mod held;
mod stats;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;
use universal_orchestrator::Priority;

pub(crate) use held::{Held, Session};
pub use stats::{SessionStats, StoreStats};

use crate::compress::Level;
use crate::config::ContextConfig;
use crate::fragment::Fragment;
use crate::session::{FragmentId, SessionId};

/// Why a fragment was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddRefusal {
    /// There is no such session.
    #[error("there is no session {session}: create it first")]
    NoSession {
        /// The session.
        session: SessionId,
    },
    /// Its content is empty.
    #[error("a fragment without content says nothing: leave it out")]
    Empty,
    /// Its content is too long.
    #[error(
        "the fragment has {bytes} bytes, the limit fragment_bytes_max is {max}: add it in parts, or a reference to it"
    )]
    TooLong {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A limit of the session or of the store leaves no room, even without everything that may go.
    #[error(
        "the fragment needs {needed} of {limit} = {max}, and fragments that may not go hold {held}: close sessions, lower priorities, or raise the limit"
    )]
    NoRoom {
        /// The limit's key.
        limit: &'static str,
        /// Its value.
        max: usize,
        /// What the fragment needs.
        needed: usize,
        /// What critical fragments hold.
        held: usize,
    },
    /// The work was given up: the runtime ends.
    #[error("the runtime ended before the fragment was in")]
    RuntimeEnded,
}

/// Why a session was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// There is one of this name.
    #[error("session {session} exists: use it, or close it first")]
    Exists {
        /// The session.
        session: SessionId,
    },
    /// There are as many as there may be.
    #[error("there are {max} sessions, the limit sessions_max: close one, or raise the limit")]
    TooMany {
        /// The limit.
        max: usize,
    },
}

/// What became of an added fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Added {
    /// Its number; that of the earlier one when the session had the same content.
    pub id: FragmentId,
    /// Whether the session had the same content.
    pub repeated: bool,
    /// Fragments that went to make room.
    pub evicted: usize,
}

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Store {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) sessions: HashMap<SessionId, Session>,
    pub(crate) bytes: usize,
    pub(crate) evicted: u64,
    pub(crate) expired: u64,
    pub(crate) compressed: u64,
    pub(crate) sessions_expired: u64,
}

impl Store {
    /// Opens a session.
    pub(crate) fn create(&self, id: &SessionId, config: &ContextConfig) -> Result<(), CreateError> {
        let mut state = self.state.lock();
        if state.sessions.contains_key(id) {
            return Err(CreateError::Exists {
                session: id.clone(),
            });
        }
        state.room_for_session(config)?;
        state
            .sessions
            .insert(id.clone(), Session::new(Instant::now()));
        Ok(())
    }

    pub(crate) fn exists(&self, id: &SessionId) -> bool {
        self.state.lock().sessions.contains_key(id)
    }

    /// Closes a session; `false` when there is none.
    pub(crate) fn close(&self, id: &SessionId) -> bool {
        let mut state = self.state.lock();
        let Some(session) = state.sessions.remove(id) else {
            return false;
        };
        state.bytes = state.bytes.saturating_sub(session.bytes());
        true
    }

    /// Adds a fragment, or counts it as a repetition of an equal one.
    pub(crate) fn add(
        &self,
        id: &SessionId,
        fragment: Arc<Fragment>,
        config: &ContextConfig,
    ) -> Result<Added, AddRefusal> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let no_session = || AddRefusal::NoSession {
            session: id.clone(),
        };
        let session = state.sessions.get_mut(id).ok_or_else(no_session)?;
        if let Some(repeated) = session.repeat(&fragment, now) {
            return Ok(Added {
                id: repeated,
                repeated: true,
                evicted: 0,
            });
        }
        let evicted = state.make_room(id, &fragment, config)?;
        let session = state.sessions.get_mut(id).ok_or_else(no_session)?;
        let bytes = fragment.bytes;
        let id = session.push(fragment, now);
        state.bytes += bytes;
        Ok(Added {
            id,
            repeated: false,
            evicted,
        })
    }

    /// The fragments of a session, by number.
    pub(crate) fn snapshot(&self, id: &SessionId) -> Option<Vec<(FragmentId, Held)>> {
        let state = self.state.lock();
        let session = state.sessions.get(id)?;
        Some(
            session
                .fragments
                .iter()
                .map(|(id, held)| (*id, held.clone()))
                .collect(),
        )
    }

    /// Tokens of a session; `None` when there is none.
    pub(crate) fn tokens(&self, id: &SessionId) -> Option<usize> {
        self.state.lock().sessions.get(id).map(Session::tokens)
    }

    /// Counts that fragments were shown.
    pub(crate) fn shown(&self, id: &SessionId, fragments: &[FragmentId]) {
        let now = Instant::now();
        let mut state = self.state.lock();
        if let Some(session) = state.sessions.get_mut(id) {
            session.used = now;
            for fragment in fragments {
                if let Some(held) = session.fragments.get_mut(fragment) {
                    held.shown += 1;
                    held.used = now;
                }
            }
        }
    }

    /// Puts a restored session in its place.
    pub(crate) fn replace(
        &self,
        id: &SessionId,
        session: Session,
        config: &ContextConfig,
    ) -> Result<(), ReplaceRefusal> {
        let mut state = self.state.lock();
        let before = state.sessions.get(id).map(Session::bytes);
        if before.is_none() {
            state
                .room_for_session(config)
                .map_err(ReplaceRefusal::Create)?;
        }
        let bytes = state.bytes - before.unwrap_or(0) + session.bytes();
        let limits = [
            (
                "fragments_max",
                session.fragments.len(),
                config.fragments_max,
            ),
            (
                "session_tokens_max",
                session.tokens(),
                config.session_tokens_max,
            ),
            (
                "session_bytes_max",
                session.bytes(),
                config.session_bytes_max,
            ),
            ("store_bytes_max", bytes, config.store_bytes_max),
        ];
        for (limit, needed, max) in limits {
            if needed > max {
                return Err(ReplaceRefusal::NoRoom { limit, needed, max });
            }
        }
        state.bytes = bytes;
        state.sessions.insert(id.clone(), session);
        Ok(())
    }

    /// A session as it is, to be saved.
    pub(crate) fn copy(&self, id: &SessionId) -> Option<Session> {
        self.state.lock().sessions.get(id).cloned()
    }

    /// Fragments that should be compressed to keep the session below its thresholds.
    pub(crate) fn crowded(
        &self,
        id: &SessionId,
        more: &Fragment,
        config: &ContextConfig,
    ) -> Option<Crowded> {
        self.state.lock().sessions.get(id)?.crowded(more, config)
    }

    /// How full a session would be with another fragment, in percent of its limits.
    pub(crate) fn full_percent(
        &self,
        id: &SessionId,
        more: &Fragment,
        config: &ContextConfig,
    ) -> usize {
        let state = self.state.lock();
        state
            .sessions
            .get(id)
            .map_or(0, |session| session.full_percent(more, config))
    }

    /// Puts a compressed fragment in the place of the one that it was made of, if that is still there.
    pub(crate) fn swap(
        &self,
        id: &SessionId,
        at: FragmentId,
        old: &Arc<Fragment>,
        new: Arc<Fragment>,
    ) -> bool {
        let mut state = self.state.lock();
        let Some(session) = state.sessions.get_mut(id) else {
            return false;
        };
        let (before, after) = (old.bytes, new.bytes);
        let swapped = session.swap(at, old, new);
        if swapped {
            state.bytes = state.bytes.saturating_sub(before) + after;
            state.compressed += 1;
        }
        swapped
    }

    /// Drops what is too old.
    pub(crate) fn sweep(&self, config: &ContextConfig) {
        self.state.lock().sweep(config, Instant::now());
    }

    pub(crate) fn session_stats(&self, id: &SessionId) -> Option<SessionStats> {
        let state = self.state.lock();
        state
            .sessions
            .get(id)
            .map(|session| SessionStats::of(id, session))
    }

    pub(crate) fn stats(&self, top: usize) -> StoreStats {
        StoreStats::of(&self.state.lock(), top)
    }
}

/// A session that should be compressed.
#[derive(Debug)]
pub(crate) struct Crowded {
    pub(crate) level: Level,
    /// It is crowded from here on.
    pub(crate) from_percent: usize,
    /// Least recently used first.
    pub(crate) fragments: Vec<(FragmentId, Arc<Fragment>)>,
}

/// Why a restored session was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReplaceRefusal {
    Create(CreateError),
    NoRoom {
        limit: &'static str,
        needed: usize,
        max: usize,
    },
}

/// Whether a fragment of this priority may be changed or dropped.
pub(crate) fn may_be_cut(priority: Priority) -> bool {
    priority != Priority::Critical
}

/// Whether a fragment may be changed or dropped to make room.
pub(crate) fn may_go(held: &Held) -> bool {
    may_be_cut(held.priority)
}
