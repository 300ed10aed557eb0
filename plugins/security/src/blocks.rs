//! Principals that are refused for a while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;
use universal_orchestrator::PrincipalName;

/// A block as it can be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BlockView {
    /// Who is blocked.
    pub principal: String,
    /// Why, without secrets.
    pub reason: String,
    /// How long it lasts from now.
    pub left: Duration,
}

#[derive(Debug)]
struct Block {
    until: Instant,
    reason: String,
}

/// All blocks, by tokio's clock: a jump of the wall clock neither lifts nor lengthens one.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    by_name: Mutex<HashMap<PrincipalName, Block>>,
    /// How many there are, so that nobody takes the lock while there is none.
    count: AtomicUsize,
}

impl Blocks {
    /// How long a principal is blocked still.
    pub(crate) fn left(&self, principal: &PrincipalName) -> Option<Duration> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let by_name = self.by_name.lock();
        let block = by_name.get(principal)?;
        let left = block.until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Blocks a principal; a longer block stays. At the limit the one that ends first gives way.
    pub(crate) fn block(
        &self,
        principal: &PrincipalName,
        time: Duration,
        reason: String,
        max: usize,
    ) {
        let now = Instant::now();
        let until = now + time;
        let mut by_name = self.by_name.lock();
        if by_name.get(principal).is_some_and(|b| b.until > until) {
            return;
        }
        if by_name.len() >= max && !by_name.contains_key(principal) {
            by_name.retain(|_, block| block.until > now);
        }
        if by_name.len() >= max && !by_name.contains_key(principal) {
            let first = by_name.iter().min_by_key(|(_, block)| block.until);
            if let Some(first) = first.map(|(name, _)| name.clone()) {
                by_name.remove(&first);
            }
        }
        by_name.insert(principal.clone(), Block { until, reason });
        self.count.store(by_name.len(), Ordering::Release);
    }

    /// Lifts a block; whether there was one.
    pub(crate) fn unblock(&self, principal: &PrincipalName) -> bool {
        let mut by_name = self.by_name.lock();
        let block = by_name.remove(principal);
        self.count.store(by_name.len(), Ordering::Release);
        block.is_some_and(|block| block.until > Instant::now())
    }

    /// Forgets those that have ended.
    pub(crate) fn forget_ended(&self) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let now = Instant::now();
        let mut by_name = self.by_name.lock();
        by_name.retain(|_, block| block.until > now);
        self.count.store(by_name.len(), Ordering::Release);
    }

    /// How many there are, ended ones that were not forgotten yet included.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Those that hold now, by name.
    pub(crate) fn views(&self) -> Vec<BlockView> {
        let now = Instant::now();
        let by_name = self.by_name.lock();
        let mut views: Vec<_> = by_name
            .iter()
            .filter(|(_, block)| block.until > now)
            .map(|(name, block)| BlockView {
                principal: name.to_string(),
                reason: block.reason.clone(),
                left: block.until.saturating_duration_since(now),
            })
            .collect();
        views.sort_by(|a, b| a.principal.cmp(&b.principal));
        views
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn at_the_limit_the_block_that_ends_first_gives_way() {
        let blocks = Blocks::default();
        let name = |text: &str| PrincipalName::new(text).unwrap();
        let block = |who: &str, s| {
            blocks.block(&name(who), Duration::from_secs(s), String::new(), 2);
        };
        block("a", 20);
        block("b", 10);
        block("c", 30);
        assert_eq!(blocks.left(&name("b")), None);
        assert_eq!(blocks.left(&name("a")), Some(Duration::from_secs(20)));
        block("a", 1);
        assert_eq!(blocks.left(&name("a")), Some(Duration::from_secs(20)));
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(blocks.left(&name("a")), None);
        assert!(!blocks.unblock(&name("a")));
        assert!(blocks.unblock(&name("c")));
    }
}
