//! Timestamps of log lines: the usual forms, told by their shape.

use jiff::civil::DateTime;
use jiff::tz::Offset;

/// A timestamp in a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stamp {
    /// Seconds since 1970.
    pub(super) at: f64,
    /// The bytes that it takes, within the line.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Bytes of a line in which a timestamp is looked for.
const WITHIN: usize = 96;
/// Numbers that are seconds since 1970: from 2001 to 2100. Larger ones are milli-, micro- or nanoseconds.
const EPOCH_SECONDS: std::ops::Range<f64> = 1.0e9..4.2e9;

/// The first timestamp of the line. `near` (seconds since 1970) gives the year to forms that have none.
///
/// A form without a zone, or with one that is not known, is read as UTC.
pub(super) fn stamp(line: &str, near: f64) -> Option<Stamp> {
    let bytes = &line.as_bytes()[..line.len().min(WITHIN)];
    for start in 0..bytes.len() {
        let fresh = start == 0 || !bytes[start - 1].is_ascii_alphanumeric();
        if !fresh {
            continue;
        }
        let found = match bytes[start] {
            b'0'..=b'9' => numeric(bytes, start),
            b'A'..=b'Z' => named_month(bytes, start, near).or_else(|| klog(bytes, start, near)),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A number that stands for a time since 1970, in whichever of the four usual units makes it a date.
pub(super) fn epoch(number: f64) -> Option<f64> {
    [1.0, 1e3, 1e6, 1e9]
        .into_iter()
        .map(|unit| number / unit)
        .find(|seconds| EPOCH_SECONDS.contains(seconds))
}

/// Seconds since 1970 from a text that is nothing but a time: a number, or a date with its year.
#[must_use]
pub fn time_of(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return epoch(number);
    }
    stamp(text, f64::NAN)
        .filter(|stamp| stamp.start == 0 && stamp.end == text.len())
        .map(|stamp| stamp.at)
}

/// Reads bytes one after the other.
struct Cursor<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.place).copied()
    }

    fn one_of(&mut self, choices: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| choices.contains(byte))?;
        self.place += 1;
        Some(byte)
    }

    /// A number of exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<i32> {
        let digits = self.bytes.get(self.place..self.place + count)?;
        let mut number = 0;
        for digit in digits {
            number = number * 10 + i32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        }
        self.place += count;
        Some(number)
    }

    /// `.123` or `,123` as a share of a second; nothing is zero.
    fn fraction(&mut self) -> f64 {
        let start = self.place;
        if self.one_of(b".,").is_none() {
            return 0.0;
        }
        let (mut share, mut unit) = (0.0, 0.1);
        let first = self.place;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            share += f64::from(digit - b'0') * unit;
            unit /= 10.0;
            self.place += 1;
        }
        if self.place == first {
            self.place = start;
        }
        share
    }

    /// `HH:MM:SS` with an optional fraction: hour, minute, second, share.
    fn clock(&mut self) -> Option<(i32, i32, i32, f64)> {
        let hour = self.digits(2)?;
        self.one_of(b":")?;
        let minute = self.digits(2)?;
        self.one_of(b":")?;
        let second = self.digits(2)?;
        Some((hour, minute, second, self.fraction()))
    }

    /// `Z`, `+02:00`, `-0700`, or a name, after at most one space: seconds east of Greenwich. Nothing is zero.
    fn zone(&mut self) -> f64 {
        let start = self.place;
        // The space belongs to the timestamp only if a zone follows.
        let _ = self.one_of(b" ");
        if let Some(sign) = self.one_of(b"+-") {
            let hours = self.digits(2);
            let _ = self.one_of(b":");
            let minutes = self.digits(2).unwrap_or(0);
            if let Some(hours) = hours {
                let seconds = f64::from(hours * 3_600 + minutes * 60);
                return if sign == b'-' { -seconds } else { seconds };
            }
        }
        for name in [&b"UTC"[..], b"GMT", b"Z"] {
            if self.bytes[self.place..].starts_with(name) {
                let after = self.bytes.get(self.place + name.len());
                if !after.is_some_and(u8::is_ascii_alphanumeric) {
                    self.place += name.len();
                    return 0.0;
                }
            }
        }
        self.place = start;
        0.0
    }
}

