//! One line of a log: time, level, service, and the message that is left.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::time::{epoch, stamp};

/// How bad a line says it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Trace and debug.
    Debug,
    /// Info, notice, and `LOG` of PostgreSQL.
    Info,
    /// Warnings.
    Warning,
    /// Errors.
    Error,
    /// Fatal, critical, panic, alert and emergency.
    Fatal,
}

impl LogLevel {
    fn of(word: &str) -> Option<Self> {
        const WORDS: [(&str, LogLevel); 22] = [
            ("trace", LogLevel::Debug),
            ("debug", LogLevel::Debug),
            ("fine", LogLevel::Debug),
            ("info", LogLevel::Info),
            ("information", LogLevel::Info),
            ("informational", LogLevel::Info),
            ("notice", LogLevel::Info),
            ("log", LogLevel::Info),
            ("warn", LogLevel::Warning),
            ("warning", LogLevel::Warning),
            ("err", LogLevel::Error),
            ("error", LogLevel::Error),
            ("severe", LogLevel::Error),
            ("fatal", LogLevel::Fatal),
            ("crit", LogLevel::Fatal),
            ("critical", LogLevel::Fatal),
            ("panic", LogLevel::Fatal),
            ("alert", LogLevel::Fatal),
            ("emerg", LogLevel::Fatal),
            ("emergency", LogLevel::Fatal),
            ("dbug", LogLevel::Debug),
            ("eror", LogLevel::Error),
        ];
        WORDS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map(|(_, level)| *level)
    }

    /// Syslog's and bunyan's numbers: 0 to 7 from bad to harmless, 10 to 60 from harmless to bad.
    fn of_number(number: i64) -> Option<Self> {
        Some(match number {
            0..=2 | 60 => Self::Fatal,
            3 | 50 => Self::Error,
            4 | 40 => Self::Warning,
            5 | 6 | 30 => Self::Info,
            7 | 10 | 20 => Self::Debug,
            _ => return None,
        })
    }

    /// Whether it is an error or worse.
    #[must_use]
    pub fn is_error(self) -> bool {
        self >= Self::Error
    }
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine<'a> {
    /// Seconds since 1970; `None` when the line has no timestamp of a known form.
    pub at: Option<f64>,
    /// The level, if it names one.
    pub level: Option<LogLevel>,
    /// The service, if it names one under a usual key.
    pub service: Option<Cow<'a, str>>,
    /// What is left: the message.
    pub message: Cow<'a, str>,
}

impl<'a> LogLine<'a> {
    /// Reads a line of text, logfmt or JSON. Never fails: what is not recognised is message.
    ///
    /// `near` (seconds since 1970) gives the year to timestamps that have none. Times without a zone are read as UTC.
    #[must_use]
    pub fn parse(line: &'a str, near: f64) -> Self {
        let line = line.trim_end();
        json(line, near)
            .or_else(|| logfmt(line, near))
            .unwrap_or_else(|| text(line, near))
    }
}

/// Words after the timestamp among which a level is looked for.
const LEVEL_WITHIN: usize = 6;

fn text(line: &str, near: f64) -> LogLine<'_> {
    let stamp = stamp(line, near);
    let (at, rest, before) = match stamp {
        Some(stamp) => (Some(stamp.at), &line[stamp.end..], &line[..stamp.start]),
        None => (None, line, ""),
    };
    let level = klog_level(before).or_else(|| {
        // `ERROR 2026-11-21 …` is as usual as the other way round.
        word_level(before).or_else(|| word_level(rest))
    });
    LogLine {
        at,
        level,
        service: None,
        message: Cow::Borrowed(rest.trim_start_matches([' ', '\t', '-', ']', ':', '|'])),
    }
}

fn klog_level(before: &str) -> Option<LogLevel> {
    Some(match before {
        "I" => LogLevel::Info,
        "W" => LogLevel::Warning,
        "E" => LogLevel::Error,
        "F" => LogLevel::Fatal,
        _ => return None,
    })
}

/// A level among the first words. A lower-case word must stand in brackets or before a colon: "no error found" is none.
fn word_level(text: &str) -> Option<LogLevel> {
    const MARKS: [char; 8] = ['[', ']', ':', '<', '>', '|', '(', ')'];
    text.split_ascii_whitespace()
        .take(LEVEL_WITHIN)
        .find_map(|word| {
            let marked = word.starts_with(['[', '<', '|', '(']) || word.ends_with(':');
            let bare = word.trim_matches(MARKS);
            let loud = bare.len() > 2 && bare.bytes().all(|byte| byte.is_ascii_uppercase());
            (marked || loud).then(|| LogLevel::of(bare))?
        })
}

const TIME_KEYS: [&str; 7] = [
    "time",
    "timestamp",
    "ts",
    "@timestamp",
    "t",
    "datetime",
    "date",
];
const LEVEL_KEYS: [&str; 6] = [
    "level",
    "severity",
    "lvl",
    "loglevel",
    "log.level",
    "levelname",
];
const MESSAGE_KEYS: [&str; 5] = ["message", "msg", "event", "log", "error"];
const SERVICE_KEYS: [&str; 5] = [
    "service",
    "service.name",
    "service_name",
    "app",
    "application",
];

