//! The report as text for a terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Effects, Style as Ansi};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{RankedNode, Report, told};
use crate::evidence::Observation;
use crate::ranking::CandidateFeatures;
use crate::telemetry::Metric;
use crate::verdict::Verdict;
use crate::wave::Cost;

/// How a report is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colours.
    pub color: bool,
    /// Columns of the terminal; 0 is unlimited.
    pub columns: u16,
}

/// Nodes of the ranking that are drawn.
const NODES_SHOWN: usize = 5;
/// Notes and unknown series that are drawn.
const LINES_SHOWN: usize = 5;

/// Draws a report. Names are shown without control characters, so that data cannot steer the terminal.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = draw(&mut text, report, style);
    text
}

fn draw(out: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    headline(out, report, style)?;
    symptom(out, report)?;
    if !report.root_cause.ranking.is_empty() {
        writeln!(out, "\n{}", ranking(report, style))?;
    }
    if !report.evidence.is_empty() {
        writeln!(out, "\n{}", evidence(report, style))?;
    }
    told::facts(out, report)?;
    told::asked(out, report)?;
    if !report.next_probes.is_empty() {
        writeln!(out, "\nLook next at:")?;
        for probe in &report.next_probes {
            writeln!(
                out,
                "  {}: {}",
                printable(&probe.node),
                printable(&probe.action)
            )?;
            if let Some(command) = &probe.command {
                writeln!(out, "    $ {}", printable(command))?;
            }
        }
    }
    writeln!(out, "\n{}", specialists(report, style))?;
    for used in &report.costs.budget {
        let percent = used.percent.as_deref().unwrap_or("all");
        writeln!(out, "  {percent} % of the budget of {} is used", used.unit)?;
    }
    for run in report.specialists.iter().filter(|run| !run.completed) {
        let reason = run.reason.as_deref().unwrap_or("unknown reason");
        writeln!(
            out,
            "  {} is missing: {}",
            printable(&run.specialist),
            printable(reason)
        )?;
    }
    if report.unknown_total > 0 {
        writeln!(out, "\nNot known: {}", report.unknown_total)?;
        for unknown in report.unknown.iter().take(LINES_SHOWN) {
            writeln!(
                out,
                "  {} {}: {}",
                printable(&unknown.node),
                printable(&unknown.what),
                printable(&unknown.reason)
            )?;
        }
        more(out, report.unknown_total)?;
    }
    if !report.notes.is_empty() {
        writeln!(out, "\nNotes:")?;
        for note in report.notes.iter().take(LINES_SHOWN) {
            writeln!(out, "  {}", printable(note))?;
        }
        more(out, report.notes.len())?;
    }
    Ok(())
}

fn more(out: &mut String, count: usize) -> std::fmt::Result {
    match count.checked_sub(LINES_SHOWN) {
        Some(left) if left > 0 => writeln!(out, "  and {left} more; --json has them"),
        _ => Ok(()),
    }
}

fn headline(out: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    let fault = report.fault_probability * 100.0;
    let (color, words) = match (report.verdict, report.root_cause.ranking.first()) {
        (Verdict::Diagnosed, Some(first)) => (
            AnsiColor::Red,
            format!(
                "diagnosed: {}, confidence {:.3}",
                printable(&first.node),
                first.confidence
            ),
        ),
        (Verdict::NoFault, _) => (
            AnsiColor::Green,
            format!("no fault: a fault has a probability of {fault:.0} %"),
        ),
        _ => (
            AnsiColor::Yellow,
            format!("insufficient evidence: a fault has a probability of {fault:.0} %"),
        ),
    };
    if style.color {
        let ansi = Ansi::new()
            .fg_color(Some(color.into()))
            .effects(Effects::BOLD);
        writeln!(out, "{ansi}{words}{ansi:#}")
    } else {
        writeln!(out, "{words}")
    }
}

fn symptom(out: &mut String, report: &Report) -> std::fmt::Result {
    let Some(target) = &report.target else {
        return writeln!(out, "No metric target: facts alone decide");
    };
    write!(
        out,
        "Symptom: {} {}",
        printable(&target.node),
        target.metric
    )?;
    let Some(symptom) = &report.symptom else {
        return writeln!(out, ", which could not be judged");
    };
    let (before, value) = (
        amount(target.metric, symptom.before),
        amount(target.metric, symptom.value),
    );
    write!(out, " from {before} to {value}")?;
    match symptom.windows {
        0 => writeln!(out),
        windows => writeln!(
            out,
            "; {} of {windows} windows of the baseline rose as much",
            symptom.windows_as_strong
        ),
    }
}

