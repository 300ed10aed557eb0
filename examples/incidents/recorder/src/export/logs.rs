//! The logs around an incident, thinned where they are long.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Lines of one log at most.
const LINES_MAX: usize = 240;
/// Bytes of one line at most.
const LINE_BYTES_MAX: usize = 400;

/// Copies the lines of all logs in `from` that were written between two times, in seconds since 1970.
/// A log that has too many keeps lines at even distances; one that has none is left out.
pub(crate) fn write(from: &Path, to: &Path, start: f64, end: f64) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("failed to make {}", to.display()))?;
    for entry in fs::read_dir(from).context("failed to list the logs")? {
        let path = entry.context("failed to list the logs")?.path();
        let Some(name) = path.file_name().filter(|name| *name != "prometheus.log") else {
            continue;
        };
        let bytes =
            fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let kept = thin(&within(&text, start, end), LINES_MAX);
        if !kept.is_empty() {
            let file = to.join(name);
            fs::write(&file, kept.join("\n") + "\n")
                .with_context(|| format!("failed to write {}", file.display()))?;
        }
    }
    Ok(())
}

/// The lines between two times. A line without a time has that of the line before.
fn within(text: &str, start: f64, end: f64) -> Vec<&str> {
    let mut time = None;
    let inside = |line: &&str| {
        time = seconds(line).or(time);
        time.is_some_and(|time| start <= time && time < end)
    };
    text.lines().filter(inside).map(short).collect()
}

fn short(line: &str) -> &str {
    let mut end = line.len().min(LINE_BYTES_MAX);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// The time in the first characters of a line: `2026-11-21T20:40:00` or with a space, as PostgreSQL writes it.
fn seconds(line: &str) -> Option<f64> {
    let civil: DateTime = line.get(..19)?.replace(' ', "T").parse().ok()?;
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_second() as f64)
}

/// At most `max` lines at even distances.
fn thin<'a>(lines: &[&'a str], max: usize) -> Vec<&'a str> {
    let step = lines.len().div_ceil(max).max(1);
    lines.iter().step_by(step).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-11-21T20:40:00.100000Z  INFO listening
2026-11-21T20:40:05.000000Z  WARN request failed
memory allocation of 160000 bytes failed
2026-11-21 20:40:09.900 UTC [17] ledger LOG:  still waiting
2026-11-21T20:40:10.000000Z  INFO later";

    #[test]
    fn lines_of_both_forms_are_cut_by_time() {
        let start = seconds("2026-11-21T20:40:05").unwrap();
        let lines = within(LOG, start, start + 5.0);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].contains("request failed") && lines[2].contains("still waiting"));
        assert_eq!(start, 1_795_293_605.0);
    }

    #[test]
    fn long_logs_are_thinned_evenly() {
        assert_eq!(thin(&["a", "b", "c", "d", "e"], 2), ["a", "d"]);
        assert_eq!(thin(&["a", "b"], 2), ["a", "b"]);
        assert!(thin(&[], 2).is_empty());
    }
}
