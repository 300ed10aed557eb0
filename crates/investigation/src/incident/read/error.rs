//! Why an incident cannot be read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::events::EventsError;

/// A file of an incident that cannot be read. Its text names the file, the line and what helps.
#[derive(Debug)]
pub struct ReadError {
    file: PathBuf,
    line: Option<u64>,
    kind: ReadErrorKind,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The file cannot be opened or read.
    #[error("{0}; check the path, or name another file")]
    Io(#[source] io::Error),
    /// The file is no CSV.
    #[error("not readable as CSV: {0}")]
    Csv(#[source] csv::Error),
    /// The file is no JSON, or lacks a key.
    #[error(
        "{0}; expected {{\"target\": {{\"node\": …, \"metric\": \"latency\" or \"availability\", \"agg\": \"Average\", \"timestamp\": seconds}}}}"
    )]
    Json(#[source] serde_json::Error),
    /// A list of events cannot be read.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// The file of resources is no JSON.
    #[error(
        "{0}; expected {{\"resources\": [{{\"type\": …, \"name\": …, \"attributes\": {{…}}}}], \"thresholds\": {{…}}}}"
    )]
    Resources(#[source] serde_json::Error),
    /// A resource cannot be read.
    #[error("{0}")]
    Resource(#[source] crate::request::RequestError),
    /// The head of a metrics file is incomplete.
    #[error(
        "expected {expected}; a metrics file starts with the rows `microservice`, `metric`, `statistic` and `unix_timestamp`"
    )]
    Head {
        /// The row that should stand here.
        expected: &'static str,
    },
    /// A row has another number of fields than the head.
    #[error("the row has {found} fields, the head has {expected}; the file may be cut off")]
    Fields {
        /// Fields of the row.
        found: usize,
        /// Fields of the head.
        expected: usize,
    },
    /// A field is neither a number nor empty.
    #[error("column {column} holds {text:?}, which is no number; leave a missing value empty")]
    Number {
        /// The column, counted from 1.
        column: usize,
        /// What stands there, cut short.
        text: String,
    },
    /// Two columns of one series.
    #[error("columns {first} and {second} are the same series; remove one")]
    DuplicateColumn {
        /// The first of the two, counted from 1.
        first: usize,
        /// The other.
        second: usize,
    },
    /// A node's name cannot be used.
    #[error("a node's name {problem}; name every node")]
    BadName {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The symptom's metric and statistic are not recorded together.
    #[error(
        "the target's metric {metric:?} with agg {statistic:?} is not one that an incident can be noticed by; use latency with Average, p50, p90, p95 or p99, or availability with Average"
    )]
    Symptom {
        /// The metric.
        metric: String,
        /// The statistic.
        statistic: String,
    },
    /// More than the reader takes.
    #[error("more than {limit} {what}; cut the file")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl ReadError {
    pub(super) fn new(file: &Path, kind: ReadErrorKind) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            kind,
        }
    }

    /// Of a list of events that was read from a file.
    #[must_use]
    pub fn of_events(file: &Path, error: EventsError) -> Self {
        Self::new(file, ReadErrorKind::Events(error))
    }

    pub(super) fn at(file: &Path, line: u64, kind: ReadErrorKind) -> Self {
        Self {
            line: Some(line),
            ..Self::new(file, kind)
        }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, counted from 1, where there is one.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &ReadErrorKind {
        &self.kind
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}: {}", self.file.display(), self.kind),
            None => write!(f, "{}: {}", self.file.display(), self.kind),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.kind)
    }
}
