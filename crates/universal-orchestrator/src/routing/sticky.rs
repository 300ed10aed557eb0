//! Which agent a key sticks to.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::FixedState;

use crate::id::{AgentId, Key};

/// The weight of an agent for a key; the highest wins, so that an agent that leaves moves only its own keys.
///
/// Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM ToN 6(1), 1998 (rendezvous hashing).
pub(crate) fn rendezvous_weight(key: &Key, agent: &AgentId) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    key.hash(&mut hasher);
    agent.hash(&mut hasher);
    hasher.finish()
}
