//! How often tasks may be submitted: a generic cell rate algorithm (`governor`) on tokio's clock, bounded in keys.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use tokio::time::Instant;
use universal_orchestrator::PrincipalName;

use crate::config::RateLimitsConfig;
use crate::grants::Pattern;

const MINUTE: Duration = Duration::from_secs(60);
/// The least time between two searches for principals that can be forgotten.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// The latest time that a call came with, in nanoseconds since the start: a call reads tokio's clock once, and tests can pause it.
#[derive(Debug, Clone, Default)]
struct CallClock(Arc<AtomicU64>);

impl CallClock {
    fn advance_to(&self, now: Duration) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_max(nanos, Ordering::AcqRel);
    }
}

impl Clock for CallClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Acquire))
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, CallClock, NoOpMiddleware<Duration>>;

fn limiter(per_minute: NonZeroU32, burst: u32, clock: &CallClock) -> Limiter {
    let burst = NonZeroU32::new(burst).unwrap_or(per_minute);
    let quota = Quota::per_minute(per_minute).allow_burst(burst);
    RateLimiter::direct_with_clock(quota, clock.clone())
}

fn check(limiter: &Limiter, now: Duration) -> Result<(), Duration> {
    limiter.check().map_err(|until| until.wait_time_from(now))
}

/// Why not now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limited {
    pub(crate) limit: String,
    pub(crate) wait: Duration,
}

/// All limits.
pub(crate) struct Rates {
    start: Instant,
    clock: CallClock,
    principals: Option<Principals>,
    types: Vec<(Pattern, String, Limiter)>,
}

impl Rates {
    pub(crate) fn new(config: &RateLimitsConfig) -> Self {
        let clock = CallClock::default();
        let principals = NonZeroU32::new(config.submits_per_minute)
            .map(|per_minute| Principals::new(per_minute, config, &clock));
        let types = config.task_types.iter().filter_map(|rate| {
            let per_minute = NonZeroU32::new(rate.per_minute)?;
            let pattern = Pattern::parse(&rate.pattern)?;
            let limit = format!("{} of type {}", per_minute, rate.pattern);
            Some((pattern, limit, limiter(per_minute, rate.burst, &clock)))
        });
        let types = types.collect();
        Self {
            start: Instant::now(),
            clock,
            principals,
            types,
        }
    }

    /// Takes one task from the limits of a principal and of a type.
    pub(crate) fn take(
        &self,
        principal: &PrincipalName,
        task_type: &str,
        now: Instant,
    ) -> Result<(), Limited> {
        if self.principals.is_none() && self.types.is_empty() {
            return Ok(());
        }
        let now = now.saturating_duration_since(self.start);
        self.clock.advance_to(now);
        if let Some(principals) = &self.principals {
            principals.take(principal, &self.clock, now)?;
        }
        let of_type = self.types.iter().find(|(p, ..)| p.matches(task_type));
        if let Some((_, limit, limiter)) = of_type {
            check(limiter, now).map_err(|wait| Limited {
                limit: format!("{limit} per minute"),
                wait,
            })?;
        }
        Ok(())
    }

    /// Principals that have a limit of their own now.
    pub(crate) fn principals(&self) -> usize {
        let all = self.principals.as_ref();
        all.map_or(0, |principals| principals.slots.lock().by_name.len())
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").finish_non_exhaustive()
    }
}

struct Principals {
    per_minute: NonZeroU32,
    burst: u32,
    max: usize,
    /// After so long without a call a limiter is as new.
    refill: Duration,
    slots: Mutex<Slots>,
    /// Of all principals that found no place.
    others: Limiter,
}

#[derive(Default)]
struct Slots {
    by_name: HashMap<PrincipalName, Slot>,
    searched_at: Option<Duration>,
}

struct Slot {
    limiter: Limiter,
    used_at: Duration,
}

impl Principals {
    fn new(per_minute: NonZeroU32, config: &RateLimitsConfig, clock: &CallClock) -> Self {
        let burst = NonZeroU32::new(config.burst).unwrap_or(per_minute);
        let minutes = f64::from(burst.get()) / f64::from(per_minute.get());
        Self {
            per_minute,
            burst: config.burst,
            max: config.principals_max,
            // `burst / per_minute` is at most 2^32, far from what a duration cannot hold.
            refill: MINUTE.mul_f64(minutes),
            slots: Mutex::new(Slots::default()),
            others: limiter(per_minute, config.burst, clock),
        }
    }

    fn take(
        &self,
        principal: &PrincipalName,
        clock: &CallClock,
        now: Duration,
    ) -> Result<(), Limited> {
        let mut slots = self.slots.lock();
        let answer = if let Some(slot) = slots.by_name.get_mut(principal) {
            slot.used_at = now;
            check(&slot.limiter, now)
        } else if slots.has_room(self.max, self.refill, now) {
            let limiter = limiter(self.per_minute, self.burst, clock);
            let answer = check(&limiter, now);
            let slot = Slot {
                limiter,
                used_at: now,
            };
            slots.by_name.insert(principal.clone(), slot);
            answer
        } else {
            check(&self.others, now)
        };
        answer.map_err(|wait| Limited {
            limit: format!("of {} tasks per minute", self.per_minute),
            wait,
        })
    }
}

impl Slots {
    /// Makes room by forgetting limiters that have refilled; looks for them once a second at most, because it looks at all.
    fn has_room(&mut self, max: usize, refill: Duration, now: Duration) -> bool {
        if self.by_name.len() < max {
            return true;
        }
        let searched = self.searched_at;
        if searched.is_some_and(|at| now.saturating_sub(at) < SEARCH_INTERVAL) {
            return false;
        }
        self.searched_at = Some(now);
        self.by_name
            .retain(|_, slot| now.saturating_sub(slot.used_at) < refill);
        self.by_name.len() < max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PrincipalName {
        PrincipalName::new(text).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn principals_above_the_bound_share_one_limit_until_others_have_rested() {
        let config = RateLimitsConfig {
            submits_per_minute: 60,
            burst: 1,
            principals_max: 2,
            ..RateLimitsConfig::default()
        };
        let rates = Rates::new(&config);
        let take = |who: &str| rates.take(&name(who), "t", Instant::now()).is_ok();
        assert!(take("a") && take("b"));
        assert!(take("c"), "the first of the others");
        assert!(!take("d"), "shares its limit");
        assert_eq!(rates.principals(), 2);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(take("d"));
        assert_eq!(rates.principals(), 1, "a and b had refilled");
        assert!(!take("d"));
        let limited = rates.take(&name("d"), "t", Instant::now()).unwrap_err();
        assert_eq!(limited.wait, Duration::from_secs(1));
    }
}
