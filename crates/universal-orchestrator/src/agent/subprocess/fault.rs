//! What a program did wrong.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// Why an attempt ended without a result and without an error of the program's own. It is the source of the agent's error.
#[derive(Debug, thiserror::Error)]
pub(super) enum SubprocessFault {
    #[error("request is not JSON")]
    Request(#[source] serde_json::Error),
    #[error("it was not found: install it, or name it by its full path")]
    NotFound(#[source] io::Error),
    #[error("its directory `{}` does not exist: create it or choose another", .0.display())]
    NoDirectory(PathBuf),
    #[error("the machine has no room to start it: run fewer at once, or raise the limits")]
    Exhausted(#[source] io::Error),
    #[error("it could not be started")]
    NotStarted(#[source] io::Error),
    #[error("its {what} could not be observed")]
    Unobservable {
        what: &'static str,
        source: io::Error,
    },
    #[error(
        "it printed a line of more than {max} bytes: print a reference to the data instead, or raise line_bytes_max"
    )]
    LineTooLong { max: usize },
    #[error(
        "it printed `{quote}`, which is not a line of the protocol: print what is meant for people to stderr"
    )]
    ForeignLine {
        quote: String,
        source: serde_json::Error,
    },
    #[error("it ended without a result: print {{\"result\": …}} as one line to stdout{}", quoted(.stderr))]
    Silent { stderr: String },
    #[error("it ended with {status} and without a result{}", quoted(.stderr))]
    Exit { status: ExitStatus, stderr: String },
    #[error("it closed stdout without a result, went on for {waited:?} and was killed{}", quoted(.stderr))]
    WentOn { waited: Duration, stderr: String },
    #[error("the task was cancelled or timed out before it had a result")]
    Cancelled,
}

fn quoted(stderr: &str) -> String {
    if stderr.is_empty() {
        return String::new();
    }
    format!("; the end of its stderr: {stderr}")
}

impl SubprocessFault {
    pub(super) fn of_spawn(error: io::Error, directory: Option<&Path>) -> Self {
        // The operating system says "not found" for the directory as well.
        if let Some(missing) = directory.filter(|d| !d.is_dir()) {
            return Self::NoDirectory(missing.to_owned());
        }
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound(error),
            ErrorKind::WouldBlock | ErrorKind::OutOfMemory => Self::Exhausted(error),
            _ if is_out_of_files(&error) => Self::Exhausted(error),
            _ => Self::NotStarted(error),
        }
    }
}

/// `ENFILE` and `EMFILE`, for which [`ErrorKind`] has no name. Every unix numbers them so.
fn is_out_of_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// The exit code, or 128 + N after signal N, as a shell has it. 0 is never the code of a failure.
pub(super) fn shell_code(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        status
            .code()
            .or_else(|| status.signal().map(|signal| 128 + signal))
    }
    #[cfg(not(unix))]
    status.code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_processes_memory_or_files_is_told_from_a_wrong_program() {
        let lacks = [
            ErrorKind::WouldBlock.into(),
            ErrorKind::OutOfMemory.into(),
            io::Error::from_raw_os_error(23),
            io::Error::from_raw_os_error(24),
        ];
        for error in lacks {
            let fault = SubprocessFault::of_spawn(error, None);
            assert!(matches!(fault, SubprocessFault::Exhausted(_)), "{fault:?}");
        }
        for kind in [ErrorKind::PermissionDenied, ErrorKind::InvalidInput] {
            let fault = SubprocessFault::of_spawn(kind.into(), None);
            assert!(matches!(fault, SubprocessFault::NotStarted(_)), "{fault:?}");
        }
    }
}
