//! Where open cases lie: a specialist takes its case from here by number and hands in its findings.
//!
//! Tasks carry the number, not the series: within one process nothing is copied.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Specialty;
use crate::evidence::{Case, Findings};

/// Cases that may be open at the same time.
pub(crate) const CASES_MAX: usize = 64;

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
    findings: [Option<Findings>; Specialty::ALL.len()],
}

/// A case on the desk; dropping it takes the case away.
#[derive(Debug)]
pub(crate) struct OpenCase {
    desk: Arc<Desk>,
    pub(crate) number: u64,
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
            findings: Default::default(),
        };
        drawers.open.insert(number, drawer);
        Some(OpenCase {
            desk: Arc::clone(self),
            number,
            case,
        })
    }

    pub(super) fn case(&self, number: u64) -> Option<Arc<Case>> {
        Some(Arc::clone(&self.lock().open.get(&number)?.case))
    }

    /// Keeps the findings. A case that has ended needs none.
    pub(super) fn hand_in(&self, number: u64, specialty: Specialty, findings: Findings) {
        if let Some(drawer) = self.lock().open.get_mut(&number) {
            drawer.findings[specialty.place()] = Some(findings);
        }
    }

    // Each section under the lock is one assignment, so what a panic left behind is whole.
    fn lock(&self) -> MutexGuard<'_, Drawers> {
        self.drawers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenCase {
    /// What a specialist handed in, if it did.
    pub(crate) fn take(&self, specialty: Specialty) -> Option<Findings> {
        let mut drawers = self.desk.lock();
        drawers.open.get_mut(&self.number)?.findings[specialty.place()].take()
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
        let number = open.number;
        desk.hand_in(number, Specialty::Errors, Findings::default());
        assert!(desk.case(number).is_some());
        assert!(open.take(Specialty::Errors).is_some());
        assert!(open.take(Specialty::Errors).is_none());
        drop(open);
        assert!(desk.case(number).is_none());
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
