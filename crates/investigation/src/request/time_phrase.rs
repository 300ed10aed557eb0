//! Ranges of time in the words of people.

use std::ops::Range;

use super::time_range::{DAY, TimeRange, instant, midnight, time_of_day};
use super::words::Word;

/// A range is at most so long; more is a slip of the pen.
const RANGE_SECONDS_MAX: f64 = 400.0 * DAY;
/// What "at 14:30" means before and after.
const AROUND_SECONDS: f64 = 15.0 * 60.0;

/// The first range of time in the text, with its bytes.
pub(super) fn time_range(words: &[Word<'_>], now: f64) -> Option<(Range<usize>, TimeRange)> {
    (0..words.len()).find_map(|at| {
        let (range, count) = phrase(&words[at..], now)?;
        let length = range.end - range.start;
        (length <= RANGE_SECONDS_MAX).then(|| (words[at].start..words[at + count - 1].end(), range))
    })
}

/// A phrase at the beginning of the words, and how many of them it takes.
fn phrase(words: &[Word<'_>], now: f64) -> Option<(TimeRange, usize)> {
    let first = words.first()?;
    if first.is_any(&["last", "past", "previous"]) {
        let (seconds, count) = duration(&words[1..])?;
        return Some((TimeRange::between(now - seconds, now), count + 1));
    }
    if first.is_any(&["since", "after"]) {
        let (start, count) = point(&words[1..], now)?;
        return (start <= now).then(|| (TimeRange::between(start, now), count + 1));
    }
    if first.is_any(&["between", "from"]) {
        let (start, count) = point(&words[1..], now)?;
        let joint = words.get(count + 1)?;
        if !joint.is_any(&["and", "to", "until", "till", "-", "–"]) {
            return None;
        }
        let (mut end, more) = point(&words[count + 2..], now)?;
        // "between 23:30 and 00:15": each is the last such time; the end follows the start.
        if end < start {
            end += DAY;
        }
        return Some((TimeRange::between(start, end), count + 2 + more));
    }
    if first.is_any(&["at", "around", "about"]) {
        let (at, count) = point(&words[1..], now)?;
        return Some((
            TimeRange::between(at - AROUND_SECONDS, at + AROUND_SECONDS),
            count + 1,
        ));
    }
    if first.is("yesterday") {
        let today = midnight(now)?;
        return Some((TimeRange::between(today - DAY, today), 1));
    }
    if first.is("today") {
        return Some((TimeRange::between(midnight(now)?, now), 1));
    }
    if let Some((seconds, count)) = duration(words)
        && words.get(count).is_some_and(|word| word.is("ago"))
    {
        return Some((TimeRange::between(now - seconds, now), count + 1));
    }
    if let Some((start, end)) = first.text.split_once('/')
        && let (Some(start), Some(end)) = (instant(start), instant(end))
    {
        return Some((TimeRange::between(start, end), 1));
    }
    let at = instant(first.text).filter(|_| first.text.contains('T'))?;
    Some((
        TimeRange::between(at - AROUND_SECONDS, at + AROUND_SECONDS),
        1,
    ))
}

/// A point in time: ISO 8601, a date and a time of day, a time of day, or "yesterday".
fn point(words: &[Word<'_>], now: f64) -> Option<(f64, usize)> {
    let first = words.first()?;
    let zone = |count: usize| match words.get(count) {
        Some(word) if word.is_any(&["UTC", "GMT", "Z"]) => count + 1,
        _ => count,
    };
    if let Some(day) = instant(first.text) {
        let clock = words.get(1).filter(|_| !first.text.contains('T'));
        let joined =
            clock.and_then(|clock| instant(&format!("{}T{}", first.text, padded(clock.text))));
        return Some(match joined {
            Some(at) => (at, zone(2)),
            None => (day, 1),
        });
    }
    if first.is("yesterday") {
        return Some((midnight(now)? - DAY, 1));
    }
    if first.is("today") {
        return Some((midnight(now)?, 1));
    }
    let clock = words.get(1).filter(|word| word.is_any(&["am", "pm"]));
    if let Some(half) = clock
        && let Some(at) = time_of_day(&format!("{}{}", first.text, half.text), now)
    {
        return Some((at, zone(2)));
    }
    time_of_day(first.text, now).map(|at| (at, zone(1)))
}

fn padded(clock: &str) -> String {
    match clock.find(':') {
        Some(1) => format!("0{clock}"),
        _ => clock.to_owned(),
    }
}

/// "2 hours", "an hour", "hour", "30min", "few minutes" is none.
fn duration(words: &[Word<'_>]) -> Option<(f64, usize)> {
    let first = words.first()?;
    if let Some(seconds) = unit(first.text) {
        return Some((seconds, 1));
    }
    let digits = first
        .text
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b'.')
        .count();
    let (number, tail) = first.text.split_at(digits);
    if number.is_empty() {
        let one = first.is_any(&["a", "an", "one"]);
        return words
            .get(1)
            .filter(|_| one)
            .and_then(|word| unit(word.text))
            .map(|seconds| (seconds, 2));
    }
    let number: f64 = number.parse().ok().filter(|number: &f64| *number > 0.0)?;
    if !tail.is_empty() {
        return unit(tail).map(|seconds| (number * seconds, 1));
    }
    let seconds = unit(words.get(1)?.text)?;
    Some((number * seconds, 2))
}

fn unit(text: &str) -> Option<f64> {
    Some(match &*text.to_ascii_lowercase() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7.0 * DAY,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    /// 2025-11-21T16:00:00Z
    const NOW: f64 = 1_763_740_800.0;

    #[test]
    fn ranges_are_read_from_the_words_of_people() {
        let hour = 3_600.0;
        for (text, start, end) in [
            ("slow since 14:30", NOW - 1.5 * hour, NOW),
            ("slow since 14:30 UTC, why", NOW - 1.5 * hour, NOW),
            ("slow since 17:00", NOW - 23.0 * hour, NOW),
            ("since 2:30pm", NOW - 1.5 * hour, NOW),
            ("since 2:30 pm", NOW - 1.5 * hour, NOW),
            ("errors in the last 2 hours", NOW - 2.0 * hour, NOW),
            ("the last hour", NOW - hour, NOW),
            ("past 30min", NOW - 0.5 * hour, NOW),
            ("it broke 20 minutes ago", NOW - hour / 3.0, NOW),
            ("it broke an hour ago", NOW - hour, NOW),
            ("between 14:00 and 15:00", NOW - 2.0 * hour, NOW - hour),
            ("from 14:00 to 15:00 UTC", NOW - 2.0 * hour, NOW - hour),
            ("since 2025-11-21T14:30:00Z", NOW - 1.5 * hour, NOW),
            ("since 2025-11-21T15:30:00+01:00", NOW - 1.5 * hour, NOW),
            ("since 2025-11-21 14:30", NOW - 1.5 * hour, NOW),
            ("since 2025-11-21", NOW - 16.0 * hour, NOW),
            (
                "2025-11-21T14:00:00Z/2025-11-21T15:00:00Z",
                NOW - 2.0 * hour,
                NOW - hour,
            ),
            ("at 15:00", NOW - 1.25 * hour, NOW - 0.75 * hour),
            ("yesterday", NOW - 40.0 * hour, NOW - 16.0 * hour),
            ("today", NOW - 16.0 * hour, NOW),
        ] {
            let (place, range) = time_range(&words(text), NOW).unwrap_or_else(|| panic!("{text}"));
            assert!(
                (range.start - start).abs() < 1e-3 && (range.end - end).abs() < 1e-3,
                "{text}: {range:?}"
            );
            assert!(text.get(place).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "since the deployment",
            "last resort",
            "at 99:99",
            "last 0 hours",
            "since 14",
            "between you and me",
            "from a to b",
            "at all",
            "last 9999 days",
            "since tomorrow",
            "12 angry men ago",
            "at 25pm",
            "",
        ] {
            assert_eq!(time_range(&words(text), NOW), None, "{text}");
        }
    }

    #[test]
    fn a_range_over_midnight_is_in_order() {
        let (_, range) = time_range(&words("between 23:30 and 00:15"), NOW).unwrap();
        assert!(
            (range.end - range.start - 45.0 * 60.0).abs() < 1e-6,
            "{range:?}"
        );
    }
}
