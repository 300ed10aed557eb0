//! Makes room, and drops what is too old.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::ContextConfig;
use crate::fragment::Fragment;
use crate::session::SessionId;
use crate::store::{AddRefusal, CreateError, Held, Session, State, may_go};

impl State {
    pub(super) fn room_for_session(&self, config: &ContextConfig) -> Result<(), CreateError> {
        let max = config.sessions_max;
        match self.sessions.len() < max {
            true => Ok(()),
            false => Err(CreateError::TooMany { max }),
        }
    }

    /// Drops what has to go so that a fragment fits; nothing when it does not fit even then.
    pub(super) fn make_room(
        &mut self,
        id: &SessionId,
        fragment: &Fragment,
        config: &ContextConfig,
    ) -> Result<usize, AddRefusal> {
        let Some(session) = self.sessions.get(id) else {
            return Ok(0);
        };
        let bytes = fragment.bytes;
        let kept = |value: fn(&Held) -> usize| -> usize {
            session
                .fragments
                .values()
                .filter(|held| !may_go(held))
                .map(value)
                .sum()
        };
        let everywhere = || -> usize {
            let all = self.sessions.values().flat_map(|s| s.fragments.values());
            all.filter(|held| !may_go(held))
                .map(|held| held.fragment.bytes)
                .sum()
        };
        for (limit, max, needed, held) in [
            ("fragments_max", config.fragments_max, 1, kept(|_| 1)),
            (
                "session_tokens_max",
                config.session_tokens_max,
                fragment.tokens,
                kept(|h| h.fragment.tokens),
            ),
            (
                "session_bytes_max",
                config.session_bytes_max,
                bytes,
                kept(|h| h.fragment.bytes),
            ),
            (
                "store_bytes_max",
                config.store_bytes_max,
                bytes,
                match self.bytes + bytes > config.store_bytes_max {
                    true => everywhere(),
                    // Nothing has to go, so what may not go plays no part.
                    false => 0,
                },
            ),
        ] {
            if held.saturating_add(needed) > max {
                return Err(AddRefusal::NoRoom {
                    limit,
                    max,
                    needed,
                    held,
                });
            }
        }
        let mut evicted = self.evict_in(id, |session| {
            session.fragments.len() + 1 > config.fragments_max
                || session.tokens() + fragment.tokens > config.session_tokens_max
                || session.bytes() + bytes > config.session_bytes_max
        });
        while self.bytes + bytes > config.store_bytes_max {
            // The session that was used least recently and has something that may go.
            let with = |session: &Session| session.fragments.values().any(may_go);
            let oldest = self.sessions.iter().filter(|(_, session)| with(session));
            let oldest = oldest.min_by_key(|(id, session)| (session.used, *id));
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else {
                break;
            };
            let (all, max) = (self.bytes + bytes, config.store_bytes_max);
            let start = self.sessions.get(&oldest).map_or(0, Session::bytes);
            let excess = all - max;
            evicted += self.evict_in(&oldest, |session| start - session.bytes() < excess);
        }
        Ok(evicted)
    }

    /// Drops fragments of a session, least recently used first, while it is too full.
    fn evict_in(&mut self, id: &SessionId, too_full: impl Fn(&Session) -> bool) -> usize {
        let Some(session) = self.sessions.get_mut(id) else {
            return 0;
        };
        if !too_full(session) {
            return 0;
        }
        let mut evicted = 0;
        for fragment in session.by_use() {
            if !too_full(session) {
                break;
            }
            if let Some(held) = session.take(fragment) {
                self.bytes = self.bytes.saturating_sub(held.fragment.bytes);
                evicted += 1;
            }
        }
        session.evicted += evicted as u64;
        self.evicted += evicted as u64;
        evicted
    }

    /// Drops fragments and sessions that are too old.
    pub(super) fn sweep(&mut self, config: &ContextConfig, now: Instant) {
        if config.session_ttl_s > 0 {
            let ttl = Duration::from_secs(config.session_ttl_s);
            let bytes = &mut self.bytes;
            let before = self.sessions.len();
            self.sessions.retain(|_, session| {
                let keep = now.saturating_duration_since(session.used) < ttl;
                if !keep {
                    *bytes = bytes.saturating_sub(session.bytes());
                }
                keep
            });
            self.sessions_expired += (before - self.sessions.len()) as u64;
        }
        if config.fragment_ttl_s > 0 {
            let ttl = Duration::from_secs(config.fragment_ttl_s);
            for session in self.sessions.values_mut() {
                // Collected first: the map is not changed while it is walked.
                let old: Vec<_> = session
                    .fragments
                    .iter()
                    .filter(|(_, held)| may_go(held) && held.age(now) >= ttl)
                    .map(|(id, _)| *id)
                    .collect();
                for id in old {
                    if let Some(held) = session.take(id) {
                        self.bytes = self.bytes.saturating_sub(held.fragment.bytes);
                        session.expired += 1;
                        self.expired += 1;
                    }
                }
            }
        }
    }
}
