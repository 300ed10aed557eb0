//! The section `[plugins.performance]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use universal_orchestrator::plugin::PluginError;

use crate::alert::{Rule, default_rules};

/// Why a section does not fit. Each text names the key, the value and what to write instead.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFault {
    /// A number outside of its limits.
    #[error("{key} is {value}, it must be from {min} to {max}: change it")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What it is.
        value: f64,
        /// The least allowed.
        min: f64,
        /// The most allowed.
        max: f64,
    },
    /// `window_ms` is not a whole number of intervals.
    #[error(
        "window_ms is {window_ms}, it must be 2 to 600 times interval_ms ({interval_ms}): change one of the two"
    )]
    Window {
        /// The window.
        window_ms: u64,
        /// The interval.
        interval_ms: u64,
    },
    /// Not an address.
    #[error(
        "prometheus_listen is {value:?}, which is not an address with a port: write for example \"127.0.0.1:9464\""
    )]
    Listen {
        /// What it is.
        value: String,
    },
    /// The buckets are not usable.
    #[error(
        "latency_buckets_ms has {text}: write 1 to 64 positive numbers, each above the one before"
    )]
    Buckets {
        /// What is wrong.
        text: String,
    },
    /// A rule does not fit.
    #[error("rule {rule:?}: {text}")]
    Rule {
        /// The rule.
        rule: String,
        /// What is wrong, and the remedy.
        text: String,
    },
    /// A key that cannot change while the plugin runs.
    #[error("{key} cannot change while the plugin runs: restart with the new section")]
    NeedsRestart {
        /// The key.
        key: &'static str,
    },
}

impl From<ConfigFault> for PluginError {
    fn from(fault: ConfigFault) -> Self {
        Self::Section {
            plugin: crate::NAME.to_owned(),
            text: fault.to_string(),
        }
    }
}

/// The section `[plugins.performance]`. All keys have defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PerformanceConfig {
    /// Between two looks at machine, windows and rules. Default 5000; from 100 to 3600000. Needs a restart.
    pub interval_ms: u64,
    /// What percentiles, rates and findings cover. Default 60000; a multiple of `interval_ms`, from 2 to 600 times. Needs a restart.
    pub window_ms: u64,
    /// Agents, task types and capabilities with figures of their own, each; what comes after them counts as `other`.
    /// Also the label values of each metric. Default 64; from 1 to 1000. Needs a restart.
    pub tracked_max: usize,
    /// Rows of each list in the status. Default 5; from 0 to 50.
    pub top: usize,
    /// Points of the history that trends are made of, one an interval. Default 720, an hour; from 4 to 100000.
    pub history_max: usize,
    /// The latest points that a trend looks at. Default 12, a minute; from 4 to `history_max`.
    pub trend_points: usize,
    /// Resolved alerts that are kept to be read. Default 100; from 0 to 10000.
    pub resolved_max: usize,
    /// With more agents registered than this, bottlenecks are not looked for: looking at agents takes the engine's lock. Default 5000; 0 never looks.
    pub agents_examined_max: usize,
    /// From this use of its slots on, a capability can be a bottleneck, in percent. Default 90; from 1 to 100.
    pub busy_percent: f64,
    /// From this queue wait (p95) on, a capability can be a bottleneck. Default 100; 0: any wait.
    pub wait_ms: u64,
    /// Use of slots that recommendations aim at, in percent. Default 80; from 1 to 99.
    pub target_busy_percent: f64,
    /// An agent whose p95 is so many times the median p95 of its peers is a finding. Default 3; from 1.1 to 1000.
    pub slow_agent_factor: f64,
    /// Tasks that must have ended before an error rate, a slow agent or a regression is judged. Default 10; from 1 to 1000000.
    pub judged_from: u64,
    /// A latency so much above the baseline is a regression, in percent. Default 20; from 1 to 10000.
    pub regression_percent: f64,
    /// An error rate so many percentage points above the baseline is a regression. Default 1; from 0 to 100.
    pub regression_error_points: f64,
    /// A baseline to compare with from the start on; a file that is not there is none. Default unset. Needs a restart.
    pub baseline_path: Option<PathBuf>,
    /// Where Prometheus scrapes, for example `127.0.0.1:9464`; port 0 takes a free one. Default unset: nothing listens. Needs a restart.
    pub prometheus_listen: Option<String>,
    /// Connections of scrapers at once; further ones are closed. Default 16; from 1 to 1000. Needs a restart.
    pub prometheus_connections_max: usize,
    /// Upper bounds of the buckets of Prometheus histograms. Default 0.01 to 60000; from 1 to 64 bounds. Needs a restart.
    pub latency_buckets_ms: Vec<f64>,
    /// Whether the default rules hold. Default true.
    pub default_rules: bool,
    /// Rules besides the default ones; one of the same name takes its place. Default none; at most 200.
    pub rules: Vec<Rule>,
}

impl Default for PerformanceConfig {
    fn default() -> Self {
        Self {
            interval_ms: 5_000,
            window_ms: 60_000,
            tracked_max: 64,
            top: 5,
            history_max: 720,
            trend_points: 12,
            resolved_max: 100,
            agents_examined_max: 5_000,
            busy_percent: 90.0,
            wait_ms: 100,
            target_busy_percent: 80.0,
            slow_agent_factor: 3.0,
            judged_from: 10,
            regression_percent: 20.0,
            regression_error_points: 1.0,
            baseline_path: None,
            prometheus_listen: None,
            prometheus_connections_max: 16,
            latency_buckets_ms: vec![
                0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0,
                5_000.0, 10_000.0, 30_000.0, 60_000.0,
            ],
            default_rules: true,
            rules: Vec::new(),
        }
    }
}

