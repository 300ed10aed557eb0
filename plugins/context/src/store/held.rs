//! One session.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator::Priority;

use crate::compress::Level;
use crate::config::ContextConfig;
use crate::fragment::{Fragment, FragmentView};
use crate::session::FragmentId;
use crate::store::{Crowded, may_go};

/// A fragment in its session.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) fragment: Arc<Fragment>,
    /// The most urgent with which its content came.
    pub(crate) priority: Priority,
    pub(crate) shown: u64,
    pub(crate) repeats: u64,
    pub(crate) created: Instant,
    pub(crate) used: Instant,
}

/// A session: the fragments and their sums.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) fragments: BTreeMap<FragmentId, Held>,
    /// By hash of the content; where two contents have one hash, the earlier.
    by_hash: HashMap<u64, FragmentId>,
    pub(crate) next: u64,
    tokens: usize,
    bytes: usize,
    pub(crate) used: Instant,
    pub(crate) evicted: u64,
    pub(crate) expired: u64,
}

impl Session {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            fragments: BTreeMap::new(),
            by_hash: HashMap::new(),
            next: 1,
            tokens: 0,
            bytes: 0,
            used: now,
            evicted: 0,
            expired: 0,
        }
    }

    pub(crate) const fn tokens(&self) -> usize {
        self.tokens
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts a fragment whose content the session has.
    pub(super) fn repeat(&mut self, fragment: &Fragment, now: Instant) -> Option<FragmentId> {
        let id = *self.by_hash.get(&fragment.hash)?;
        let held = self.fragments.get_mut(&id)?;
        if held.fragment.text() != fragment.text() {
            return None;
        }
        held.repeats += 1;
        held.used = now;
        held.priority = held.priority.min(fragment.new.priority);
        self.used = now;
        Some(id)
    }

    pub(super) fn push(&mut self, fragment: Arc<Fragment>, now: Instant) -> FragmentId {
        let id = FragmentId(self.next);
        self.next += 1;
        self.used = now;
        let priority = fragment.new.priority;
        let held = Held {
            fragment,
            priority,
            shown: 0,
            repeats: 0,
            created: now,
            used: now,
        };
        self.put(id, held);
        id
    }

    /// Puts a fragment in, and counts it.
    pub(crate) fn put(&mut self, id: FragmentId, held: Held) {
        self.tokens += held.fragment.tokens;
        self.bytes += held.fragment.bytes;
        self.by_hash.entry(held.fragment.hash).or_insert(id);
        self.fragments.insert(id, held);
    }

    /// Takes a fragment out.
    pub(super) fn take(&mut self, id: FragmentId) -> Option<Held> {
        let held = self.fragments.remove(&id)?;
        self.tokens -= held.fragment.tokens;
        self.bytes -= held.fragment.bytes;
        self.forget_hash(held.fragment.hash, id);
        Some(held)
    }

    fn forget_hash(&mut self, hash: u64, id: FragmentId) {
        if self.by_hash.get(&hash) == Some(&id) {
            self.by_hash.remove(&hash);
        }
    }

    pub(super) fn swap(&mut self, id: FragmentId, old: &Arc<Fragment>, new: Arc<Fragment>) -> bool {
        let Some(held) = self.fragments.get_mut(&id) else {
            return false;
        };
        if !Arc::ptr_eq(&held.fragment, old) || !may_go(held) {
            return false;
        }
        self.tokens = self.tokens - old.tokens + new.tokens;
        self.bytes = self.bytes - old.bytes + new.bytes;
        held.fragment = new;
        true
    }

    /// The fragments that may go, least recently used first; of equals the least urgent, then the oldest.
    pub(super) fn by_use(&self) -> Vec<FragmentId> {
        let mut ids: Vec<_> = self
            .fragments
            .iter()
            .filter(|(_, held)| may_go(held))
            .collect();
        ids.sort_by_key(|(id, held)| (held.used, std::cmp::Reverse(held.priority), **id));
        ids.into_iter().map(|(id, _)| *id).collect()
    }

    pub(super) fn full_percent(&self, more: &Fragment, config: &ContextConfig) -> usize {
        let percent = |value: usize, max: usize| value.saturating_mul(100) / max.max(1);
        percent(self.tokens + more.tokens, config.session_tokens_max)
            .max(percent(self.bytes + more.bytes, config.session_bytes_max))
    }

    pub(super) fn crowded(&self, more: &Fragment, config: &ContextConfig) -> Option<Crowded> {
        let full = self.full_percent(more, config);
        let (from_percent, level) = [
            (config.compress_heavy_percent, Level::Heavy),
            (config.compress_medium_percent, Level::Medium),
            (config.compress_light_percent, Level::Light),
        ]
        .into_iter()
        .map(|(from, level)| (from as usize, level))
        .find(|(from, _)| full >= *from)?;
        let can = |held: &Held| held.fragment.level.is_none_or(|has| has < level);
        let fragments: Vec<_> = self
            .by_use()
            .into_iter()
            .filter_map(|id| {
                let held = self.fragments.get(&id).filter(|held| can(held))?;
                Some((id, Arc::clone(&held.fragment)))
            })
            .collect();
        (!fragments.is_empty()).then_some(Crowded {
            level,
            from_percent,
            fragments,
        })
    }
}

impl Held {
    pub(crate) fn view(&self, id: FragmentId, now: Instant) -> FragmentView {
        let new = &self.fragment.new;
        FragmentView {
            id,
            role: new.role,
            kind: self.fragment.kind,
            priority: self.priority,
            relevance: self.fragment.relevance,
            agent: new.agent.clone(),
            task: new.task.clone(),
            tokens: self.fragment.tokens,
            content_bytes: new.content.len(),
            shown: self.shown,
            repeats: self.repeats,
            level: self.fragment.level,
            losses: self.fragment.losses,
            age: now.saturating_duration_since(self.created),
            unused: now.saturating_duration_since(self.used),
        }
    }

    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.created)
    }
}
