//! An order in which each step comes after those that it depends on; cycles otherwise.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::workflow::check::places;
use crate::workflow::problem::{ProblemKind, Problems};
use crate::workflow::spec::WorkflowSpec;

/// So many steps of a cycle are shown.
const SHOWN: usize = 12;

/// The steps in an order that respects what they need; steps within a cycle are left out and reported.
///
/// Source: A. B. Kahn, "Topological sorting of large networks", 1962; of the steps that are ready, the first declared comes first.
pub(super) fn order(
    spec: &WorkflowSpec,
    needs: &[Vec<usize>],
    problems: &mut Problems,
) -> Vec<usize> {
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (step, needs) in needs.iter().enumerate() {
        for need in needs {
            dependents[*need].push(step);
        }
    }
    let ready = open.iter().enumerate().filter(|(_, open)| **open == 0);
    let mut ready: BinaryHeap<_> = ready.map(|(step, _)| Reverse(step)).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(step)) = ready.pop() {
        order.push(step);
        for dependent in &dependents[step] {
            open[*dependent] -= 1;
            if open[*dependent] == 0 {
                ready.push(Reverse(*dependent));
            }
        }
    }
    if order.len() < needs.len() {
        report(spec, needs, &open, problems);
    }
    order
}

/// Reports each cycle among the steps that are left; what only comes after one is not reported.
fn report(spec: &WorkflowSpec, needs: &[Vec<usize>], open: &[usize], problems: &mut Problems) {
    let mut seen = vec![false; needs.len()];
    let all: Vec<_> = places(spec).collect();
    for start in (0..needs.len()).filter(|step| open[*step] > 0) {
        let mut path = Vec::new();
        let mut place = HashMap::new();
        let mut step = start;
        // Each step that is left needs another that is left, so that a walk ends in a cycle.
        while !seen[step] {
            seen[step] = true;
            place.insert(step, path.len());
            path.push(step);
            match needs[step].iter().find(|need| open[**need] > 0) {
                Some(need) => step = *need,
                None => break,
            }
        }
        let Some(begin) = place.get(&step).copied() else {
            continue;
        };
        let name = |step: &usize| spec.steps[*step].name.clone();
        let mut cycle: Vec<String> = path[begin..].iter().map(name).collect();
        cycle.push(name(&step));
        let shown = match cycle.len() > SHOWN {
            true => format!(
                "{} -> … -> {} ({} steps)",
                cycle[..SHOWN - 1].join(" -> "),
                cycle[cycle.len() - 1],
                cycle.len() - 1
            ),
            false => cycle.join(" -> "),
        };
        let message = format!("a cycle: {shown}, where -> is \"needs\"");
        let kind = ProblemKind::Cycle { path: cycle };
        let remedy = "take out one of these dependencies, or write a loop with until";
        problems.add(all[step].problem("", kind, message, remedy));
    }
}