/// `2026-11-21T20:33:39.123Z` and its kin, `2026/11/21 20:33:39`, `10/Oct/2000:13:55:36 -0700`, or seconds since 1970.
fn numeric(bytes: &[u8], start: usize) -> Option<Stamp> {
    iso(bytes, start)
        .or_else(|| common_log(bytes, start))
        .or_else(|| epoch_token(bytes, start))
}

fn iso(bytes: &[u8], start: usize) -> Option<Stamp> {
    let mut cursor = Cursor {
        bytes,
        place: start,
    };
    let year = cursor.digits(4)?;
    let separator = cursor.one_of(b"-/")?;
    let month = cursor.digits(2)?;
    cursor.one_of(&[separator])?;
    let day = cursor.digits(2)?;
    cursor.one_of(b"T t")?;
    finish(cursor, start, |_| Some((year, month, day)))
}

fn common_log(bytes: &[u8], start: usize) -> Option<Stamp> {
    let mut cursor = Cursor {
        bytes,
        place: start,
    };
    let day = cursor.digits(2)?;
    cursor.one_of(b"/")?;
    let month = month(&mut cursor)?;
    cursor.one_of(b"/")?;
    let year = cursor.digits(4)?;
    cursor.one_of(b":")?;
    finish(cursor, start, |_| Some((year, month, day)))
}

