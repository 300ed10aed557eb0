//! `events.json` and `events.csv`.

use serde::Deserialize;
use serde_json::Value;

use super::{ChangeKind, Event};
use crate::logs::{clean, time_of};

/// Events of one file at most.
pub const EVENTS_MAX: usize = 100_000;
/// Bytes of an event's text that are kept.
const TEXT_BYTES_MAX: usize = 1_000;
/// Bytes of a node's name.
const NODE_BYTES_MAX: usize = 1_024;

/// Why a list of events cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// It is no JSON of the expected form.
    #[error(
        "{0}; expected a list of {{\"time\": seconds or ISO 8601, \"node\": …, \"kind\": \"deployment\", \"text\": …}}"
    )]
    Json(#[source] serde_json::Error),
    /// It is no CSV.
    #[error("not readable as CSV: {0}")]
    Csv(#[source] csv::Error),
    /// The head lacks a column.
    #[error("the head has no column {column:?}; the columns are time, node, kind and text")]
    Column {
        /// The missing one.
        column: &'static str,
    },
    /// A time is neither a number nor a date.
    #[error("event {number} has the time {text:?}; write seconds since 1970 or ISO 8601")]
    Time {
        /// The event, counted from 1.
        number: usize,
        /// What stands there, cut short.
        text: String,
    },
    /// A node's name is empty or too long.
    #[error("event {number} names no node, or one of more than 1024 bytes; name what was changed")]
    Node {
        /// The event, counted from 1.
        number: usize,
    },
    /// More events than are read.
    #[error("more than {EVENTS_MAX} events; keep those around the incident")]
    TooMany,
}

#[derive(Deserialize)]
struct Written {
    #[serde(alias = "timestamp", alias = "at")]
    time: Value,
    #[serde(alias = "service")]
    node: String,
    #[serde(default, alias = "type")]
    kind: String,
    #[serde(default, alias = "message", alias = "description")]
    text: String,
}

/// Reads a list of events, or an object with the key `events`. Keys that are not known are passed over.
///
/// `file` is how it is named in what is found. Times without a zone are read as UTC.
///
/// # Errors
///
/// It is no JSON of that form, a time or a node cannot be used, or there are more than [`EVENTS_MAX`] events.
pub fn read_events_json(file: &str, bytes: &[u8]) -> Result<Vec<Event>, EventsError> {
    let mut document: Value = serde_json::from_slice(bytes).map_err(EventsError::Json)?;
    if let Some(list) = document.get_mut("events") {
        document = list.take();
    }
    if document
        .as_array()
        .is_some_and(|list| list.len() > EVENTS_MAX)
    {
        return Err(EventsError::TooMany);
    }
    let list: Vec<Written> = serde_json::from_value(document).map_err(EventsError::Json)?;
    (1..)
        .zip(list)
        .map(|(number, written)| {
            let time = match &written.time {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let location = format!("{}#{number}", clean(file, TEXT_BYTES_MAX));
            event(
                number,
                &time,
                &written.node,
                &written.kind,
                &written.text,
                location,
            )
        })
        .collect()
}

/// Reads events from CSV with a head; of the columns `time`, `node`, `kind` and `text` the last two may be absent.
///
/// `file` is how it is named in what is found. Times without a zone are read as UTC.
///
/// # Errors
///
/// As [`read_events_json`], or the head lacks a column.
pub fn read_events_csv(file: &str, bytes: &[u8]) -> Result<Vec<Event>, EventsError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let head = reader.byte_headers().map_err(EventsError::Csv)?.clone();
    let place = |name: &str| {
        head.iter()
            .position(|field| field.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
    };
    let needed = |column: &'static str| place(column).ok_or(EventsError::Column { column });
    let (time, node) = (needed("time")?, needed("node")?);
    let (kind, text) = (place("kind"), place("text"));
    let mut events = Vec::new();
    for (record, number) in reader.byte_records().zip(1..) {
        let record = record.map_err(EventsError::Csv)?;
        if events.len() >= EVENTS_MAX {
            return Err(EventsError::TooMany);
        }
        let field = |place: Option<usize>| {
            let bytes = place
                .and_then(|place| record.get(place))
                .unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        let line = record.position().map_or(0, csv::Position::line);
        events.push(event(
            number,
            &field(Some(time)),
            &field(Some(node)),
            &field(kind),
            &field(text),
            format!("{}:{line}", clean(file, TEXT_BYTES_MAX)),
        )?);
    }
    Ok(events)
}

fn event(
    number: usize,
    time: &str,
    node: &str,
    kind: &str,
    text: &str,
    location: String,
) -> Result<Event, EventsError> {
    let Some(at) = time_of(time) else {
        let text = time.chars().take(40).collect();
        return Err(EventsError::Time { number, text });
    };
    let node = node.trim();
    if node.is_empty() || node.len() > NODE_BYTES_MAX {
        return Err(EventsError::Node { number });
    }
    let kind_of = ChangeKind::of(kind);
    // A kind that has no variant is not lost.
    let text = match kind_of {
        ChangeKind::Other if !kind.trim().is_empty() => format!("{}: {text}", kind.trim()),
        _ => text.to_owned(),
    };
    Ok(Event {
        at,
        node: node.to_owned(),
        kind: kind_of,
        text: clean(&text, TEXT_BYTES_MAX),
        location,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: f64 = 1_795_293_219.0;

    #[test]
    fn both_forms_give_the_same_events() {
        let json = br#"{"events": [
            {"time": 1795293219, "node": "pay", "kind": "deploy", "text": "v2"},
            {"timestamp": "2026-11-21T20:33:39Z", "service": "db", "type": "chaos", "message": "x"}
        ]}"#;
        let csv = b"node,time,text,kind\npay,1795293219,v2,deployment\ndb,2026-11-21T21:33:39+01:00,x,chaos\n";
        let from_json = read_events_json("events.json", json).unwrap();
        let from_csv = read_events_csv("events.csv", csv).unwrap();
        let plain = |events: &[Event]| -> Vec<(f64, String, ChangeKind, String)> {
            let of = |event: &Event| (event.at, event.node.clone(), event.kind, event.text.clone());
            events.iter().map(of).collect()
        };
        assert_eq!(plain(&from_json), plain(&from_csv));
        assert_eq!(
            plain(&from_json),
            [
                (
                    AT,
                    "pay".to_owned(),
                    ChangeKind::Deployment,
                    "v2".to_owned()
                ),
                (
                    AT,
                    "db".to_owned(),
                    ChangeKind::Other,
                    "chaos: x".to_owned()
                ),
            ]
        );
        assert_eq!(from_json[1].location, "events.json#2");
        assert_eq!(from_csv[1].location, "events.csv:3");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = |bytes: &[u8]| read_events_json("e", bytes).unwrap_err().to_string();
        assert!(error(b"[{]").contains("expected a list"));
        assert!(error(br#"[{"time": "soon", "node": "a"}]"#).contains("\"soon\""));
        assert!(error(br#"[{"time": 12, "node": "a"}]"#).contains("\"12\""));
        assert!(error(br#"[{"time": 1795293219, "node": " "}]"#).contains("event 1 names no node"));
        let error = read_events_csv("e", b"time,kind\n1,2\n").unwrap_err();
        assert!(error.to_string().contains("\"node\""));
        let many = format!("time,node\n{}", "1795293219,a\n".repeat(EVENTS_MAX + 1));
        let error = read_events_csv("e", many.as_bytes()).unwrap_err();
        assert!(matches!(error, EventsError::TooMany));
    }
}
