//! Counts what is suspicious, by rule and principal, in windows that move.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use universal_orchestrator::PrincipalName;

use crate::config::{RuleAction, RuleConfig, Severity, Suspicion};

/// Parts of a window. A count is kept for a window and forgotten a sixteenth at a time.
const PARTS: usize = 16;

/// A rule that fired.
#[derive(Debug, Clone)]
pub(crate) struct Fired {
    pub(crate) rule: String,
    pub(crate) count: u32,
    pub(crate) window: Duration,
    pub(crate) severity: Severity,
    pub(crate) action: RuleAction,
    pub(crate) block: Duration,
}

/// All rules.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    watched: [bool; Suspicion::COUNT],
    principals_max: usize,
    start: Instant,
}

#[derive(Debug)]
struct Rule {
    config: RuleConfig,
    part: Duration,
    windows: Mutex<HashMap<PrincipalName, Window>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// The number of the newest part since the start.
    newest: u64,
    parts: [u32; PARTS],
    /// The part in which the rule fired last.
    fired: Option<u64>,
}

impl Window {
    fn add(&mut self, part: u64) -> u32 {
        // Whatever lies between the newest part and this one has passed without an event.
        let passed = part.saturating_sub(self.newest).min(PARTS as u64);
        for back in 0..passed {
            self.parts[((part - back) % PARTS as u64) as usize] = 0;
        }
        self.newest = self.newest.max(part);
        let slot = &mut self.parts[(self.newest % PARTS as u64) as usize];
        *slot = slot.saturating_add(1);
        self.total()
    }

    fn total(&self) -> u32 {
        self.parts.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Once in a window, however often the count is passed.
    fn may_fire(&self, part: u64) -> bool {
        let passed = |fired| part.saturating_sub(fired) >= PARTS as u64;
        self.fired.is_none_or(passed)
    }

    fn is_over(&self, part: u64) -> bool {
        part.saturating_sub(self.newest) >= PARTS as u64
    }
}

impl Rules {
    pub(crate) fn new(configs: &[RuleConfig], principals_max: usize) -> Self {
        let mut watched = [false; Suspicion::COUNT];
        for rule in configs {
            watched[rule.event as usize] = true;
        }
        let rule = |config: &RuleConfig| Rule {
            config: config.clone(),
            part: Duration::from_secs(config.window_s) / PARTS as u32,
            windows: Mutex::new(HashMap::new()),
        };
        Self {
            rules: configs.iter().map(rule).collect(),
            watched,
            principals_max,
            start: Instant::now(),
        }
    }

    /// Counts an event; the rules that it makes fire, each once in a window for this principal.
    pub(crate) fn count(
        &self,
        event: Suspicion,
        principal: &PrincipalName,
        now: Instant,
    ) -> Vec<Fired> {
        if !self.watched[event as usize] {
            return Vec::new();
        }
        let since = now.saturating_duration_since(self.start);
        let of_event = self.rules.iter().filter(|rule| rule.config.event == event);
        of_event
            .filter_map(|rule| rule.count(principal, since, self.principals_max))
            .collect()
    }
}

impl Rule {
    fn count(&self, principal: &PrincipalName, since: Duration, max: usize) -> Option<Fired> {
        let part = nanos(since) / nanos(self.part).max(1);
        let mut windows = self.windows.lock();
        let count = match windows.get_mut(principal) {
            Some(window) => window.add(part),
            None => {
                if windows.len() >= max {
                    forget_quiet(&mut windows, part, max);
                }
                windows.entry(principal.clone()).or_default().add(part)
            }
        };
        if count <= self.config.count {
            return None;
        }
        if self.config.action == RuleAction::Block {
            // Nothing is counted while the block lasts; after it, the count begins anew.
            windows.remove(principal);
        } else {
            let window = windows.get_mut(principal)?;
            if !window.may_fire(part) {
                return None;
            }
            window.fired = Some(part);
        }
        Some(Fired {
            rule: self.config.name.clone(),
            count,
            window: Duration::from_secs(self.config.window_s),
            severity: self.config.severity,
            action: self.config.action,
            block: Duration::from_secs(self.config.block_s),
        })
    }
}

/// Enough for five centuries.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Forgets whose window is over, and if that is not enough the half with the fewest events: a flood of new names does not wash away who was seen often.
fn forget_quiet(windows: &mut HashMap<PrincipalName, Window>, part: u64, max: usize) {
    windows.retain(|_, window| !window.is_over(part));
    if windows.len() < max {
        return;
    }
    let rank = |window: &Window| (window.total(), window.newest);
    let mut ranks: Vec<_> = windows.values().map(rank).collect();
    let middle = ranks.len() / 2;
    let (_, cut, _) = ranks.select_nth_unstable(middle);
    let cut = *cut;
    windows.retain(|_, window| rank(window) > cut);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(count: u32, principals_max: usize) -> Rules {
        let rule = RuleConfig {
            name: "r".to_owned(),
            event: Suspicion::Execution,
            count,
            window_s: 16,
            ..RuleConfig::default()
        };
        Rules::new(&[rule], principals_max)
    }

    #[tokio::test(start_paused = true)]
    async fn a_rule_fires_above_its_count_within_its_window_alone() {
        let rules = rules(2, 8);
        let ann = PrincipalName::new("ann").unwrap();
        let count = || {
            rules
                .count(Suspicion::Execution, &ann, Instant::now())
                .len()
        };
        assert_eq!((count(), count()), (0, 0));
        tokio::time::advance(Duration::from_secs(16)).await;
        assert_eq!((count(), count()), (0, 0), "the first two are over");
        tokio::time::advance(Duration::from_secs(15)).await;
        assert_eq!(count(), 1);
        assert_eq!(count(), 0, "once in a window");
        tokio::time::advance(Duration::from_secs(16)).await;
        assert_eq!((count(), count(), count()), (0, 0, 1));
        let of_another = rules.count(Suspicion::AuthFailure, &ann, Instant::now());
        assert!(of_another.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_principals_are_counted_than_the_limit_says() {
        let rules = rules(1, 4);
        for n in 0..100 {
            let name = PrincipalName::new(format!("p{n}")).unwrap();
            let fired = rules.count(Suspicion::Execution, &name, Instant::now());
            assert!(fired.is_empty());
            assert!(rules.rules[0].windows.lock().len() <= 4);
        }
    }
}
