//! What the tests of hostile input share: texts that are no names, and a picture of everything that must not change.

#![allow(
    dead_code,
    reason = "each test binary compiles this module and uses a part of it"
)]

use std::error::Error;

use serde_json::Value;
use universal_orchestrator::{AgentFilter, TaskFilter, UniversalOrchestrator};

pub(crate) const MEGABYTE: usize = 1_048_576;

/// Texts that are no names, and what the refusal says.
pub(crate) fn bad_texts() -> Vec<(String, &'static str)> {
    vec![
        (String::new(), "is empty: give it at least one character"),
        (
            "x".repeat(MEGABYTE),
            "1048576 bytes, the limit is 256: shorten it",
        ),
        ("ü".repeat(129), "258 bytes, the limit is 256: shorten it"),
        (
            "\0".to_owned(),
            "control character '\\0' at byte 0: remove it",
        ),
        (
            "a\nb".to_owned(),
            "control character '\\n' at byte 1: remove it",
        ),
        (
            "a\u{1b}[31m".to_owned(),
            "control character '\\u{1b}' at byte 1",
        ),
        (
            "é\u{7f}".to_owned(),
            "control character '\\u{7f}' at byte 2",
        ),
        ("\u{85}".to_owned(), "control character '\\u{85}' at byte 0"),
    ]
}

/// The text of an error says what it must, and is short whatever was given.
pub(crate) fn check_text(error: &dyn Error, says: &[&str]) {
    let text = error.to_string();
    assert!(text.len() < 1_000, "{} bytes: {:.200}", text.len(), text);
    for part in says {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

/// Everything that a refused call must leave as it was; what counts refusals is left out. Time must stand still.
pub(crate) fn standing(o: &UniversalOrchestrator) -> String {
    let mut status = serde_json::to_value(o.status()).unwrap();
    for (section, counts) in [
        (None, &["timestamp_ms"][..]),
        (Some("tasks"), &["refused", "reports_refused"]),
    ] {
        let table = match section {
            None => Some(&mut status),
            Some(name) => status.get_mut(name),
        };
        let table = table.and_then(Value::as_object_mut).unwrap();
        for count in counts {
            table.remove(*count).unwrap();
        }
    }
    let all = usize::MAX;
    format!(
        "{status:#}\n{:#?}\n{:#?}\n{:#?}",
        o.agents(&AgentFilter::all().limit(all)),
        o.tasks(&TaskFilter::all().limit(all)),
        o.dead_letters(),
    )
}
