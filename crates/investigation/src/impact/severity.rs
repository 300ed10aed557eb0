//! Severity from what was measured at the target. Words in texts play no part, so that "0 errors found" raises nothing.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Case, Observation};
use crate::hypothesis::Course;
use crate::ranking::Evidence;
use crate::telemetry::Metric;
use crate::verdict::Verdict;

/// From this share of failing requests on, on top of the usual, it is critical.
pub const FAILED_CRITICAL: f64 = 0.5;
/// From this share on, it is high.
pub const FAILED_HIGH: f64 = 0.1;
/// From this share on, it is medium; below it, low.
pub const FAILED_MEDIUM: f64 = 0.01;
/// From this many times the usual latency on, it is critical.
pub const SLOWER_CRITICAL: f64 = 10.0;
/// From this many times on, it is high.
pub const SLOWER_HIGH: f64 = 3.0;
/// From this many times on, it is medium; below it, low.
pub const SLOWER_MEDIUM: f64 = 1.5;
/// When a smaller share of the requests after the onset is slower, it is low.
pub const SHARE_LOW: f64 = 0.01;

/// How much the users of the target were hit.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SeverityLevel {
    /// Nothing was measured that tells.
    Unknown,
    /// There is no fault.
    None,
    /// Few noticed.
    Low,
    /// Some did.
    Medium,
    /// Many did.
    High,
    /// It was as good as down.
    Critical,
}

impl fmt::Display for SeverityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// How severe the incident was, with what that rests on. What was not measured is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Severity {
    /// The level, by the documented bounds.
    pub level: SeverityLevel,
    /// What it rests on, for people.
    pub reason: String,
    /// Requests of the target after the onset.
    pub requests: Option<f64>,
    /// How many of them failed on top of the usual, or came in intervals that were slower than usual.
    pub requests_hit: Option<f64>,
    /// `requests_hit` over `requests`, 0 to 1.
    pub share_hit: Option<f64>,
    /// Latency in the telling rows over its level before.
    pub times_slower: Option<f64>,
    /// From the onset to the recovery, or to the end of what was recorded, in seconds.
    pub lasted_s: Option<f64>,
}

/// From how many standard deviations on an interval counts as slower than usual.
const SLOWER: f64 = 2.0;

pub(crate) fn severity(
    case: &Case,
    evidence: &Evidence,
    verdict: Verdict,
    course: Option<Course>,
) -> Severity {
    let level_only = |level, reason: &str| Severity {
        level,
        reason: reason.to_owned(),
        requests: None,
        requests_hit: None,
        share_hit: None,
        times_slower: None,
        lasted_s: None,
    };
    if verdict == Verdict::NoFault {
        return level_only(SeverityLevel::None, "there is no fault");
    }
    let measured = case.symptom_at().and_then(|(place, metric)| {
        let observation = evidence.in_metric(metric)[place].as_ref()?;
        Some((place, metric, observation))
    });
    let Some((place, metric, observation)) = measured else {
        return level_only(SeverityLevel::Unknown, "no metric shows how users were hit");
    };
    let hit = Hit::of(case, place, metric, observation);
    let lasted_s = course.map(|course| lasted(case, course));
    let share_hit = hit.requests.zip(hit.hit).map(|(all, hit)| hit / all);
    let slower = case
        .symptom
        .as_ref()
        .map(|symptom| symptom.value / symptom.before);
    let times_slower = slower.filter(|times| metric == Metric::Latency && times.is_finite());
    let (level, reason) = match metric {
        Metric::Availability => {
            let more = observation.value - observation.reference;
            let text = format!(
                "{:.1} % of the requests failed on top of the usual",
                more * 100.0
            );
            (by(more, FAILED_MEDIUM, FAILED_HIGH, FAILED_CRITICAL), text)
        }
        _ => {
            let times = times_slower.unwrap_or(1.0);
            let text = format!("requests took {times:.1} times as long as before");
            let level = by(times, SLOWER_MEDIUM, SLOWER_HIGH, SLOWER_CRITICAL);
            match share_hit {
                Some(share) if share < SHARE_LOW => (SeverityLevel::Low, text),
                _ => (level, text),
            }
        }
    };
    let reason = match lasted_s {
        Some(seconds) => format!("{reason}, for {:.0} s", seconds),
        None => reason,
    };
    Severity {
        level,
        reason,
        requests: hit.requests,
        requests_hit: hit.hit,
        share_hit,
        times_slower,
        lasted_s,
    }
}

fn by(value: f64, medium: f64, high: f64, critical: f64) -> SeverityLevel {
    if value >= critical {
        SeverityLevel::Critical
    } else if value >= high {
        SeverityLevel::High
    } else if value >= medium {
        SeverityLevel::Medium
    } else {
        SeverityLevel::Low
    }
}

fn lasted(case: &Case, course: Course) -> f64 {
    let telemetry = &case.incident.telemetry;
    let starts = telemetry.starts();
    let end = match course.recovery.and_then(|row| starts.get(row)) {
        Some(end) => *end,
        None => starts.last().copied().unwrap_or(0.0) + telemetry.step().unwrap_or(0.0),
    };
    end - starts[course.onset]
}

/// Requests after the onset, and those of them that were hit.
struct Hit {
    requests: Option<f64>,
    hit: Option<f64>,
}

impl Hit {
    fn of(case: &Case, place: usize, metric: Metric, observation: &Observation) -> Self {
        let Some(requests) = case.requests(&case.nodes[place]) else {
            return Self {
                requests: None,
                hit: None,
            };
        };
        let sigma = observation.excess_sigma * (case.telling.len().max(1) as f64).sqrt();
        let (mut all, mut hit) = (0.0, 0.0);
        for row in &case.after {
            let count = requests[*row];
            let Some(excess) = observation.rows[*row].filter(|_| !count.is_nan()) else {
                continue;
            };
            all += count;
            hit += match metric {
                Metric::Availability => excess.clamp(0.0, count),
                _ if excess > 0.0 && excess >= SLOWER * sigma => count,
                _ => 0.0,
            };
        }
        let requests = (all > 0.0).then_some(all);
        Self {
            requests,
            hit: requests.map(|_| hit),
        }
    }
}
