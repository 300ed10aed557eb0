//! Where open cases lie: a specialist takes its assignment from here and hands in its findings.
//!
//! Tasks carry two numbers, not the series: within one process nothing is copied.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::evidence::{Case, Findings};

/// Cases that may be open at the same time.
pub(crate) const CASES_MAX: usize = 64;

/// What a task carries: which assignment of which case it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignmentId {
    pub(crate) case: u64,
    pub(crate) assignment: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Desk {
    drawers: Mutex<Drawers>,
}

#[derive(Debug, Default)]
struct Drawers {
    next: u64,
    open: HashMap<u64, Drawer>,
}

#[derive(Debug)]
struct Drawer {
    case: Arc<Case>,
    assignments: Vec<Assigned>,
}

#[derive(Debug)]
struct Assigned {
    nodes: Arc<[usize]>,
    findings: Option<Findings>,
}

/// A case on the desk; dropping it takes the case away.
#[derive(Debug)]
pub(crate) struct OpenCase {
    desk: Arc<Desk>,
    number: u64,
    pub(crate) case: Arc<Case>,
}

impl Desk {
    /// Puts a case on the desk, or `None` when [`CASES_MAX`] lie there.
    pub(crate) fn open(self: &Arc<Self>, case: Case) -> Option<OpenCase> {
        let mut drawers = self.lock();
        if drawers.open.len() >= CASES_MAX {
            return None;
        }
        let number = drawers.next;
        drawers.next += 1;
        let case = Arc::new(case);
        let drawer = Drawer {
            case: Arc::clone(&case),
            assignments: Vec::new(),
        };
        drawers.open.insert(number, drawer);
        Some(OpenCase {
            desk: Arc::clone(self),
            number,
            case,
        })
    }

    /// The case and the nodes of an assignment, as long as the case is open.
    pub(super) fn assignment(&self, id: AssignmentId) -> Option<(Arc<Case>, Arc<[usize]>)> {
        let drawers = self.lock();
        let drawer = drawers.open.get(&id.case)?;
        let nodes = &drawer.assignments.get(id.assignment)?.nodes;
        Some((Arc::clone(&drawer.case), Arc::clone(nodes)))
    }

    /// Keeps the findings. A case that has ended needs none.
    pub(super) fn hand_in(&self, id: AssignmentId, findings: Findings) {
        let mut drawers = self.lock();
        let drawer = drawers.open.get_mut(&id.case);
        if let Some(assigned) = drawer.and_then(|drawer| drawer.assignments.get_mut(id.assignment))
        {
            assigned.findings = Some(findings);
        }
    }

    // Each section under the lock is one assignment, so what a panic left behind is whole.
    fn lock(&self) -> MutexGuard<'_, Drawers> {
        self.drawers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenCase {
    /// Adds an assignment about some nodes.
    pub(crate) fn assign(&self, nodes: Vec<usize>) -> AssignmentId {
        let mut drawers = self.desk.lock();
        let assignment = drawers.open.get_mut(&self.number).map_or(0, |drawer| {
            drawer.assignments.push(Assigned {
                nodes: nodes.into(),
                findings: None,
            });
            drawer.assignments.len() - 1
        });
        AssignmentId {
            case: self.number,
            assignment,
        }
    }

    /// What a specialist handed in, if it did.
    pub(crate) fn take(&self, id: AssignmentId) -> Option<Findings> {
        let mut drawers = self.desk.lock();
        let drawer = drawers.open.get_mut(&id.case)?;
        drawer.assignments.get_mut(id.assignment)?.findings.take()
    }
}

impl Drop for OpenCase {
    fn drop(&mut self) {
        self.desk.lock().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::calm_incident;

    #[test]
    fn a_case_leaves_the_desk_when_it_is_dropped() {
        let desk = Arc::new(Desk::default());
        let open = desk.open(Case::of(calm_incident())).unwrap();
        let id = open.assign(vec![1]);
        desk.hand_in(id, Findings::default());
        assert_eq!(*desk.assignment(id).unwrap().1, [1]);
        assert!(open.take(id).is_some());
        assert!(open.take(id).is_none());
        drop(open);
        assert!(desk.assignment(id).is_none());
    }

    #[test]
    fn the_desk_is_bounded() {
        let desk = Arc::new(Desk::default());
        let open: Vec<OpenCase> = (0..CASES_MAX)
            .map(|_| desk.open(Case::of(calm_incident())).unwrap())
            .collect();
        assert!(desk.open(Case::of(calm_incident())).is_none());
        drop(open);
        assert!(desk.open(Case::of(calm_incident())).is_some());
    }
}
