//! Two reports side by side: what changed from one run to the other.

use std::collections::BTreeMap;
use std::fmt::{Result, Write};

use super::Report;
use super::words::{percent, printable, time};

/// Nodes that are compared: the first of each ranking.
const NODES_COMPARED: usize = 10;
/// Lines of each list.
const LINES_MAX: usize = 20;

/// What is different in the second report, as text; what is the same is said in a word.
#[must_use]
pub fn compare(before: &Report, after: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, before, after);
    text
}

fn write(out: &mut String, a: &Report, b: &Report) -> Result {
    let place = |report: &Report| {
        let target = report.target.as_ref();
        target.map_or("no metric target".to_owned(), |target| {
            format!("{} {}", printable(&target.node), target.metric)
        })
    };
    changed(out, "target", &place(a), &place(b))?;
    changed(out, "verdict", &verdict(a), &verdict(b))?;
    let fault = |report: &Report| percent(report.fault_probability);
    changed(out, "probability of a fault", &fault(a), &fault(b))?;
    let severity = |report: &Report| report.severity.level.to_string();
    changed(out, "severity", &severity(a), &severity(b))?;
    ranking(out, a, b)?;
    let standing = |report: &Report| {
        let hypotheses = report.hypotheses.iter();
        hypotheses
            .map(|h| ((h.node.clone(), h.category), h.standing.to_string()))
            .collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (standing(a), standing(b));
    for (key, then) in &after {
        let was = before.get(key).map_or("not made", String::as_str);
        if was != then {
            let (node, category) = key;
            let what = format!("hypothesis {category} at {}", printable(node));
            changed(out, &what, was, then)?;
        }
    }
    facts(out, "only before", a, b)?;
    facts(out, "only after", b, a)?;
    changed(
        out,
        "calls",
        &a.costs.total.calls.to_string(),
        &b.costs.total.calls.to_string(),
    )?;
    let elapsed = |report: &Report| time(report.run.elapsed_us);
    changed(out, "time", &elapsed(a), &elapsed(b))
}

fn verdict(report: &Report) -> String {
    let word = serde_json::to_value(report.verdict);
    word.ok()
        .and_then(|word| word.as_str().map(|word| word.replace('_', " ")))
        .unwrap_or_default()
}

fn changed(out: &mut String, what: &str, before: &str, after: &str) -> Result {
    if before == after {
        writeln!(out, "{what}: {after}, the same")
    } else {
        writeln!(out, "{what}: {before} -> {after}")
    }
}

fn ranking(out: &mut String, a: &Report, b: &Report) -> Result {
    let places = |report: &Report| -> BTreeMap<String, (usize, f64)> {
        let ranked = report.root_cause.ranking.iter().take(NODES_COMPARED);
        ranked
            .enumerate()
            .map(|(place, node)| (node.node.clone(), (place + 1, node.confidence)))
            .collect()
    };
    let (before, after) = (places(a), places(b));
    let mut nodes: Vec<&String> = before.keys().chain(after.keys()).collect();
    nodes.sort_by_key(|node| {
        (
            after.get(*node).map_or(usize::MAX, |(place, _)| *place),
            *node,
        )
    });
    nodes.dedup();
    let shown = |place: Option<&(usize, f64)>| match place {
        Some((place, confidence)) => format!("place {place}, {confidence:.3}"),
        None => "not ranked".to_owned(),
    };
    for node in nodes {
        let (was, is) = (shown(before.get(node)), shown(after.get(node)));
        changed(out, &printable(node), &was, &is)?;
    }
    Ok(())
}

/// The facts of one report that the other does not have.
fn facts(out: &mut String, when: &str, of: &Report, other: &Report) -> Result {
    let own = of.facts.iter().filter(|fact| {
        let mut all = other.facts.iter();
        !all.any(|also| also.node == fact.node && also.text == fact.text)
    });
    for fact in own.take(LINES_MAX) {
        writeln!(
            out,
            "{when}: {}: {}",
            printable(&fact.node),
            printable(&fact.text)
        )?;
    }
    Ok(())
}
