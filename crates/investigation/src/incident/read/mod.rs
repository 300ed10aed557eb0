//! Reads an incident from files in the layout of the PetShop data set (Hardt et al., CLeaR 2024, arXiv 2311.04806).

mod beside;
mod error;
mod graph;
mod metrics;
mod resources;
mod target;
mod traces;

pub use error::{ReadError, ReadErrorKind};
pub use resources::read_resources;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Incident;
use crate::graph::CallGraph;

/// What a file may hold at most; more is refused.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ReadLimits {
    /// Bytes of one file.
    pub file_bytes_max: u64,
    /// Nodes of a call graph or a metrics file.
    pub nodes_max: usize,
    /// Intervals of a metrics file.
    pub rows_max: usize,
    /// Columns times intervals of a metrics file.
    pub cells_max: usize,
    /// Bytes of a node's name.
    pub name_bytes_max: usize,
    /// Notes about what was worked around; further ones are counted only.
    pub notes_max: usize,
}

/// The limits that [`IncidentFiles::read`] keeps.
pub const READ_LIMITS: ReadLimits = ReadLimits {
    file_bytes_max: 1 << 30,
    nodes_max: 20_000,
    rows_max: 1_000_000,
    cells_max: 50_000_000,
    name_bytes_max: 1_024,
    notes_max: 32,
};

/// Where the files of an incident are.
#[derive(Clone, Debug)]
pub struct IncidentFiles {
    folder: PathBuf,
    graph: Option<PathBuf>,
    baseline: Option<PathBuf>,
}

impl IncidentFiles {
    /// An incident's folder: `metrics.csv`, `target.json`, `graph.csv` unless [`graph`](Self::graph) names another,
    /// and `baseline.csv` if it is there and [`baseline`](Self::baseline) names no other.
    /// It may also hold `logs/`, `events.json` and `events.csv`.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            graph: None,
            baseline: None,
        }
    }

    /// The call graph's file.
    #[must_use]
    pub fn graph(mut self, file: impl Into<PathBuf>) -> Self {
        self.graph = Some(file.into());
        self
    }

    /// The metrics file of normal operation. Without one and without `baseline.csv` the incident is compared with its own first rows.
    #[must_use]
    pub fn baseline(mut self, file: impl Into<PathBuf>) -> Self {
        self.baseline = Some(file.into());
        self
    }

    /// Reads all files.
    ///
    /// # Errors
    ///
    /// A file is missing, malformed, or larger than [`READ_LIMITS`]; the error names the file, the line where there is one, and what helps.
    pub fn read(&self) -> Result<Incident, ReadError> {
        let mut notes = Notes::default();
        let target = target::read(&self.folder.join("target.json"))?;
        let telemetry = metrics::read(&self.folder.join("metrics.csv"), &mut notes)?;
        let own = self.folder.join("graph.csv");
        let graph = graph::read(self.graph.as_deref().unwrap_or(&own), &mut notes)?;
        let own = self.folder.join("baseline.csv");
        let baseline = match &self.baseline {
            Some(file) => Some(metrics::read(file, &mut notes)?),
            None if own.exists() => Some(metrics::read(&own, &mut notes)?),
            None => None,
        };
        let resources = resources::of_folder(&self.folder)?;
        let traces = traces::of_folder(&self.folder, &mut notes);
        let mut incident = Incident {
            target: Some(target),
            telemetry,
            baseline,
            graph,
            ..Incident::default()
        };
        for source in resources.into_iter().chain(traces) {
            incident.add(source);
        }
        beside::read(&self.folder, &mut incident, &mut notes)?;
        incident.notes.splice(0..0, notes.finish());
        Ok(incident)
    }
}

/// Reads a call graph: a square matrix in which a row calls the columns that are not zero.
///
/// # Errors
///
/// The file is missing, malformed, or larger than [`READ_LIMITS`].
pub fn read_graph(file: &Path) -> Result<CallGraph, ReadError> {
    graph::read(file, &mut Notes::default())
}

/// What was worked around, a bounded number of sentences.
#[derive(Debug, Default)]
struct Notes {
    sentences: Vec<String>,
    left_out: usize,
}

impl Notes {
    fn add(&mut self, file: &Path, sentence: impl std::fmt::Display) {
        if self.sentences.len() < READ_LIMITS.notes_max {
            self.sentences
                .push(format!("{}: {sentence}", file.display()));
        } else {
            self.left_out += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.left_out > 0 {
            self.sentences
                .push(format!("{} more notes left out", self.left_out));
        }
        self.sentences
    }
}

/// The whole file, if it is within the limit.
fn bytes(file: &Path) -> Result<Vec<u8>, ReadError> {
    let fail = |source| ReadError::new(file, ReadErrorKind::Io(source));
    let opened = File::open(file).map_err(fail)?;
    let mut bytes = Vec::new();
    opened
        .take(READ_LIMITS.file_bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > READ_LIMITS.file_bytes_max {
        let limit = READ_LIMITS.file_bytes_max as usize;
        return Err(ReadError::new(
            file,
            ReadErrorKind::TooMany {
                what: "bytes",
                limit,
            },
        ));
    }
    Ok(bytes)
}

fn csv_reader(bytes: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes)
}

/// A node's name: trimmed, not empty, valid UTF-8, not too long.
fn name<'a>(file: &Path, line: u64, field: &'a [u8]) -> Result<&'a str, ReadError> {
    let fail = |kind| ReadError::at(file, line, kind);
    let text = std::str::from_utf8(field)
        .map_err(|_| {
            fail(ReadErrorKind::BadName {
                problem: "is not UTF-8",
            })
        })?
        .trim();
    if text.is_empty() {
        return Err(fail(ReadErrorKind::BadName {
            problem: "is empty",
        }));
    }
    if text.len() > READ_LIMITS.name_bytes_max {
        return Err(fail(ReadErrorKind::BadName {
            problem: "has more than 1024 bytes",
        }));
    }
    Ok(text)
}

fn line_of(record: &csv::ByteRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}
