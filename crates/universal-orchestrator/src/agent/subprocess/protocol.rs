//! The lines that go in and come out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::agent::TaskContext;
use crate::budget::Amount;
use crate::id::{TaskId, TaskType};

const QUOTE_CHARS_MAX: usize = 200;

#[derive(Serialize)]
struct Request<'a> {
    task: &'a TaskId,
    #[serde(rename = "type")]
    task_type: Option<&'a TaskType>,
    attempt: u32,
    payload: &'a Value,
    deadline_ms: Option<u64>,
    metadata: BTreeMap<&'a str, &'a str>,
}

/// The one line that the program gets, with its newline.
pub(super) fn request_line(context: &TaskContext) -> Result<Vec<u8>, serde_json::Error> {
    let now = Instant::now();
    let left = |deadline: Instant| {
        let left = deadline.saturating_duration_since(now).as_millis();
        u64::try_from(left).unwrap_or(u64::MAX)
    };
    let mut line = serde_json::to_vec(&Request {
        task: context.task_id(),
        task_type: context.task().task_type(),
        attempt: context.attempt(),
        payload: context.payload(),
        deadline_ms: context.deadline().map(left),
        metadata: context.task().metadata_entries().collect(),
    })?;
    line.push(b'\n');
    Ok(line)
}

/// One line of the program's: an object with exactly one of these keys.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    Progress(Value),
    Charge(Amount),
    Result(Value),
    Error(ReportedError),
}

/// An error that the program reports itself.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportedError {
    pub(super) message: String,
    #[serde(default)]
    pub(super) retryable: bool,
}

/// The beginning of a line, fit to stand in a message of one line.
pub(super) fn quote(line: &[u8]) -> String {
    // A character has at most four bytes, so nothing beyond can be part of the quote.
    let head = &line[..line.len().min(QUOTE_CHARS_MAX * 4)];
    String::from_utf8_lossy(head)
        .chars()
        .take(QUOTE_CHARS_MAX)
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn check(line: &str, expected: Option<Answer>) {
        assert_eq!(serde_json::from_str(line).ok(), expected, "{line}");
    }

    #[test]
    fn a_line_is_an_object_with_one_known_key() {
        check(r#"{"progress": 0.5}"#, Some(Answer::Progress(json!(0.5))));
        check(r#"{"result": null}"#, Some(Answer::Result(Value::Null)));
        for junk in [
            "",
            "hello",
            "{}",
            "[]",
            "null",
            r#""result""#,
            r#"{"results": 1}"#,
            r#"{"result": 1, "progress": 2}"#,
            r#"{"result": 1} x"#,
        ] {
            check(junk, None);
        }
    }

    #[test]
    fn an_error_is_permanent_unless_it_says_otherwise() {
        let error = |message: &str, retryable| {
            let message = message.to_owned();
            Some(Answer::Error(ReportedError { message, retryable }))
        };
        check(r#"{"error": {"message": "m"}}"#, error("m", false));
        check(
            r#"{"error": {"message": "m", "retryable": true}}"#,
            error("m", true),
        );
        check(r#"{"error": "m"}"#, None);
        check(r#"{"error": {"message": "m", "retry": true}}"#, None);
    }

    #[test]
    fn a_charge_has_any_of_the_four_units() {
        let all = Amount {
            money: "1.5".parse().unwrap(),
            tokens: 7,
            calls: 2,
            busy: Duration::from_millis(1500),
        };
        check(
            r#"{"charge": {"tokens": 7, "calls": 2, "money": "1.5", "busy": {"secs": 1, "nanos": 500000000}}}"#,
            Some(Answer::Charge(all)),
        );
        check(
            r#"{"charge": {"tokens": 7}}"#,
            Some(Answer::Charge(Amount::tokens(7))),
        );
        check(r#"{"charge": {"token": 7}}"#, None);
        check(r#"{"charge": {"tokens": -7}}"#, None);
    }

    #[test]
    fn a_quote_is_short_and_has_no_control_characters() {
        assert_eq!(quote(b"a\x1b[31m\xff"), "a\u{fffd}[31m\u{fffd}");
        assert_eq!(quote("ä".repeat(300).as_bytes()), "ä".repeat(200));
    }
}
