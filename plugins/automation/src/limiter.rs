//! Concurrency of one agent, from its run times.
//!
//! `gradient2` follows `Gradient2Limit` of Netflix concurrency-limits (version 0.4): the limit is multiplied by the ratio of
//! the long-term run time to the short-term one, within 0.5 and 1, and a queue of the square root of the limit is allowed.
//! `aimd` is additive increase, multiplicative decrease (D. Chiu, R. Jain, 1989).

use crate::config::{LimiterAlgorithm, LimiterConfig};
use crate::roster::Sample;

/// Ticks that the long-term mean looks back.
const LONG: f64 = 100.0;
/// Samples that fill the long-term mean by plain averaging.
const WARM_UP: u32 = 10;
/// Share of a new limit that counts at once.
const SMOOTHING: f64 = 0.2;
/// What is left of a limit after a sign of overload.
const BACKOFF: f64 = 0.9;

/// What the limiter knows of one agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    limit: f64,
    long_ms: f64,
    samples: u32,
}

impl Limit {
    pub(crate) fn new(concurrency: u32) -> Self {
        Self {
            limit: f64::from(concurrency),
            long_ms: 0.0,
            samples: 0,
        }
    }

    /// Takes the attempts of one tick, and says which concurrency follows. `utilization` is the share of its slots that were taken, 0 to 1.
    pub(crate) fn update(
        &mut self,
        config: &LimiterConfig,
        sample: Sample,
        utilization: f64,
    ) -> u32 {
        if sample.calls > 0 || sample.drops > 0 {
            let mean = sample.nanos as f64 / sample.calls.max(1) as f64 / 1e6;
            let next = match config.algorithm {
                // No run time is known: the signs of overload are.
                _ if sample.calls == 0 => self.limit * BACKOFF,
                LimiterAlgorithm::Gradient2 => {
                    self.gradient2(config, mean, sample.drops > 0, utilization)
                }
                LimiterAlgorithm::Aimd => {
                    let bad = sample.drops > 0 || mean > config.slow_ms as f64;
                    self.aimd(bad, utilization)
                }
            };
            let (min, max) = (config.concurrency_min, config.concurrency_max);
            self.limit = next.clamp(f64::from(min), f64::from(max));
        }
        // Both ends are within u32.
        self.limit as u32
    }

    fn gradient2(
        &mut self,
        config: &LimiterConfig,
        short: f64,
        drops: bool,
        utilization: f64,
    ) -> f64 {
        if self.samples < WARM_UP {
            self.samples += 1;
            self.long_ms += (short - self.long_ms) / f64::from(self.samples);
        } else {
            self.long_ms += (short - self.long_ms) * 2.0 / (LONG + 1.0);
        }
        // After a long time of overload the long-term mean comes down faster.
        if short > 0.0 && self.long_ms / short > 2.0 {
            self.long_ms *= 0.95;
        }
        if drops {
            return self.limit * BACKOFF;
        }
        // Half empty, it says nothing about what it could bear.
        if utilization < 0.5 {
            return self.limit;
        }
        let gradient = match short > 0.0 {
            true => (config.tolerance * self.long_ms / short).clamp(0.5, 1.0),
            false => 1.0,
        };
        let next = self.limit * gradient + self.limit.sqrt();
        self.limit * (1.0 - SMOOTHING) + next * SMOOTHING
    }

    fn aimd(&self, bad: bool, utilization: f64) -> f64 {
        if bad {
            self.limit * BACKOFF
        } else if utilization < 0.5 {
            self.limit
        } else {
            self.limit + 1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(ms: u64, drops: u64) -> Sample {
        Sample {
            calls: 10,
            nanos: ms * 10_000_000,
            drops,
            ..Sample::default()
        }
    }

    #[test]
    fn gradient2_grows_while_run_times_hold_and_shrinks_when_they_rise() {
        let config = LimiterConfig::default();
        let mut limit = Limit::new(4);
        let mut grown = 4;
        for _ in 0..30 {
            grown = limit.update(&config, sample(100, 0), 1.0);
        }
        assert!(grown > 8, "{grown}");
        let mut shrunk = grown;
        for _ in 0..5 {
            shrunk = limit.update(&config, sample(1_000, 0), 1.0);
        }
        assert!(shrunk < grown, "{shrunk} of {grown}");
    }

    #[test]
    fn neither_grows_while_half_empty_and_both_heed_their_bounds() {
        for algorithm in [LimiterAlgorithm::Gradient2, LimiterAlgorithm::Aimd] {
            let config = LimiterConfig {
                algorithm,
                concurrency_min: 3,
                concurrency_max: 6,
                ..LimiterConfig::default()
            };
            let mut limit = Limit::new(4);
            for _ in 0..9 {
                assert_eq!(limit.update(&config, sample(10, 0), 0.2), 4);
            }
            for _ in 0..99 {
                limit.update(&config, sample(10, 0), 1.0);
            }
            assert_eq!(limit.update(&config, sample(10, 0), 1.0), 6);
            for _ in 0..99 {
                limit.update(&config, sample(10, 1), 1.0);
            }
            assert_eq!(limit.update(&config, sample(10, 1), 1.0), 3);
        }
    }

    #[test]
    fn a_wider_tolerance_shrinks_less() {
        let after = |tolerance| {
            let config = LimiterConfig {
                tolerance,
                ..LimiterConfig::default()
            };
            let mut limit = Limit::new(40);
            limit.update(&config, sample(100, 0), 1.0);
            (0..4)
                .map(|_| limit.update(&config, sample(400, 0), 1.0))
                .last()
        };
        assert!(after(1.0) < after(4.0), "{:?} {:?}", after(1.0), after(4.0));
    }
}
