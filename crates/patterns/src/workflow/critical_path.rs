//! The steps that decide how long a workflow takes.

use std::time::Duration;

use serde::Serialize;

use crate::workflow::compiled::Compiled;

/// The chain of steps, each of which depends on the one before, that takes longest.
///
/// Source: J. E. Kelley and M. R. Walker, "Critical-path planning and scheduling", 1959.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct CriticalPath {
    /// The steps, the first to run first.
    pub steps: Vec<String>,
    /// How long they take together.
    pub duration: Duration,
}

/// The critical path over steps that take so long; those that take no time at all are on it only between others.
pub(super) fn critical_path(
    workflow: &Compiled,
    takes: impl Fn(usize) -> Option<Duration>,
) -> CriticalPath {
    let count = workflow.steps.len();
    let mut until = vec![Duration::ZERO; count];
    let mut before: Vec<Option<usize>> = vec![None; count];
    let mut last: Option<usize> = None;
    for step in workflow.order.iter().copied() {
        let Some(own) = takes(step) else { continue };
        let needs = workflow.steps[step].needs.iter().copied();
        // Of equals, the first declared.
        let longest =
            needs
                .filter(|need| takes(*need).is_some())
                .fold(None, |best: Option<usize>, need| match best {
                    Some(best) if until[best] >= until[need] => Some(best),
                    _ => Some(need),
                });
        until[step] = own.saturating_add(longest.map_or(Duration::ZERO, |need| until[need]));
        before[step] = longest;
        if last.is_none_or(|last| until[last] < until[step]) {
            last = Some(step);
        }
    }
    let duration = last.map_or(Duration::ZERO, |last| until[last]);
    let mut steps = Vec::new();
    let mut at = last;
    while let Some(step) = at {
        steps.push(workflow.steps[step].name.clone());
        at = before[step];
    }
    steps.reverse();
    CriticalPath { steps, duration }
}