fn table(style: Style, head: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head);
    if style.columns > 0 {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(style.columns);
    }
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn ranking(report: &Report, style: Style) -> Table {
    let head = [
        "#",
        "node",
        "confidence",
        "calls away",
        "deviates",
        "own",
        "explains",
        "follows",
    ];
    let mut table = table(style, &head, &[0, 2, 3, 4, 5, 6, 7]);
    for (place, ranked) in (1..).zip(report.root_cause.ranking.iter().take(NODES_SHOWN)) {
        let RankedNode {
            node,
            confidence,
            distance,
            features,
            ..
        } = ranked;
        let share = |of: fn(&CandidateFeatures) -> f64| {
            features.as_ref().map_or("-".to_owned(), |f| percent(of(f)))
        };
        table.add_row([
            format!("{place}"),
            printable(node),
            format!("{confidence:.3}"),
            distance.map_or("unreachable".to_owned(), |calls| calls.to_string()),
            share(|f| f.deviation),
            share(|f| f.own),
            share(|f| f.explained),
            share(|f| f.pattern),
        ]);
    }
    table
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn evidence(report: &Report, style: Style) -> Table {
    let head = ["node", "metric", "usual", "then", "sigmas", "by interval"];
    let mut table = table(style, &head, &[2, 3, 4]);
    for observation in &report.evidence {
        table.add_row([
            printable(&observation.node),
            observation.metric.to_string(),
            amount(observation.metric, observation.reference),
            amount(observation.metric, observation.value),
            format!("{:+.1}", observation.deviation),
            sparkline(observation),
        ]);
    }
    table
}

/// Cost and time of each specialist, with the sum below.
fn specialists(report: &Report, style: Style) -> Table {
    let costs = &report.costs;
    let tokens = costs.total.tokens > 0;
    let money = costs.total.money != "0";
    let mut head = vec![
        "specialist",
        "wave",
        "state",
        "nodes",
        "judged",
        "facts",
        "unknown",
        "calls",
        "time",
    ];
    head.extend(tokens.then_some("tokens"));
    head.extend(money.then_some("money"));
    let numbers: Vec<usize> = (1..head.len()).filter(|column| *column != 2).collect();
    let mut table = table(style, &head, &numbers);
    let dear = |cost: &Cost| {
        let tokens = tokens.then(|| cost.tokens.to_string());
        tokens.into_iter().chain(money.then(|| cost.money.clone()))
    };
    for run in &report.specialists {
        let mut row = vec![
            printable(&run.specialist),
            run.wave.map_or("-".to_owned(), |wave| wave.to_string()),
            if run.completed {
                "completed"
            } else {
                "missing"
            }
            .to_owned(),
            run.nodes.to_string(),
            run.observations.to_string(),
            run.facts.to_string(),
            run.unknown.to_string(),
            run.cost.calls.to_string(),
            time(run.elapsed_us),
        ];
        row.extend(dear(&run.cost));
        table.add_row(row);
    }
    let busy = report.specialists.iter().map(|run| run.elapsed_us);
    let mut total = vec![String::new(); 9];
    total[0] = "total".to_owned();
    total[7] = costs.total.calls.to_string();
    total[8] = time(busy.fold(0, u64::saturating_add));
    total.extend(dear(&costs.total));
    table.add_row(total);
    table
}

fn time(us: u64) -> String {
    match us {
        0..10_000 => format!("{us} µs"),
        _ => format!("{:.1} ms", us as f64 / 1_000.0),
    }
}

fn amount(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Latency if value.abs() < 1.0 => format!("{:.1} ms", value * 1_000.0),
        Metric::Latency => format!("{value:.2} s"),
        Metric::Availability => format!("{:.1} % failed", value * 100.0),
        Metric::Requests => format!("{value:.0}"),
    }
}

/// Intervals that are drawn; of a longer incident the last ones.
const SPARKLINE_MAX: usize = 40;

/// One character an interval, from the least to the largest; a gap is a space.
fn sparkline(observation: &Observation) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let from = observation.rows.len().saturating_sub(SPARKLINE_MAX);
    let rows = &observation.rows[from..];
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

/// The text with everything escaped that a terminal could take for an order, or that would change the direction of writing.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let steers = character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if steers {
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
}
