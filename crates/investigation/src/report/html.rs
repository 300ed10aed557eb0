//! The report as one HTML page that needs nothing else: styles and plots are in it, and no script.

use std::fmt::{Result, Write};

use super::Report;
use super::words::{moment, observed, percent, rows_of, steers};
use crate::evidence::Observation;
use crate::verdict::Verdict;

/// Writes a page. Every name and text is escaped.
#[must_use]
pub fn html(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, report);
    text
}

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #d8dee4;vertical-align:top}\
.n{text-align:right;font-variant-numeric:tabular-nums}.bar{fill:#c0392b}.line{fill:none;stroke:#1f6feb;stroke-width:1.5}\
.zero{stroke:#8b949e;stroke-dasharray:3 3}.telling{fill:#f5b7b1;opacity:.5}figure{margin:1rem 0}figcaption{color:#57606a}\
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}td,th{border-color:#30363d}}";

fn write(out: &mut String, report: &Report) -> Result {
    let title = report
        .target
        .as_ref()
        .map_or("incident", |target| &target.node);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>Investigation: {}</title><style>{STYLE}</style></head><body>",
        esc(title)
    )?;
    headline(out, report)?;
    ranking(out, report)?;
    plots(out, report)?;
    hypotheses(out, report)?;
    timeline(out, report)?;
    facts(out, report)?;
    lists(out, report)?;
    writeln!(out, "</body></html>")
}

fn headline(out: &mut String, report: &Report) -> Result {
    let words = match (report.verdict, report.root_cause.ranking.first()) {
        (Verdict::Diagnosed, Some(first)) => {
            format!(
                "Diagnosed: {}, confidence {:.3}",
                esc(&first.node),
                first.confidence
            )
        }
        (Verdict::NoFault, _) => "No fault".to_owned(),
        _ => "Insufficient evidence".to_owned(),
    };
    writeln!(out, "<h1>{words}</h1>")?;
    writeln!(
        out,
        "<p>Probability of a fault {}. Severity {}: {}.</p>",
        percent(report.fault_probability),
        report.severity.level,
        esc(&report.severity.reason)
    )
}

fn ranking(out: &mut String, report: &Report) -> Result {
    if report.root_cause.ranking.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Ranking</h2><table><tr><th>node</th><th>confidence</th><th></th><th>calls away</th></tr>"
    )?;
    for node in report.root_cause.ranking.iter().take(10) {
        let width = (node.confidence * 200.0).clamp(0.0, 200.0);
        let distance = node
            .distance
            .map_or("–".to_owned(), |calls| calls.to_string());
        writeln!(
            out,
            "<tr><td>{}</td><td class=\"n\">{:.3}</td><td><svg width=\"200\" height=\"12\" role=\"img\" aria-label=\"{:.3}\"><rect class=\"bar\" width=\"{width:.1}\" height=\"12\"/></svg></td><td class=\"n\">{distance}</td></tr>",
            esc(&node.node),
            node.confidence,
            node.confidence
        )?;
    }
    writeln!(out, "</table>")
}

fn plots(out: &mut String, report: &Report) -> Result {
    if report.evidence.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Telling series</h2><p>What came on top of the usual in each interval.</p>"
    )?;
    for observation in &report.evidence {
        let Observation { node, rows, .. } = observation;
        plot(
            out,
            &format!("{}: {}", esc(node), esc(&observed(observation))),
            rows,
        )?;
    }
    for fact in &report.facts {
        if let Some(rows) = rows_of(&fact.kind) {
            plot(
                out,
                &format!("{}: {}", esc(&fact.node), esc(&fact.text)),
                rows,
            )?;
        }
    }
    Ok(())
}

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 90.0;

