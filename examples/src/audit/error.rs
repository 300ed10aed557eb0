//! Why a file could not be analysed, and whether it is worth another try.

use std::io;
use std::path::Path;

use super::path_text;

/// Why one job of the audit failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The system refused for now: a retry may succeed.
    #[error("cannot read {path} at the moment: {source}")]
    Temporary {
        /// The file, made printable.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be read, and a retry would not change that.
    #[error("cannot read {path}: {source}")]
    Permanent {
        /// The file, made printable.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Since the walk a directory, a symlink or a device took the file's place; it is not followed.
    #[error("{path} is no longer a regular file")]
    NotRegular {
        /// The file, made printable.
        path: String,
    },
    /// A job names a file that this tree does not have: it was made for another tree.
    #[error("the job names file {file}, the tree has {files}")]
    UnknownFile {
        /// The index in the job.
        file: usize,
        /// How many files there are.
        files: usize,
    },
    /// A job asks for the comparison of files but names one file only.
    #[error("duplicates are found among several files, not in one")]
    NotPerFile,
}

impl AuditError {
    /// Wraps what the system said about `path`, sorted into temporary and permanent.
    #[must_use]
    pub fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path_text(path);
        if is_temporary(&source) {
            Self::Temporary { path, source }
        } else {
            Self::Permanent { path, source }
        }
    }

    /// Whether the same job may succeed later: the orchestrator retries exactly these.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary { .. })
    }
}

/// Whether an error of the system can pass by itself.
///
/// A refused permission counts: a lock, an editor's atomic replace and a `chmod` under way all look like
/// it, and the few attempts of a real refusal cost little.
fn is_temporary(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::WouldBlock
            | Kind::Interrupted
            | Kind::ResourceBusy
            | Kind::ExecutableFileBusy
            | Kind::PermissionDenied
            | Kind::TimedOut
            | Kind::StaleNetworkFileHandle
            | Kind::OutOfMemory
    ) || error.raw_os_error().is_some_and(is_temporary_code)
}

/// `ENFILE` and `EMFILE`, for which the standard library has no kind.
#[cfg(unix)]
const fn is_temporary_code(code: i32) -> bool {
    matches!(code, 23 | 24)
}

/// Too many open files, sharing violation, lock violation.
#[cfg(windows)]
const fn is_temporary_code(code: i32) -> bool {
    matches!(code, 4 | 32 | 33)
}

#[cfg(not(any(unix, windows)))]
const fn is_temporary_code(_code: i32) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: io::Error, temporary: bool) {
        let text = source.to_string();
        let error = AuditError::from_io(Path::new("a/b"), source);
        assert_eq!(error.is_temporary(), temporary, "{text}");
        assert!(error.to_string().contains("a/b"), "{error}");
    }

    #[test]
    fn kinds_are_sorted() {
        for kind in [
            io::ErrorKind::WouldBlock,
            io::ErrorKind::Interrupted,
            io::ErrorKind::ResourceBusy,
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::TimedOut,
        ] {
            check(kind.into(), true);
        }
        for kind in [
            io::ErrorKind::NotFound,
            io::ErrorKind::InvalidData,
            io::ErrorKind::IsADirectory,
        ] {
            check(kind.into(), false);
        }
    }

    #[cfg(unix)]
    #[test]
    fn too_many_open_files_pass_and_a_broken_disk_does_not() {
        check(io::Error::from_raw_os_error(24), true);
        check(io::Error::from_raw_os_error(23), true);
        check(io::Error::from_raw_os_error(5), false);
    }
}
