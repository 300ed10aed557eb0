//! The report as a post-mortem in Markdown.

use std::fmt::{Result, Write};

use super::words::{moment, observed, percent, steers};
use super::{Report, actions::actions};
use crate::hypothesis::{Outcome, Standing};
use crate::impact::TimelineEvent;
use crate::verdict::Verdict;

/// Writes a post-mortem. Names and texts are escaped, so that data cannot become Markdown or HTML.
#[must_use]
pub fn post_mortem(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> Result {
    let place = report.target.as_ref().map(|target| md(&target.node));
    let place = place.unwrap_or_else(|| "an incident without a metric target".to_owned());
    writeln!(out, "# Post-mortem: {place}\n")?;
    summary(out, report)?;
    impact(out, report)?;
    timeline(out, report)?;
    factors(out, report)?;
    evidence(out, report)?;
    hypotheses(out, report)?;
    unknown(out, report)?;
    writeln!(out, "## Actions\n")?;
    for action in actions(report) {
        writeln!(out, "- [ ] {}", md(&action))?;
    }
    writeln!(
        out,
        "\n---\nMade by `investigate` at {}, report version {}. No model was asked.",
        moment(report.run.ended_at_unix_ms as f64 / 1_000.0),
        report.report_version
    )
}

fn recovered(report: &Report) -> Option<f64> {
    let mut entries = report.timeline.iter();
    let end = entries.find(|entry| entry.event == TimelineEvent::Recovery)?;
    Some(end.at)
}

fn summary(out: &mut String, report: &Report) -> Result {
    writeln!(out, "## Summary\n")?;
    let fault = percent(report.fault_probability);
    match (report.verdict, report.root_cause.ranking.first()) {
        (Verdict::Diagnosed, Some(first)) => writeln!(
            out,
            "**Diagnosed**: {} is the likeliest cause, with a confidence of {:.3}.",
            md(&first.node),
            first.confidence
        )?,
        (Verdict::NoFault, _) => writeln!(
            out,
            "**No fault**: the target did what it does in normal operation; a fault has a probability of {fault}."
        )?,
        _ => writeln!(
            out,
            "**Inconclusive**: the evidence does not tell the cause; a fault has a probability of {fault}. This is not an all-clear."
        )?,
    }
    if let Some((target, symptom)) = report.target.as_ref().zip(report.symptom.as_ref()) {
        let amount = |value| super::words::amount(target.metric, value);
        writeln!(
            out,
            "The {} of {} went from {} to {}.",
            target.metric,
            md(&target.node),
            amount(symptom.before),
            amount(symptom.value)
        )?;
    }
    if report.verdict != Verdict::NoFault {
        match recovered(report) {
            Some(at) => writeln!(out, "The symptom was over at {}.", moment(at))?,
            None => writeln!(
                out,
                "Nothing that was recorded shows that the symptom is over."
            )?,
        }
    }
    let tried = &report.hypotheses;
    let count = |standing| tried.iter().filter(|h| h.standing == standing).count();
    writeln!(
        out,
        "Of {} hypotheses, {} survived attempts to disprove them, {} were disproven, {} could not be tried.\n",
        tried.len(),
        count(Standing::Survived),
        count(Standing::Disproven),
        count(Standing::Untested)
    )
}

fn impact(out: &mut String, report: &Report) -> Result {
    let severity = &report.severity;
    writeln!(
        out,
        "## Impact\n\n- Severity: {}; {}",
        severity.level,
        md(&severity.reason)
    )?;
    if let Some((hit, all)) = severity.requests_hit.zip(severity.requests) {
        writeln!(out, "- {hit:.0} of {all:.0} requests were hit")?;
    }
    if let Some(radius) = &report.blast_radius {
        writeln!(
            out,
            "- {} callers reached, {} of them affected",
            radius.callers_total, radius.callers_affected
        )?;
        if let Some(share) = radius.entry_requests_share {
            let entries: Vec<String> = radius.entries.iter().map(|node| md(node)).collect();
            writeln!(
                out,
                "- {} of the entry requests come in at {}",
                percent(share),
                entries.join(", ")
            )?;
        }
    }
    writeln!(out)
}

fn timeline(out: &mut String, report: &Report) -> Result {
    writeln!(out, "## Timeline\n")?;
    if report.timeline.is_empty() {
        return writeln!(out, "The data have no moment to tell.\n");
    }
    writeln!(out, "| when | what | where | |\n|---|---|---|---|")?;
    for entry in &report.timeline {
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            moment(entry.at),
            entry.event,
            md(&entry.node),
            md(&entry.text)
        )?;
    }
    writeln!(out)
}

