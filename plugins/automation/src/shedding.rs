//! Refuses less urgent tasks while too much waits.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use universal_orchestrator::Priority;

use crate::config::SheddingConfig;

/// How much is shed: 0 nothing, 1 `low`, 2 `medium` too, 3 `high` too.
#[derive(Debug, Default)]
pub(crate) struct Shedding {
    level: AtomicU8,
    /// Waiting tasks at the last tick, and since then one more for each accepted and one less for each that ended.
    depth: AtomicI64,
    shed: AtomicU64,
}

/// The level from which a priority is refused.
const fn refused_from(priority: Priority) -> Option<u8> {
    match priority {
        Priority::Critical => None,
        Priority::High => Some(3),
        Priority::Medium => Some(2),
        Priority::Low => Some(1),
    }
}

impl Shedding {
    /// Whether a task of this priority is let in. It counts once it was accepted: what another guard or the orchestrator refuses fills no queue.
    pub(crate) fn admit(&self, config: &SheddingConfig, priority: Priority) -> bool {
        let depth = u64::try_from(self.depth.load(Ordering::Relaxed)).unwrap_or(0);
        let by_depth = level(config, depth, 0, 100);
        let level = self.level.load(Ordering::Relaxed).max(by_depth);
        if refused_from(priority).is_some_and(|from| level >= from) {
            self.shed.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// A task was accepted.
    pub(crate) fn accepted(&self) {
        self.depth.fetch_add(1, Ordering::Relaxed);
    }

    /// A task ended.
    pub(crate) fn ended(&self) {
        self.depth.fetch_sub(1, Ordering::Relaxed);
    }

    /// Looks at the queue: a level rises at its thresholds and falls below the resuming share of them.
    pub(crate) fn look(&self, config: &SheddingConfig, depth: u64, wait_ms: u64) -> u8 {
        let before = self.level.load(Ordering::Relaxed);
        let rises = level(config, depth, wait_ms, 100);
        let stays = level(config, depth, wait_ms, config.resume_percent);
        let now = rises.max(before.min(stays));
        self.level.store(now, Ordering::Relaxed);
        let depth = i64::try_from(depth).unwrap_or(i64::MAX);
        self.depth.store(depth, Ordering::Relaxed);
        now
    }

    /// Lets everything in again.
    pub(crate) fn reset(&self) {
        self.level.store(0, Ordering::Relaxed);
        self.depth.store(0, Ordering::Relaxed);
    }

    pub(crate) fn level(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }

    pub(crate) fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }
}

/// The highest level whose threshold, or that share of it, is reached.
fn level(config: &SheddingConfig, depth: u64, wait_ms: u64, share_percent: u64) -> u8 {
    let reached = |value: u64, threshold: u64| {
        let part = u128::from(threshold) * u128::from(share_percent);
        threshold > 0 && u128::from(value) * 100 >= part
    };
    let levels = config.levels().into_iter().zip(1_u8..);
    levels
        .filter(|((by_depth, by_wait), _)| reached(depth, *by_depth) || reached(wait_ms, *by_wait))
        .map(|(_, level)| level)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_falls_later_than_it_rises() {
        let config = SheddingConfig {
            depth_low: 10,
            depth_medium: 20,
            depth_high: 0,
            wait_high_ms: 5_000,
            ..SheddingConfig::default()
        };
        let shedding = Shedding::default();
        let looks = [(9, 0), (10, 0), (20, 0), (16, 0), (15, 0), (8, 0), (7, 0)];
        let levels = looks.map(|(depth, wait)| shedding.look(&config, depth, wait));
        assert_eq!(levels, [0, 1, 2, 2, 1, 1, 0]);
        assert_eq!(shedding.look(&config, 0, 5_000), 3);
        assert_eq!(shedding.look(&config, 0, 4_000), 3);
        assert_eq!(shedding.look(&config, 0, 3_999), 0);
    }
}