/// Only at the line's begin, and only with ten digits or more: other numbers are everywhere.
fn epoch_token(bytes: &[u8], start: usize) -> Option<Stamp> {
    if start > 1 {
        return None;
    }
    let length = bytes[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
        .count();
    let text = std::str::from_utf8(&bytes[start..start + length]).ok()?;
    let whole = text.split('.').next()?.len();
    if ![10, 13, 16, 19].contains(&whole) {
        return None;
    }
    let at = epoch(text.parse().ok()?)?;
    Some(Stamp {
        at,
        start,
        end: start + length,
    })
}

/// `Dec 10 06:55:46` of syslog (RFC 3164): the day may have one digit and a space.
fn named_month(bytes: &[u8], start: usize, near: f64) -> Option<Stamp> {
    let mut cursor = Cursor {
        bytes,
        place: start,
    };
    let month = month(&mut cursor)?;
    cursor.one_of(b" ")?;
    let day = match cursor.one_of(b" ") {
        Some(_) => cursor.digits(1)?,
        None => cursor.digits(2)?,
    };
    cursor.one_of(b" ")?;
    finish(cursor, start, |clock| {
        Some((year(month, day, clock, near)?, month, day))
    })
}

/// `I1121 20:33:39.123456` of klog and glog: severity, month, day.
fn klog(bytes: &[u8], start: usize, near: f64) -> Option<Stamp> {
    if start != 0 {
        return None;
    }
    let mut cursor = Cursor { bytes, place: 0 };
    cursor.one_of(b"IWEF")?;
    let month = cursor.digits(2)?;
    let day = cursor.digits(2)?;
    cursor.one_of(b" ")?;
    // The letter is the level and stays in the line.
    finish(cursor, 1, |clock| {
        Some((year(month, day, clock, near)?, month, day))
    })
}

type Clock = (i32, i32, i32, f64);

fn finish(
    mut cursor: Cursor<'_>,
    start: usize,
    date: impl Fn(Clock) -> Option<(i32, i32, i32)>,
) -> Option<Stamp> {
    let clock = cursor.clock()?;
    let east = cursor.zone();
    let (year, month, day) = date(clock)?;
    Some(Stamp {
        at: seconds(year, month, day, clock)? - east,
        start,
        end: cursor.place,
    })
}

fn month(cursor: &mut Cursor<'_>) -> Option<i32> {
    const NAMES: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let name = cursor.bytes.get(cursor.place..cursor.place + 3)?;
    let place = NAMES.chunks(3).position(|month| month == name)?;
    cursor.place += 3;
    i32::try_from(place + 1).ok()
}

/// The year that brings the date nearest to `near`.
fn year(month: i32, day: i32, clock: Clock, near: f64) -> Option<i32> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be a date")]
    let middle = EPOCH_SECONDS
        .contains(&near)
        .then(|| jiff::Timestamp::from_second(near as i64).ok())??;
    let middle = i32::from(Offset::UTC.to_datetime(middle).year());
    let distance = |year: &i32| {
        seconds(*year, month, day, clock).map_or(f64::INFINITY, |at| (at - near).abs())
    };
    (middle - 1..=middle + 1).min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

fn seconds(year: i32, month: i32, day: i32, clock: Clock) -> Option<f64> {
    let (hour, minute, second, share) = clock;
    let small = |number: i32| i8::try_from(number).ok();
    let datetime = DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        // A leap second is the last one of its minute.
        small(second.min(if second == 60 { 59 } else { second }))?,
        0,
    )
    .ok()?;
    let whole = Offset::UTC.to_timestamp(datetime).ok()?.as_second();
    let whole = whole as f64;
    Some(whole + share)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T20:33:39Z.
    const AT: f64 = 1_795_293_219.0;

    #[test]
    fn the_usual_forms_are_recognised() {
        for (line, at) in [
            ("2026-11-21T20:33:39Z hello", AT),
            ("2026-11-21T20:33:39.250Z hello", AT + 0.25),
            ("2026-11-21T22:33:39+02:00 hello", AT),
            ("2026-11-21 13:33:39,5 -0700 x", AT + 0.5),
            (
                "2026-11-21 20:33:39.125 UTC [4711] ERROR:  deadlock detected",
                AT + 0.125,
            ),
            ("[2026-11-21 20:33:39] x", AT),
            ("2026/11/21 20:33:39 [error] 7#7: x", AT),
            ("web-1.log.2017-05-16_13:53:08 2026-11-21 20:33:39 x", AT),
            (
                "10.0.0.1 - - [21/Nov/2026:21:33:39 +0100] \"GET /\" 500",
                AT,
            ),
            ("Nov 21 20:33:39 host sshd[1]: x", AT),
            ("Nov  1 20:33:39 host sshd[1]: x", AT - 20.0 * 86_400.0),
            ("<34>Nov 21 20:33:39 host su: x", AT),
            ("E1121 20:33:39.500000 1 main.go:12] x", AT + 0.5),
            ("1795293219 x", AT),
            ("1795293219.5 x", AT + 0.5),
            ("1795293219500 x", AT + 0.5),
            ("[1795293219] x", AT),
            ("time=2026-11-21T20:33:39Z level=info", AT),
        ] {
            let found = stamp(line, AT).map(|stamp| stamp.at);
            assert!(
                found.is_some_and(|found| (found - at).abs() < 1e-5),
                "{line}: {found:?} and not {at}"
            );
        }
    }

    #[test]
    fn a_year_is_taken_from_what_is_near() {
        let new_year = 1_798_761_600.0; // 2027-01-01T00:00:00Z
        let before = stamp("Dec 31 23:59:59 host x", new_year).unwrap().at;
        let after = stamp("Jan  1 00:00:01 host x", new_year).unwrap().at;
        assert_eq!((before, after), (new_year - 1.0, new_year + 1.0));
        let leap = 1_709_164_800.0; // 2024-02-29T00:00:00Z
        assert_eq!(stamp("Feb 29 00:00:00 x", leap).unwrap().at, leap);
        assert_eq!(stamp("Dec 31 23:59:59 host x", f64::NAN), None);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for line in [
            "",
            "2026-13-41T20:33:39Z",
            "2026-11-21T25:00:00Z",
            "12345 widgets",
            "order 1795293219 shipped",
            "Nov 99 20:33:39 x",
            "2026-11-21",
            "\u{1b}[31mé\u{fffd}",
        ] {
            assert_eq!(stamp(line, AT), None, "{line}");
        }
    }

    #[test]
    fn the_place_of_the_stamp_is_told() {
        let line = "2026-11-21 20:33:39.123 UTC [1] LOG";
        let stamp = stamp(line, AT).unwrap();
        assert_eq!(&line[stamp.start..stamp.end], "2026-11-21 20:33:39.123 UTC");
    }
}
