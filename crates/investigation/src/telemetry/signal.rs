//! Which series a node can have.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Time that a request takes, in seconds.
    Latency,
    /// Requests of an interval, a count.
    Requests,
    /// Share of requests that did not fail, in percent.
    Availability,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latency => "latency",
            Self::Requests => "requests",
            Self::Availability => "availability",
        })
    }
}

/// How the values of an interval became one.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Statistic {
    /// The mean.
    Average,
    /// The median.
    #[serde(rename = "p50")]
    P50,
    /// The 90 % quantile.
    #[serde(rename = "p90")]
    P90,
    /// The 95 % quantile.
    #[serde(rename = "p95")]
    P95,
    /// The 99 % quantile.
    #[serde(rename = "p99")]
    P99,
    /// The sum.
    Sum,
    /// The largest value.
    Maximum,
}

/// One series of a node: a metric with the statistics that it is recorded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Mean latency.
    LatencyAverage,
    /// Median latency.
    LatencyP50,
    /// 90 % quantile of latency.
    LatencyP90,
    /// 95 % quantile of latency.
    LatencyP95,
    /// 99 % quantile of latency.
    LatencyP99,
    /// Requests, summed.
    Requests,
    /// Availability, averaged.
    Availability,
}

impl Signal {
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::LatencyAverage,
        Self::LatencyP50,
        Self::LatencyP90,
        Self::LatencyP95,
        Self::LatencyP99,
        Self::Requests,
        Self::Availability,
    ];

    /// The statistics of latency, the one to prefer first: totals of time need the mean.
    pub const LATENCIES: [Self; 5] = [
        Self::LatencyAverage,
        Self::LatencyP50,
        Self::LatencyP90,
        Self::LatencyP95,
        Self::LatencyP99,
    ];

    /// The signal of a metric and a statistic, or `None` for a pair that is not recorded.
    #[must_use]
    pub fn of(metric: Metric, statistic: Statistic) -> Option<Self> {
        Some(match (metric, statistic) {
            (Metric::Latency, Statistic::Average) => Self::LatencyAverage,
            (Metric::Latency, Statistic::P50) => Self::LatencyP50,
            (Metric::Latency, Statistic::P90) => Self::LatencyP90,
            (Metric::Latency, Statistic::P95) => Self::LatencyP95,
            (Metric::Latency, Statistic::P99) => Self::LatencyP99,
            (Metric::Requests, Statistic::Sum) => Self::Requests,
            (Metric::Availability, Statistic::Average) => Self::Availability,
            _ => return None,
        })
    }

    /// The metric.
    #[must_use]
    pub fn metric(self) -> Metric {
        match self {
            Self::Requests => Metric::Requests,
            Self::Availability => Metric::Availability,
            _ => Metric::Latency,
        }
    }

    /// The statistic.
    #[must_use]
    pub fn statistic(self) -> Statistic {
        match self {
            Self::LatencyAverage | Self::Availability => Statistic::Average,
            Self::LatencyP50 => Statistic::P50,
            Self::LatencyP90 => Statistic::P90,
            Self::LatencyP95 => Statistic::P95,
            Self::LatencyP99 => Statistic::P99,
            Self::Requests => Statistic::Sum,
        }
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Self::LatencyAverage => 0,
            Self::LatencyP50 => 1,
            Self::LatencyP90 => 2,
            Self::LatencyP95 => 3,
            Self::LatencyP99 => 4,
            Self::Requests => 5,
            Self::Availability => 6,
        }
    }
}