fn factors(out: &mut String, report: &Report) -> Result {
    writeln!(out, "## Contributing factors\n")?;
    if report.verdict == Verdict::Diagnosed
        && let Some(first) = report
            .hypotheses
            .iter()
            .find(|hypothesis| hypothesis.standing != Standing::Disproven)
    {
        writeln!(out, "1. {} ({})", md(&first.text), first.standing)?;
    }
    for factor in &report.root_cause.contributing {
        writeln!(out, "1. {}", md(&factor.text))?;
    }
    if report.verdict != Verdict::Diagnosed && report.root_cause.contributing.is_empty() {
        writeln!(out, "None is known.")?;
    }
    writeln!(out)
}

fn evidence(out: &mut String, report: &Report) -> Result {
    writeln!(out, "## Evidence\n")?;
    if report.evidence.is_empty() && report.facts.is_empty() {
        return writeln!(out, "Nothing was read that could be judged.\n");
    }
    for observation in &report.evidence {
        let text = observed(observation);
        writeln!(out, "- {}: {text}", md(&observation.node))?;
    }
    for fact in &report.facts {
        writeln!(
            out,
            "- {}: {} ({:+.1} nats; {}, {})",
            md(&fact.node),
            md(&fact.text),
            fact.weight,
            md(&fact.source.reader),
            md(&fact.source.location)
        )?;
    }
    if report.facts_total > report.facts.len() {
        let left = report.facts_total - report.facts.len();
        writeln!(out, "- and {left} more facts")?;
    }
    writeln!(out)
}

fn hypotheses(out: &mut String, report: &Report) -> Result {
    writeln!(out, "## Hypotheses and attempts to disprove them\n")?;
    if report.hypotheses.is_empty() {
        return writeln!(out, "No hypothesis was made.\n");
    }
    for hypothesis in &report.hypotheses {
        writeln!(
            out,
            "### {} ({})\n\nConfidence {:.3}; {} supporting and {} contradicting facts.\n",
            md(&hypothesis.text),
            hypothesis.standing,
            hypothesis.confidence,
            hypothesis.supporting_facts.len(),
            hypothesis.contradicting_facts.len()
        )?;
        for attempt in &hypothesis.attempts {
            let outcome = match attempt.outcome {
                Outcome::Survived => "not disproven",
                Outcome::Disproven => "**disproven**",
                Outcome::Unknown => "could not be tried",
            };
            writeln!(
                out,
                "- {}: {outcome}; {}",
                attempt.test,
                md(&attempt.reason)
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn unknown(out: &mut String, report: &Report) -> Result {
    writeln!(out, "## What was unknown\n")?;
    let missing = report.specialists.iter().filter(|run| !run.completed);
    let mut nothing = true;
    for run in missing {
        nothing = false;
        let reason = run.reason.as_deref().unwrap_or("unknown reason");
        writeln!(
            out,
            "- What {} would have found: {}",
            md(&run.specialist),
            md(reason)
        )?;
    }
    for unknown in &report.unknown {
        nothing = false;
        writeln!(
            out,
            "- {} of {}: {}",
            md(&unknown.what),
            md(&unknown.node),
            md(&unknown.reason)
        )?;
    }
    if report.unknown_total > report.unknown.len() {
        let left = report.unknown_total - report.unknown.len();
        writeln!(out, "- and {left} more")?;
    }
    for note in &report.notes {
        nothing = false;
        writeln!(out, "- Note: {}", md(note))?;
    }
    if nothing {
        writeln!(
            out,
            "Everything that was looked at could be read and judged."
        )?;
    }
    writeln!(out)
}

/// A text on one line, with everything escaped that Markdown or HTML would take for a mark.
fn md(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => shown.push(' '),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '&' => shown.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '!' | '~' => {
                shown.push('\\');
                shown.push(character);
            }
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
    fn data_become_no_markup() {
        let check = |text: &str, expected: &str| assert_eq!(md(text), expected);
        check("a|b\nc", "a\\|b c");
        check("<script>", "&lt;script&gt;");
        check("[x](y) *z* `w`", "\\[x\\](y) \\*z\\* \\`w\\`");
        check("\u{1b}[2J", "\\u{1b}\\[2J");
    }
}
