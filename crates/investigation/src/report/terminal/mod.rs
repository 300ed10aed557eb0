//! The report as text for a terminal.

mod story;

use std::fmt::Write;

use anstyle::{AnsiColor, Effects, Style as Ansi};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::words::{amount, percent, printable, sparkline, time};
use super::{RankedNode, Report, told};
use crate::ranking::CandidateFeatures;
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
/// Lines of each list that are drawn.
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
    story::impact(out, report)?;
    if !report.root_cause.ranking.is_empty() {
        writeln!(out, "\n{}", ranking(report, style))?;
    }
    if !report.evidence.is_empty() {
        writeln!(out, "\n{}", evidence(report, style))?;
    }
    story::facts(out, report)?;
    story::hypotheses(out, report)?;
    story::contributing(out, report)?;
    story::timeline(out, report)?;
    if let Some(explanation) = &report.explanation {
        story::explanation(out, report, explanation)?;
    }
    told::asked(out, report)?;
    told::resources(out, report)?;
    // A machine that was only checked and is well needs no further look.
    let all_is_well = report.verdict == Verdict::NoFault && report.target.is_none();
    if !report.next_probes.is_empty() && !all_is_well {
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
    story::costs(out, report, &specialists(report, style))?;
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
            format!("insufficient evidence: {}", doubt(report)),
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

/// Why there is no diagnosis. Without a metric nothing was compared with normal operation: what is said of a fault then is only that somebody asked.
fn doubt(report: &Report) -> String {
    match report.hypotheses.first() {
        None if report.target.is_none() => "nothing that was read speaks for a cause".to_owned(),
        Some(first) if report.target.is_none() => format!(
            "what was read does not tell the cause; the likeliest place, {}, has {:.2}",
            printable(&first.node),
            first.confidence
        ),
        _ => format!(
            "a fault has a probability of {:.0} %",
            report.fault_probability * 100.0
        ),
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
            sparkline(&observation.rows),
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
