//! Whether services are healthy, by the last probes of each.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The last so many probes of a service count.
const WINDOW: usize = 10;
/// The share of them that must be answered, in percent.
const ANSWERED_MIN: usize = 70;
/// The mean time that answers may take.
const LATENCY_MAX: Duration = Duration::from_millis(40);
/// The most changes that are kept; older ones are forgotten.
const CHANGES_MAX: usize = 100;

/// How a service does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceHealth {
    /// Whether enough probes were answered, and soon enough.
    pub healthy: bool,
    /// Probes that were answered.
    pub answered: usize,
    /// Probes that count.
    pub probes: usize,
    /// What the answers took on average, in milliseconds; `None` without an answer.
    pub mean_ms: Option<u64>,
}

/// A service became healthy or ceased to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The service.
    pub service: &'static str,
    /// How it was after it.
    pub health: ServiceHealth,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServiceHealth {
            healthy,
            answered,
            probes,
            ..
        } = self.health;
        let now = if healthy { "healthy" } else { "unhealthy" };
        write!(
            f,
            "{} is {now}: {answered} of the last {probes} probes were answered",
            self.service
        )
    }
}

/// The last probes of every service. A service that was never probed is taken to be healthy.
#[derive(Debug, Default)]
pub struct HealthBook {
    probes: BTreeMap<&'static str, VecDeque<Option<Duration>>>,
    changes: VecDeque<Change>,
    total: u64,
}

impl HealthBook {
    /// Writes a probe down: what the answer took, or `None` when there was none.
    pub fn record(&mut self, service: &'static str, answer: Option<Duration>) {
        self.total += 1;
        let before = self.health(service).is_none_or(|health| health.healthy);
        let probes = self.probes.entry(service).or_default();
        if probes.len() == WINDOW {
            probes.pop_front();
        }
        probes.push_back(answer);
        let Some(health) = self.health(service) else {
            return;
        };
        if health.healthy != before {
            if self.changes.len() == CHANGES_MAX {
                self.changes.pop_front();
            }
            self.changes.push_back(Change { service, health });
        }
    }

    fn health(&self, service: &str) -> Option<ServiceHealth> {
        let probes = self.probes.get(service)?;
        let answers = || probes.iter().flatten();
        let (answered, all) = (answers().count(), probes.len());
        let mean = answers()
            .sum::<Duration>()
            .checked_div(u32::try_from(answered).unwrap_or(0));
        Some(ServiceHealth {
            healthy: answered * 100 >= all * ANSWERED_MIN && mean.is_none_or(|m| m <= LATENCY_MAX),
            answered,
            probes: all,
            mean_ms: mean.and_then(|mean| u64::try_from(mean.as_millis()).ok()),
        })
    }

    /// How every service does, by name.
    #[must_use]
    pub fn services(&self) -> BTreeMap<&'static str, ServiceHealth> {
        let names = self.probes.keys();
        names
            .filter_map(|name| Some((*name, self.health(name)?)))
            .collect()
    }

    /// The changes, the oldest first.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter()
    }

    /// How many probes were written down in all.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_window_counts_and_each_change_is_kept_once() {
        let mut book = HealthBook::default();
        let answer = Some(Duration::from_millis(5));
        for _ in 0..1_000 {
            book.record("a", answer);
        }
        for _ in 0..3 {
            book.record("a", None);
        }
        assert_eq!(book.changes().count(), 0, "seven of ten are enough");
        book.record("a", None);
        assert!(!book.services()["a"].healthy);
        for _ in 0..7 {
            book.record("a", answer);
        }
        assert!(book.services()["a"].healthy);
        let changes: Vec<_> = book.changes().map(ToString::to_string).collect();
        assert_eq!(
            changes,
            [
                "a is unhealthy: 6 of the last 10 probes were answered",
                "a is healthy: 7 of the last 10 probes were answered",
            ]
        );
        assert_eq!(book.total(), 1_011);
    }

    #[test]
    fn answers_that_come_too_late_are_no_health() {
        let mut book = HealthBook::default();
        book.record("a", Some(LATENCY_MAX));
        assert!(book.services()["a"].healthy);
        book.record("a", Some(LATENCY_MAX + Duration::from_millis(2)));
        assert!(!book.services()["a"].healthy);
    }
}
