//! The orchestrator's own count of the work, to hold against the report's.

use std::fmt;

use indicatif::HumanCount;
use serde::Serialize;
use universal_orchestrator::Status;

use super::Report;

/// What the orchestrator says about the tasks that it was given, once all of them are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Taken through any door.
    pub accepted: u64,
    /// Not over yet.
    pub active: u64,
    /// Ended with a result.
    pub succeeded: u64,
    /// Ended with an agent's error.
    pub failed: u64,
    /// Ended by a time limit.
    pub timed_out: u64,
    /// Ended by an interrupt.
    pub cancelled: u64,
    /// Ended by a plugin's veto.
    pub rejected: u64,
    /// Attempts that were followed by another.
    pub retries: u64,
}

/// Two counts that should be the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: the orchestrator says {books}, the report {report}")]
pub struct Mismatch {
    /// What was counted.
    pub what: &'static str,
    /// The orchestrator's count.
    pub books: u64,
    /// The report's count.
    pub report: u64,
}

impl Books {
    /// Copies the counts out of a status document.
    #[must_use]
    pub const fn of(status: &Status) -> Self {
        let tasks = &status.tasks;
        Self {
            accepted: tasks.accepted,
            active: tasks.active,
            succeeded: tasks.succeeded,
            failed: tasks.failed,
            timed_out: tasks.timed_out,
            cancelled: tasks.cancelled,
            rejected: tasks.rejected,
            retries: tasks.retries,
        }
    }

    /// Tasks that are over, however they ended.
    #[must_use]
    pub const fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.timed_out + self.cancelled + self.rejected
    }

    /// Compares with a report that was gathered from the outcomes, of which `cancelled` were left out.
    ///
    /// # Errors
    ///
    /// The first count that differs.
    pub fn check(&self, report: &Report, cancelled: u64) -> Result<(), Mismatch> {
        let same = |what, books, report| {
            if books == report {
                Ok(())
            } else {
                Err(Mismatch {
                    what,
                    books,
                    report,
                })
            }
        };
        same("tasks accepted", self.accepted, report.tasks + cancelled)?;
        same("tasks ended", self.ended(), report.tasks + cancelled)?;
        same("tasks still active", self.active, 0)?;
        same(
            "tasks succeeded",
            self.succeeded,
            report.tasks.saturating_sub(report.errors),
        )?;
        same("tasks cancelled", self.cancelled, cancelled)?;
        // The attempts of a cancelled task are not in the report.
        if cancelled == 0 {
            same("retries", self.retries, report.retries)?;
        }
        Ok(())
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tasks accepted = {} succeeded + {} failed + {} timed out + {} cancelled + {} rejected",
            HumanCount(self.accepted),
            HumanCount(self.succeeded),
            HumanCount(self.failed),
            HumanCount(self.timed_out),
            HumanCount(self.cancelled),
            HumanCount(self.rejected),
        )?;
        if self.active > 0 {
            write!(f, " + {} active", HumanCount(self.active))?;
        }
        write!(f, "; {} retries", HumanCount(self.retries))
    }
}
