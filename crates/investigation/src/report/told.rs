//! What a request asks, as text for a terminal.

use std::fmt::{Result, Write};

use super::Report;
use super::words::printable;

/// Resources that are drawn.
const RESOURCES_SHOWN: usize = 12;
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

/// The resources with who looks at each.
pub(super) fn resources(out: &mut String, report: &Report) -> Result {
    if report.resources.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nResources:")?;
    for resource in report.resources.iter().take(RESOURCES_SHOWN) {
        write!(out, "  {} ({}", printable(&resource.node), resource.kind)?;
        if !resource.known_type {
            write!(
                out,
                ": nobody knows the type {}",
                printable(&resource.type_name)
            )?;
        }
        for (what, value) in [
            ("stage", &resource.stage),
            ("region", &resource.region),
            ("account", &resource.account),
        ] {
            if let Some(value) = value {
                write!(out, ", {what} {}", printable(value))?;
            }
        }
        writeln!(out, ")")?;
    }
    more(out, report.resources_total, RESOURCES_SHOWN)
}

fn more(out: &mut String, count: usize, shown: usize) -> Result {
    match count.saturating_sub(shown) {
        0 => Ok(()),
        left => writeln!(out, "  and {left} more; --json has them"),
    }
}
