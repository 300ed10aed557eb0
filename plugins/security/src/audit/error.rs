//! What goes wrong with the audit log.

use std::io;
use std::path::PathBuf;

use crate::audit::Finding;

/// Why the audit log cannot be opened, written or verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The file system refuses.
    #[error("audit log: {what} {}: check that the folder is there, writable, and not full", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else writes there.
    #[error("audit log: {} is in use by another orchestrator: give each its own audit.directory", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// What is there does not hold together, so that nothing is added to it.
    #[error("audit log: {finding}; keep {} as evidence, and name another audit.directory", path.display())]
    Broken {
        /// The folder.
        path: PathBuf,
        /// What was found.
        finding: Finding,
    },
    /// The writer's thread cannot be started, or has ended.
    #[error("audit log: its writer does not run: {text}")]
    Writer {
        /// Why.
        text: String,
    },
}

impl AuditError {
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        Self::Io { what, path, source }
    }
}