fn json(line: &str, near: f64) -> Option<LogLine<'_>> {
    if !line.starts_with('{') {
        return None;
    }
    let Value::Object(object) = serde_json::from_str(line).ok()? else {
        return None;
    };
    let first = |keys: &[&str]| keys.iter().find_map(|key| object.get(*key));
    let at = match first(&TIME_KEYS) {
        Some(Value::Number(number)) => number.as_f64().and_then(epoch),
        Some(Value::String(text)) => stamp(text, near).map(|stamp| stamp.at),
        _ => None,
    };
    let level = match first(&LEVEL_KEYS) {
        Some(Value::Number(number)) => number.as_i64().and_then(LogLevel::of_number),
        Some(Value::String(text)) => LogLevel::of(text.trim()),
        _ => None,
    };
    let owned = |value: &Value| match value {
        Value::String(text) => Some(Cow::Owned(text.clone())),
        _ => None,
    };
    Some(LogLine {
        at,
        level,
        service: first(&SERVICE_KEYS).and_then(owned),
        message: first(&MESSAGE_KEYS)
            .and_then(owned)
            .unwrap_or(Cow::Borrowed(line)),
    })
}

/// `time=… level=… msg="…"`: taken for logfmt when it has a message and a level or a time by these keys.
fn logfmt(line: &str, near: f64) -> Option<LogLine<'_>> {
    let value = |keys: &[&str]| keys.iter().find_map(|key| logfmt_value(line, key));
    let message = value(&["msg", "message"])?;
    let level = value(&["level", "lvl", "severity"]).and_then(LogLevel::of);
    let time = value(&["time", "ts", "timestamp", "t"]);
    if level.is_none() && time.is_none() {
        return None;
    }
    let at = time
        .and_then(|time| stamp(time, near).map(|stamp| stamp.at))
        .or_else(|| stamp(line, near).map(|stamp| stamp.at));
    Some(LogLine {
        at,
        level,
        service: value(&SERVICE_KEYS).map(Cow::Borrowed),
        message: Cow::Borrowed(message),
    })
}

/// The value of `key=value` or `key="value"`, where the key begins the line or follows a space.
fn logfmt_value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut from = 0;
    loop {
        let place = from + line.get(from..)?.find(key)?;
        let after = place + key.len();
        let fresh = place == 0 || line.as_bytes()[place - 1] == b' ';
        if !fresh || line.as_bytes().get(after) != Some(&b'=') {
            from = after;
            continue;
        }
        let rest = &line[after + 1..];
        let Some(quoted) = rest.strip_prefix('"') else {
            return Some(rest.split(' ').next().unwrap_or(rest));
        };
        let mut escaped = false;
        let end = quoted.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        return Some(&quoted[..end.unwrap_or(quoted.len())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: f64 = 1_795_293_219.0;

    fn check(line: &str, at: Option<f64>, level: Option<LogLevel>, message: &str) {
        let parsed = LogLine::parse(line, AT);
        assert_eq!(
            (parsed.at, parsed.level, &*parsed.message),
            (at, level, message),
            "{line}"
        );
    }

    #[test]
    fn lines_of_the_usual_programs_are_read() {
        let at = Some(AT);
        check(
            "2026-11-21 20:33:39.000 UTC [77] ERROR:  deadlock detected",
            at,
            Some(LogLevel::Error),
            "[77] ERROR:  deadlock detected",
        );
        check(
            "2026/11/21 20:33:39 [crit] 7#7: no live upstreams",
            at,
            Some(LogLevel::Fatal),
            "[crit] 7#7: no live upstreams",
        );
        check(
            "E1121 20:33:39.000000 1 main.go:12] lost",
            at,
            Some(LogLevel::Error),
            "1 main.go:12] lost",
        );
        check(
            r#"{"time":"2026-11-21T20:33:39Z","level":"warn","msg":"slow","service":"pay"}"#,
            at,
            Some(LogLevel::Warning),
            "slow",
        );
        check(
            r#"{"ts":1795293219000,"level":50,"message":"boom"}"#,
            at,
            Some(LogLevel::Error),
            "boom",
        );
        check(
            r#"time=2026-11-21T20:33:39Z level=error msg="it said \"no\"" n=1"#,
            at,
            Some(LogLevel::Error),
            r#"it said \"no\""#,
        );
        check("plain words", None, None, "plain words");
        check("", None, None, "");
    }

    #[test]
    fn a_service_is_read_where_it_is_named() {
        let service = |line: &str| LogLine::parse(line, AT).service.map(Cow::into_owned);
        assert_eq!(
            service(r#"{"msg":"x","service.name":"pay"}"#).as_deref(),
            Some("pay")
        );
        assert_eq!(
            service("level=info msg=x service=pay").as_deref(),
            Some("pay")
        );
        assert_eq!(service("pay: x"), None);
    }

    #[test]
    fn a_word_in_a_sentence_is_no_level() {
        for line in [
            "0 errors found, no error in logs",
            "error budget ok",
            "the log is warm",
        ] {
            assert_eq!(LogLine::parse(line, AT).level, None, "{line}");
        }
    }

    #[test]
    fn broken_json_is_text() {
        let line = r#"{"time":"2026-11-21T20:33:39Z","level":"er"#;
        let parsed = LogLine::parse(line, AT);
        assert_eq!(parsed.at, Some(AT));
        assert_eq!(parsed.level, None);
    }
}
