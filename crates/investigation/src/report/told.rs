//! Facts, next reads and resources as text for a terminal.

use std::fmt::{Result, Write};

use super::Report;
use super::terminal::printable;
use crate::evidence::Fact;

/// Facts that are drawn; the weightiest come first.
const FACTS_SHOWN: usize = 8;
/// Things asked that are drawn.
const ASKED_SHOWN: usize = 12;

/// What was read in the request.
pub(super) fn asked(out: &mut String, report: &Report) -> Result {
    if report.asked.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nRead in the request:")?;
    for asked in report.asked.iter().take(ASKED_SHOWN) {
        let (what, value) = (printable(&asked.what), printable(&asked.value));
        writeln!(
            out,
            "  {what}: {value} ({:.0} % sure)",
            asked.confidence * 100.0
        )?;
    }
    more(out, report.asked.len(), ASKED_SHOWN)
}

/// The weightiest facts, each with where it was read.
pub(super) fn facts(out: &mut String, report: &Report) -> Result {
    if report.facts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nFacts (weight in nats: positive supports):")?;
    for fact in report.facts.iter().take(FACTS_SHOWN) {
        let Fact {
            node,
            category,
            weight,
            text,
            source,
            ..
        } = fact;
        writeln!(
            out,
            "  {weight:+.1} {} ({category}): {} [{} {}]",
            printable(node),
            printable(text),
            printable(&source.reader),
            printable(&source.location)
        )?;
    }
    more(out, report.facts_total, FACTS_SHOWN)
}

fn more(out: &mut String, count: usize, shown: usize) -> Result {
    match count.saturating_sub(shown) {
        0 => Ok(()),
        left => writeln!(out, "  and {left} more; --json has them"),
    }
}