const RULES_MAX: usize = 200;

impl PerformanceConfig {
    /// The keys, for documents and their tests.
    pub const KEYS: &'static [&'static str] = &[
        "interval_ms",
        "window_ms",
        "tracked_max",
        "top",
        "history_max",
        "trend_points",
        "resolved_max",
        "agents_examined_max",
        "busy_percent",
        "wait_ms",
        "target_busy_percent",
        "slow_agent_factor",
        "judged_from",
        "regression_percent",
        "regression_error_points",
        "baseline_path",
        "prometheus_listen",
        "prometheus_connections_max",
        "latency_buckets_ms",
        "default_rules",
        "rules",
    ];

    /// Checks every value.
    ///
    /// # Errors
    /// The first [`ConfigFault`].
    pub fn validate(&self) -> Result<(), ConfigFault> {
        let ranges = [
            ("interval_ms", self.interval_ms as f64, 100.0, 3_600_000.0),
            ("tracked_max", self.tracked_max as f64, 1.0, 1_000.0),
            ("top", self.top as f64, 0.0, 50.0),
            ("history_max", self.history_max as f64, 4.0, 100_000.0),
            (
                "trend_points",
                self.trend_points as f64,
                4.0,
                self.history_max as f64,
            ),
            ("resolved_max", self.resolved_max as f64, 0.0, 10_000.0),
            ("busy_percent", self.busy_percent, 1.0, 100.0),
            ("target_busy_percent", self.target_busy_percent, 1.0, 99.0),
            ("slow_agent_factor", self.slow_agent_factor, 1.1, 1_000.0),
            ("judged_from", self.judged_from as f64, 1.0, 1e6),
            ("regression_percent", self.regression_percent, 1.0, 10_000.0),
            (
                "regression_error_points",
                self.regression_error_points,
                0.0,
                100.0,
            ),
            (
                "prometheus_connections_max",
                self.prometheus_connections_max as f64,
                1.0,
                1_000.0,
            ),
            ("rules", self.rules.len() as f64, 0.0, RULES_MAX as f64),
        ];
        for (key, value, min, max) in ranges {
            // Not a number is in no range.
            if !(min..=max).contains(&value) {
                return Err(ConfigFault::OutOfRange {
                    key,
                    value,
                    min,
                    max,
                });
            }
        }
        let (window_ms, interval_ms) = (self.window_ms, self.interval_ms);
        if !window_ms.is_multiple_of(interval_ms) || !(2..=600).contains(&(window_ms / interval_ms))
        {
            return Err(ConfigFault::Window {
                window_ms,
                interval_ms,
            });
        }
        self.listen_address()?;
        self.check_buckets()?;
        for (at, rule) in self.rules.iter().enumerate() {
            let fault = |text| ConfigFault::Rule {
                rule: rule.name.clone(),
                text,
            };
            rule.check().map_err(fault)?;
            if self.rules[..at].iter().any(|other| other.name == rule.name) {
                return Err(fault("the name is taken: rename one of the two".to_owned()));
            }
        }
        Ok(())
    }

    fn check_buckets(&self) -> Result<(), ConfigFault> {
        let bounds = &self.latency_buckets_ms;
        let text = match bounds.len() {
            0 => "no bound".to_owned(),
            65.. => format!("{} bounds", bounds.len()),
            _ => match bounds.iter().enumerate().find(|(at, b)| {
                !(b.is_finite() && **b > at.checked_sub(1).map_or(0.0, |i| bounds[i]))
            }) {
                Some((_, bound)) => format!("the bound {bound} at a wrong place"),
                None => return Ok(()),
            },
        };
        Err(ConfigFault::Buckets { text })
    }

    /// Where to listen, when the section says so.
    pub(crate) fn listen_address(&self) -> Result<Option<SocketAddr>, ConfigFault> {
        let Some(text) = &self.prometheus_listen else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| ConfigFault::Listen {
            value: text.clone(),
        })
    }

    /// Checks that another section can take the place of this one at run time.
    pub(crate) fn check_change(&self, new: &Self) -> Result<(), ConfigFault> {
        let fixed = [
            ("interval_ms", self.interval_ms == new.interval_ms),
            ("window_ms", self.window_ms == new.window_ms),
            ("tracked_max", self.tracked_max == new.tracked_max),
            ("baseline_path", self.baseline_path == new.baseline_path),
            (
                "prometheus_listen",
                self.prometheus_listen == new.prometheus_listen,
            ),
            (
                "prometheus_connections_max",
                self.prometheus_connections_max == new.prometheus_connections_max,
            ),
            (
                "latency_buckets_ms",
                self.latency_buckets_ms == new.latency_buckets_ms,
            ),
        ];
        match fixed.into_iter().find(|(_, same)| !same) {
            Some((key, _)) => Err(ConfigFault::NeedsRestart { key }),
            None => Ok(()),
        }
    }

    /// The rules that hold: the default ones, with those of the section in place of their namesakes, without those that are switched off.
    #[must_use]
    pub fn effective_rules(&self) -> Vec<Rule> {
        let mut rules = match self.default_rules {
            true => default_rules(),
            false => Vec::new(),
        };
        for rule in &self.rules {
            match rules.iter_mut().find(|other| other.name == rule.name) {
                Some(other) => *other = rule.clone(),
                None => rules.push(rule.clone()),
            }
        }
        rules.retain(|rule| rule.enabled);
        rules
    }

    pub(crate) const fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// Slots of a window.
    pub(crate) fn slots(&self) -> usize {
        // Checked to be at most 600.
        usize::try_from(self.window_ms / self.interval_ms.max(1)).unwrap_or(600)
    }
}
