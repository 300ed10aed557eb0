//! What is checked, and what was found.

use std::fmt;

use universal_orchestrator::plugin::{HookPoint, Stage};

/// What a plugin must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Check {
    /// The name is lower-case words joined by `_`, and the summary one line that says something.
    Manifest,
    /// It is linked into the program, once. Only for [`Suite::linked`](super::Suite::linked).
    Linked,
    /// It is built from an empty section: whoever links it need not configure it.
    Defaults,
    /// It is built from the example of its manifest.
    Example,
    /// A key that it does not know is refused, by name.
    UnknownKey,
    /// It starts within the target of a whole orchestrator, without error or panic.
    Start,
    /// No hook panics.
    HookPanic,
    /// No hook answers `Fault`.
    HookFault,
    /// Every hook answers within the time limit.
    HookTime,
    /// A veto has a code that programs can rely on (lower-case words joined by `_`) and a text for people.
    Veto,
    /// `health` does not panic, and says why when it is not healthy.
    Health,
    /// `reconfigure` takes the section that the plugin was built from, refuses an unknown key, and does not panic; or says that it cannot.
    Reconfigure,
    /// Two of it in one process do the same and know nothing of each other.
    Isolation,
    /// What it makes the orchestrator do comes to an end.
    WorkEnds,
    /// It stops within the time limit, without panic.
    Stop,
    /// No task of its own runs on after it was stopped.
    TasksLeft,
}

impl Check {
    /// All checks.
    pub const ALL: [Self; 16] = [
        Self::Manifest,
        Self::Linked,
        Self::Defaults,
        Self::Example,
        Self::UnknownKey,
        Self::Start,
        Self::HookPanic,
        Self::HookFault,
        Self::HookTime,
        Self::Veto,
        Self::Health,
        Self::Reconfigure,
        Self::Isolation,
        Self::WorkEnds,
        Self::Stop,
        Self::TasksLeft,
    ];
}

/// Something that a plugin does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// What it should keep.
    pub check: Check,
    /// What it did.
    pub text: String,
}

impl Violation {
    pub(super) fn new(check: Check, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { check, text }
    }
}

/// What the suite found.
#[derive(Debug, Clone)]
#[must_use = "call assert_conforms"]
pub struct Report {
    pub(super) plugin: &'static str,
    pub(super) violations: Vec<Violation>,
    pub(super) not_called: Vec<(Stage, HookPoint)>,
}

impl Report {
    /// What it does not keep, each once.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The checks that it fails, each once, in their order.
    #[must_use]
    pub fn failed(&self) -> Vec<Check> {
        let mut failed: Vec<Check> = self.violations.iter().map(|one| one.check).collect();
        failed.sort_unstable();
        failed.dedup();
        failed
    }

    /// Declared hooks that the suite did not reach, because something refused before.
    #[must_use]
    pub fn not_called(&self) -> &[(Stage, HookPoint)] {
        &self.not_called
    }

    /// Fails the test when there is a violation.
    ///
    /// # Panics
    /// When there is a violation, with all of them.
    #[track_caller]
    pub fn assert_conforms(&self) {
        assert!(self.violations.is_empty(), "{self}");
    }

    pub(super) fn add(&mut self, violation: Violation) {
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.violations.is_empty() {
            return write!(f, "plugin {:?} conforms", self.plugin);
        }
        write!(f, "plugin {:?} does not conform:", self.plugin)?;
        for Violation { check, text } in &self.violations {
            write!(f, "\n  {check:?}: {text}")?;
        }
        Ok(())
    }
}
