//! The parts of the report that are told in lines.

use std::fmt::{Result, Write};

use comfy_table::Table;

use super::{LINES_SHOWN, more};
use crate::hypothesis::{Hypothesis, Outcome};
use crate::impact::SeverityLevel;
use crate::report::words::{moment, percent, printable, rows_of, sparkline};
use crate::report::{Explanation, Report};
use crate::verdict::Verdict;

/// Hypotheses that are drawn.
const HYPOTHESES_SHOWN: usize = 3;
/// Moments of the timeline that are drawn.
const MOMENTS_SHOWN: usize = 12;

pub(super) fn impact(out: &mut String, report: &Report) -> Result {
    let severity = &report.severity;
    if severity.level > SeverityLevel::None {
        write!(out, "Severity: {}; {}", severity.level, severity.reason)?;
        if let Some((hit, share)) = severity.requests_hit.zip(severity.share_hit) {
            write!(out, "; {hit:.0} requests hit, {}", percent(share))?;
        }
        writeln!(out)?;
    }
    let Some(radius) = &report.blast_radius else {
        return Ok(());
    };
    write!(
        out,
        "Reaches {} callers, {} affected",
        radius.callers_total, radius.callers_affected
    )?;
    match radius.entry_requests_share {
        Some(share) => writeln!(out, "; {} of the entry requests", percent(share)),
        None => writeln!(out),
    }
}

pub(super) fn facts(out: &mut String, report: &Report) -> Result {
    if report.facts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nFacts:")?;
    for fact in report.facts.iter().take(LINES_SHOWN) {
        write!(
            out,
            "  {}: {}",
            printable(&fact.node),
            printable(&fact.text)
        )?;
        if let Some(rows) = rows_of(&fact.kind) {
            write!(out, "  {}", sparkline(rows))?;
        }
        writeln!(
            out,
            "  ({}, {})",
            printable(&fact.source.reader),
            printable(&fact.source.location)
        )?;
    }
    more(out, report.facts_total)
}

pub(super) fn hypotheses(out: &mut String, report: &Report) -> Result {
    // Where nothing is wrong, a guess that rests on nothing is not worth a line.
    let rests_on_something = |hypothesis: &&Hypothesis| {
        report.verdict != Verdict::NoFault
            || !hypothesis.supporting_facts.is_empty()
            || !hypothesis.observations.is_empty()
    };
    let mut shown = report
        .hypotheses
        .iter()
        .filter(rests_on_something)
        .take(HYPOTHESES_SHOWN)
        .peekable();
    if shown.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "\nHypotheses:")?;
    for hypothesis in shown {
        writeln!(
            out,
            "  {} ({:.3}, {})",
            printable(&hypothesis.text),
            hypothesis.confidence,
            hypothesis.standing
        )?;
        let tried = hypothesis.attempts.iter();
        for attempt in tried.filter(|attempt| attempt.outcome != Outcome::Unknown) {
            writeln!(
                out,
                "    {} {}: {}",
                attempt.test,
                attempt.outcome,
                printable(&attempt.reason)
            )?;
        }
    }
    Ok(())
}

pub(super) fn contributing(out: &mut String, report: &Report) -> Result {
    let factors = &report.root_cause.contributing;
    if factors.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nContributing:")?;
    for factor in factors.iter().take(LINES_SHOWN) {
        writeln!(out, "  {}", printable(&factor.text))?;
    }
    more(out, factors.len())
}

pub(super) fn timeline(out: &mut String, report: &Report) -> Result {
    if report.timeline.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nTimeline:")?;
    for entry in report.timeline.iter().take(MOMENTS_SHOWN) {
        writeln!(
            out,
            "  {}  {:13}  {}: {}",
            moment(entry.at),
            entry.event.to_string(),
            printable(&entry.node),
            printable(&entry.text)
        )?;
    }
    match report.timeline.len().checked_sub(MOMENTS_SHOWN) {
        Some(left) if left > 0 => writeln!(out, "  and {left} more; --json has them"),
        _ => Ok(()),
    }
}

pub(super) fn costs(out: &mut String, report: &Report, table: &Table) -> Result {
    writeln!(out, "\n{table}")?;
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
    Ok(())
}

/// Why a node has its confidence: input by input, fact by fact, attempt by attempt.
pub(super) fn explanation(out: &mut String, report: &Report, why: &Explanation) -> Result {
    writeln!(
        out,
        "\nWhy {} has a confidence of {:.4} (place {} of {}):",
        printable(&why.node),
        why.confidence,
        why.rank,
        report.data.nodes
    )?;
    writeln!(out, "  before facts: {:.4}", why.prior)?;
    for input in &why.inputs {
        writeln!(
            out,
            "  {:28} {:6.3} x {:6.2} = {:+.3}",
            input.name, input.value, input.weight, input.product
        )?;
    }
    writeln!(out, "  facts: {:+.3} nats", why.weight)?;
    for fact in &why.facts {
        writeln!(out, "  {:+.2}  {}", fact.weight, printable(&fact.text))?;
    }
    for hypothesis in &why.hypotheses {
        writeln!(
            out,
            "  {}: {}",
            printable(&hypothesis.text),
            hypothesis.standing
        )?;
        for attempt in &hypothesis.attempts {
            writeln!(
                out,
                "    {} {}: {}",
                attempt.test,
                attempt.outcome,
                printable(&attempt.reason)
            )?;
        }
    }
    Ok(())
}
