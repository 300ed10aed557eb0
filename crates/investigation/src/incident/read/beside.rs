//! What may stand beside the metrics: `logs/`, `events.json` and `events.csv`.

use std::path::Path;

use super::{Notes, ReadError, ReadErrorKind, bytes};
use crate::events::{Event, EventsError, read_events_csv, read_events_json};
use crate::evidence::Unknown;
use crate::incident::Incident;
use crate::logs::LogFolder;

/// Adds what is there to the incident.
pub(super) fn read(
    folder: &Path,
    incident: &mut Incident,
    notes: &mut Notes,
) -> Result<(), ReadError> {
    let onset = incident.target.as_ref().and_then(|target| target.at);
    let last_row = incident.telemetry.starts().last().copied();
    let logs = folder.join("logs");
    let near = onset.or(last_row).unwrap_or(0.0);
    let found = LogFolder::read(&logs, near)
        .map_err(|error| ReadError::new(&logs, ReadErrorKind::Io(error)))?;
    for log in &found.logs {
        if log.lines_without_time() > 0 {
            let count = log.lines_without_time();
            notes.add(
                &logs.join(log.node()),
                format_args!("{count} lines have no time of a known form and cannot be compared"),
            );
        }
    }
    incident.logs.extend(found.logs);
    let unread = found.failed.into_iter().map(|(node, reason)| Unknown {
        node,
        what: "logs".to_owned(),
        reason,
    });
    incident.unknown.extend(unread);
    incident
        .events
        .extend(events(folder, "events.json", read_events_json)?);
    incident
        .events
        .extend(events(folder, "events.csv", read_events_csv)?);
    Ok(())
}

fn events(
    folder: &Path,
    name: &str,
    parse: impl Fn(&str, &[u8]) -> Result<Vec<Event>, EventsError>,
) -> Result<Vec<Event>, ReadError> {
    let file = folder.join(name);
    if !file.exists() {
        return Ok(Vec::new());
    }
    parse(name, &bytes(&file)?).map_err(|error| ReadError::new(&file, ReadErrorKind::Events(error)))
}
