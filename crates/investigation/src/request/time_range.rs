//! Ranges of time.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From when to when, in seconds since 1970. A time without a zone is UTC.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeRange {
    /// The beginning.
    pub start: f64,
    /// The end, not before the beginning.
    pub end: f64,
}

impl TimeRange {
    /// A range, in either order.
    #[must_use]
    pub(super) fn between(one: f64, other: f64) -> Self {
        Self {
            start: one.min(other),
            end: one.max(other),
        }
    }
}

/// A point in time in ISO 8601, with a zone or in UTC, as seconds since 1970; a date alone is its midnight.
///
/// # Examples
///
/// ```
/// assert_eq!(universal_orchestrator_investigation::instant("1970-01-02"), Some(86_400.0));
/// ```
#[must_use]
pub fn instant(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(seconds(timestamp));
    }
    if text.len() >= 10 && text.as_bytes()[4] == b'-' {
        if let Ok(local) = text.parse::<DateTime>() {
            return utc(local);
        }
        if let Ok(date) = text.parse::<Date>() {
            return utc(date.at(0, 0, 0, 0));
        }
    }
    None
}

/// Seconds since 1970 from a number: below 10^11 seconds, else milliseconds.
pub(super) fn epoch(number: f64) -> Option<f64> {
    (number.is_finite() && (0.0..1e14).contains(&number)).then(|| {
        if number < 1e11 {
            number
        } else {
            number / 1_000.0
        }
    })
}

/// A time of day, `14:30`, `14:30:05` or `2:30pm`, as the last one that is not after `now`.
pub(super) fn time_of_day(text: &str, now: f64) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let (digits, add) = match (lower.strip_suffix("pm"), lower.strip_suffix("am")) {
        (Some(digits), _) => (digits, Some(12)),
        (_, Some(digits)) => (digits, Some(0)),
        _ => (lower.strip_suffix('z').unwrap_or(&lower), None),
    };
    let mut parts = digits.trim().split(':');
    let number = |part: Option<&str>| -> Option<i8> {
        part.filter(|part| {
            (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        })?
        .parse()
        .ok()
    };
    let hour = number(parts.next())?;
    let minute = parts.next();
    if minute.is_none() && add.is_none() {
        return None;
    }
    let minute = minute.map_or(Some(0), |minute| number(Some(minute)))?;
    let second = parts
        .next()
        .map_or(Some(0), |second| number(Some(second)))?;
    let hour = match add {
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        Some(_) => return None,
        None => hour,
    };
    if parts.next().is_some() {
        return None;
    }
    let time = Time::new(hour, minute, second, 0).ok()?;
    let today = date_of(now)?;
    let at = utc(today.to_datetime(time))?;
    Some(if at > now { at - DAY } else { at })
}

/// Midnight before `now`, in UTC.
pub(super) fn midnight(now: f64) -> Option<f64> {
    utc(date_of(now)?.at(0, 0, 0, 0))
}

/// Seconds of a day in UTC.
pub(super) const DAY: f64 = 86_400.0;

fn date_of(now: f64) -> Option<Date> {
    let since = SignedDuration::try_from_secs_f64(now).ok()?;
    let timestamp = Timestamp::from_duration(since).ok()?;
    Some(timestamp.to_zoned(TimeZone::UTC).date())
}

fn utc(local: DateTime) -> Option<f64> {
    local
        .to_zoned(TimeZone::UTC)
        .ok()
        .map(|zoned| seconds(zoned.timestamp()))
}

fn seconds(timestamp: Timestamp) -> f64 {
    timestamp.as_duration().as_secs_f64()
}