/// One series as a line; gaps interrupt it. `caption` is escaped already.
fn plot(out: &mut String, caption: &str, rows: &[Option<f64>]) -> Result {
    let present = || rows.iter().flatten().copied();
    let least = present().fold(0.0, f64::min);
    let most = present().fold(0.0, f64::max);
    let range = if most > least { most - least } else { 1.0 };
    let y = |value: f64| HEIGHT - 5.0 - (value - least) / range * (HEIGHT - 10.0);
    let step = WIDTH / (rows.len().max(2) - 1) as f64;
    write!(
        out,
        "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"100%\" role=\"img\" aria-label=\"{caption}\"><line class=\"zero\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{0:.1}\" y2=\"{0:.1}\"/>",
        y(0.0)
    )?;
    for run in rows_without_gaps(rows) {
        let points: Vec<String> = run
            .iter()
            .map(|(row, value)| format!("{:.1},{:.1}", *row as f64 * step, y(*value)))
            .collect();
        write!(
            out,
            "<polyline class=\"line\" points=\"{}\"/>",
            points.join(" ")
        )?;
    }
    writeln!(out, "</svg><figcaption>{caption}</figcaption></figure>")
}

fn rows_without_gaps(rows: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
    let mut runs: Vec<Vec<(usize, f64)>> = Vec::new();
    let mut gap = true;
    for (row, value) in rows.iter().enumerate() {
        match value.filter(|value| value.is_finite()) {
            None => gap = true,
            Some(value) => {
                if gap {
                    runs.push(Vec::new());
                    gap = false;
                }
                if let Some(run) = runs.last_mut() {
                    run.push((row, value));
                }
            }
        }
    }
    runs
}

fn hypotheses(out: &mut String, report: &Report) -> Result {
    if report.hypotheses.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>Hypotheses</h2>")?;
    for hypothesis in &report.hypotheses {
        writeln!(
            out,
            "<details><summary>{} ({:.3}, {})</summary><table>",
            esc(&hypothesis.text),
            hypothesis.confidence,
            hypothesis.standing
        )?;
        for attempt in &hypothesis.attempts {
            writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                attempt.test,
                attempt.outcome,
                esc(&attempt.reason)
            )?;
        }
        writeln!(out, "</table></details>")?;
    }
    Ok(())
}

fn timeline(out: &mut String, report: &Report) -> Result {
    if report.timeline.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>Timeline</h2><table>")?;
    for entry in &report.timeline {
        writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            moment(entry.at),
            entry.event,
            esc(&entry.node),
            esc(&entry.text)
        )?;
    }
    writeln!(out, "</table>")
}

fn facts(out: &mut String, report: &Report) -> Result {
    if report.facts.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Facts</h2><table><tr><th>node</th><th>what</th><th>nats</th><th>read at</th></tr>"
    )?;
    for fact in &report.facts {
        writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{:+.1}</td><td>{}, {}</td></tr>",
            esc(&fact.node),
            esc(&fact.text),
            fact.weight,
            esc(&fact.source.reader),
            esc(&fact.source.location)
        )?;
    }
    writeln!(out, "</table>")
}

fn lists(out: &mut String, report: &Report) -> Result {
    let mut list = |title: &str, lines: Vec<String>| -> Result {
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(out, "<h2>{title}</h2><ul>")?;
        for line in lines {
            writeln!(out, "<li>{}</li>", esc(&line))?;
        }
        writeln!(out, "</ul>")
    };
    let probes = report.next_probes.iter();
    let probes = probes.map(|probe| format!("{}: {}", probe.node, probe.action));
    list("Look next at", probes.collect())?;
    let unknown = report.unknown.iter();
    let unknown = unknown.map(|u| format!("{} of {}: {}", u.what, u.node, u.reason));
    list("Not known", unknown.collect())?;
    let missing = report.specialists.iter().filter(|run| !run.completed);
    let missing = missing.map(|run| {
        let reason = run.reason.as_deref().unwrap_or("unknown reason");
        format!("{}: {reason}", run.specialist)
    });
    list("Missing specialists", missing.collect())?;
    list("Notes", report.notes.clone())
}

/// A text with everything escaped that HTML takes for a mark, in content and in attributes.
fn esc(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '&' => shown.push_str("&amp;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            _ if steers(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_no_markup() {
        assert_eq!(
            esc("<img src=x onerror=\"a('b')\">&\u{202e}"),
            "&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;\\u{202e}"
        );
    }

    #[test]
    fn gaps_interrupt_a_line() {
        let runs = rows_without_gaps(&[Some(1.0), None, Some(2.0), Some(f64::NAN), Some(3.0)]);
        assert_eq!(runs, [vec![(0, 1.0)], vec![(2, 2.0)], vec![(4, 3.0)]]);
    }
}
