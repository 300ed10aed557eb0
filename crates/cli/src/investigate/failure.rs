//! Why there is no report, and the exit code that says so.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use universal_orchestrator::StartError;
use universal_orchestrator_investigation::source::prometheus::{AskError, PrometheusError};
use universal_orchestrator_investigation::{
    InvestigateError, ReadError, RequestError, SaveError, TraceError,
};

/// Bytes of a report that is compared at most.
pub(crate) const REPORT_BYTES_MAX: u64 = 64 << 20;

/// Why the command ends without a report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error("the request cannot be read: {0}")]
    Request(#[from] RequestError),
    #[error("{}: {source}; check the path", file.display())]
    Open {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
    #[error(transparent)]
    Save(#[from] SaveError),
    #[error("failed to start the orchestrator")]
    Start(#[from] StartError),
    #[error("failed to investigate")]
    Investigate(#[from] InvestigateError),
    #[error("failed to start the runtime")]
    Runtime(#[source] io::Error),
    #[error("failed to write the report as JSON")]
    Json(#[source] serde_json::Error),
    #[error("failed to write {}", .0.display())]
    WriteFile(PathBuf, #[source] io::Error),
    #[error("failed to read {}", .0.display())]
    ReadReport(PathBuf, #[source] io::Error),
    #[error(
        "{} has more than {REPORT_BYTES_MAX} bytes; compare reports that `investigate --json` wrote",
        .0.display()
    )]
    ReportSize(PathBuf),
    #[error("{} is no report of this version; write it again with --json", .0.display())]
    NoReport(PathBuf, #[source] serde_json::Error),
    #[error("failed to write the report to standard output")]
    Write(#[source] io::Error),
}

impl Failure {
    /// 3 for input that cannot be read, 4 for everything else; `--help` lists them.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Read(_)
            | Self::Trace(_)
            | Self::Request(_)
            | Self::Open { .. }
            | Self::Ask(_)
            | Self::Prometheus(_)
            | Self::ReadReport(..)
            | Self::ReportSize(_)
            | Self::NoReport(..) => 3,
            _ => 4,
        })
    }

    /// One line with all causes. Control characters of names are shown as escapes.
    pub(crate) fn tell(&self, to: &mut impl Write) -> io::Result<()> {
        let mut text = self.to_string();
        let mut cause = self.source();
        // The text of an error about input has its cause in it already.
        let whole = self.code() == ExitCode::from(3) || matches!(self, Self::Save(_));
        while let Some(error) = cause.filter(|_| !whole) {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        let shown: String = text
            .chars()
            .flat_map(|c| {
                if c.is_control() {
                    c.escape_unicode().collect()
                } else {
                    vec![c]
                }
            })
            .collect();
        writeln!(to, "investigate: {shown}")
    }
}
