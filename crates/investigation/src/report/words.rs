//! Words, numbers and moments as every form of the report writes them.

use jiff::Timestamp;

use crate::evidence::{FactKind, Observation};
use crate::telemetry::Metric;

/// A value of a metric with its unit.
pub(super) fn amount(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Latency if value.abs() < 1.0 => format!("{:.1} ms", value * 1_000.0),
        Metric::Latency => format!("{value:.2} s"),
        Metric::Availability => format!("{:.1} % failed", value * 100.0),
        Metric::Requests => format!("{value:.0}"),
    }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A moment in UTC, to the second.
pub(super) fn moment(at: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast saturates, and what jiff refuses is shown as it is"
    )]
    let seconds = at.round() as i64;
    match Timestamp::from_second(seconds) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => format!("{at}"),
    }
}

/// A time in microseconds.
pub(super) fn time(us: u64) -> String {
    match us {
        0..10_000 => format!("{us} µs"),
        _ => format!("{:.1} ms", us as f64 / 1_000.0),
    }
}

/// What an observation says in one sentence.
pub(super) fn observed(observation: &Observation) -> String {
    let Observation {
        metric,
        reference,
        value,
        deviation,
        ..
    } = observation;
    format!(
        "{metric} went from {} to {}, {deviation:+.1} standard deviations",
        amount(*metric, *reference),
        amount(*metric, *value)
    )
}

/// The rows that a fact shows, if it shows some.
pub(super) fn rows_of(kind: &FactKind) -> Option<&[Option<f64>]> {
    match kind {
        FactKind::Saturation { rows, .. } => Some(rows),
        _ => None,
    }
}

/// Intervals that a sparkline draws; of a longer incident, neighbours are drawn as their mean.
const SPARKLINE_MAX: usize = 40;

/// One character an interval, from the least to the largest; a gap is a space.
pub(super) fn sparkline(rows: &[Option<f64>]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let rows: Vec<Option<f64>> = rows
        .chunks(rows.len().div_ceil(SPARKLINE_MAX).max(1))
        .map(|chunk| {
            let count = chunk.iter().flatten().count();
            (count > 0).then(|| chunk.iter().flatten().sum::<f64>() / count as f64)
        })
        .collect();
    let present = || rows.iter().flatten().copied();
    let least = present().fold(f64::INFINITY, f64::min);
    let most = present().fold(f64::NEG_INFINITY, f64::max);
    let bar = |row: &Option<f64>| match row {
        None => ' ',
        Some(_) if most <= least => BARS[0],
        Some(value) => {
            let height = (value - least) / (most - least) * (BARS.len() - 1) as f64;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a height between 0 and the number of bars"
            )]
            let place = height.round() as usize;
            BARS[place.min(BARS.len() - 1)]
        }
    };
    rows.iter().map(bar).collect()
}

/// Whether a character could steer a terminal, or changes the direction of writing.
pub(super) fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text with everything escaped that a terminal could take for an order, or that would change the direction of writing.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("PetSite", "PetSite");
        check("a\u{1b}[2Jb", "a\\u{1b}[2Jb");
        check("\u{202e}exe.txt", "\\u{202e}exe.txt");
        check("ü→日本", "ü→日本");
    }

    #[test]
    fn amounts_have_units() {
        assert_eq!(amount(Metric::Latency, 0.0834), "83.4 ms");
        assert_eq!(amount(Metric::Latency, 3.2), "3.20 s");
        assert_eq!(amount(Metric::Availability, 0.021), "2.1 % failed");
        assert_eq!(amount(Metric::Requests, 483.0), "483");
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(moment(1_681_879_020.4), "2023-04-19T04:37:00Z");
        assert_eq!(moment(1e300), format!("{}", 1e300));
    }

    #[test]
    fn a_sparkline_has_at_most_forty_characters() {
        let rows: Vec<Option<f64>> = (0..100).map(|n| Some(f64::from(n))).collect();
        let line = sparkline(&rows);
        assert!(line.chars().count() <= 40 && line.starts_with('▁') && line.ends_with('█'));
        assert_eq!(sparkline(&[Some(1.0), None, Some(2.0)]), "▁ █");
    }
}
