//! Reads a whole log and says where it was changed first.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

use crate::audit::AuditError;
use crate::audit::anchor::{ANCHOR_BYTES_MAX, ANCHOR_FILE, Anchor};
use crate::audit::chain::{Checked, Link, Seal, check};
use crate::audit::files::{file_name, file_number, read_bounded};
use crate::key::ServerKey;

/// With which key a log was sealed.
#[derive(Debug, Clone, Copy)]
pub enum Sealed<'a> {
    /// With the server key in this file.
    WithKeyFile(&'a Path),
    /// Without a server key.
    Open,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// Files that were read.
    pub files: u64,
    /// Entries that hold, up to the finding.
    pub entries: u64,
    /// Entries at the end that hold and that the anchor does not name yet: written less than a sync ago, or before a crash.
    pub unanchored: u64,
    /// The first thing that does not hold.
    pub finding: Option<Finding>,
}

impl AuditReport {
    /// Whether everything holds.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.finding.is_none()
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, entries, .. } = self;
        match &self.finding {
            None => write!(f, "intact: {entries} entries in {files} files"),
            Some(finding) => write!(f, "not intact: {finding}; {entries} entries before it hold"),
        }
    }
}

/// Where a log does not hold, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What happened there.
    pub kind: FindingKind,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, kind } = self;
        write!(f, "{file}, line {line}: {}", kind.text())
    }
}

/// What happened to a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// An entry is not what was written.
    Changed,
    /// Entries before this line are missing.
    Removed,
    /// A line or a file was added.
    Inserted,
    /// An entry stands before one that it followed.
    Reordered,
    /// Entries are missing at the end.
    Truncated,
    /// The anchor is not what was written, or the key is another one.
    AnchorChanged,
    /// There is no anchor.
    AnchorMissing,
    /// A file is missing.
    FileMissing,
}

impl FindingKind {
    const fn text(self) -> &'static str {
        match self {
            Self::Changed => "the entry was changed",
            Self::Removed => "entries before it were removed",
            Self::Inserted => "it was inserted",
            Self::Reordered => "entries were reordered",
            Self::Truncated => "entries at the end were removed",
            Self::AnchorChanged => "the anchor was changed, or the key is another one",
            Self::AnchorMissing => "the anchor is missing",
            Self::FileMissing => "the file is missing",
        }
    }
}

/// Verifies the log in a folder: every byte of every file. Reads it line by line, and blocks.
///
/// A log that is being written may end with entries that its anchor does not name yet; [`AuditReport::unanchored`] counts them.
///
/// # Errors
/// [`SecurityError`](crate::SecurityError) when the key or the folder cannot be read. A log that does not hold is no error but a finding.
pub fn verify_log(folder: &Path, sealed: Sealed<'_>) -> Result<AuditReport, crate::SecurityError> {
    let seal = match sealed {
        Sealed::WithKeyFile(path) => Seal::keyed(ServerKey::from_file(path)?),
        Sealed::Open => Seal::open().ok_or(crate::SecurityError::NoAudit)?,
    };
    Ok(verify(folder, &seal)?)
}

pub(crate) fn verify(folder: &Path, seal: &Seal) -> Result<AuditReport, AuditError> {
    let mut report = AuditReport {
        files: 0,
        entries: 0,
        unanchored: 0,
        finding: None,
    };
    let numbers = numbers(folder)?;
    let path = folder.join(ANCHOR_FILE);
    let anchor = match read_bounded(&path, ANCHOR_BYTES_MAX) {
        Ok(bytes) => Anchor::parse(&bytes, seal).ok_or(FindingKind::AnchorChanged),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(FindingKind::AnchorMissing),
        Err(e) => return Err(AuditError::io("reading", path, e)),
    };
    report.finding = match anchor {
        Ok(anchor) => Walk::new(folder, seal, &anchor, &mut report).run(&numbers)?,
        Err(kind) => Some(finding(ANCHOR_FILE.to_owned(), 1, kind)),
    };
    Ok(report)
}

const fn finding(file: String, line: u64, kind: FindingKind) -> Finding {
    Finding { file, line, kind }
}

/// The numbers of the files that are there.
fn numbers(folder: &Path) -> Result<BTreeSet<u64>, AuditError> {
    let unreadable = |e| AuditError::io("reading", folder, e);
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        numbers.extend(file_number(&name.to_string_lossy()));
    }
    Ok(numbers)
}

struct Walk<'a> {
    folder: &'a Path,
    seal: &'a Seal,
    anchor: &'a Anchor,
    link: Link,
    report: &'a mut AuditReport,
}

impl<'a> Walk<'a> {
    fn new(
        folder: &'a Path,
        seal: &'a Seal,
        anchor: &'a Anchor,
        report: &'a mut AuditReport,
    ) -> Self {
        Self {
            folder,
            seal,
            anchor,
            link: anchor.before(),
            report,
        }
    }

    fn run(mut self, numbers: &BTreeSet<u64>) -> Result<Option<Finding>, AuditError> {
        let last = self.anchor.last_file;
        for number in self.anchor.first_file..=last {
            let is_new = number == last && self.anchor.last_seq == 0;
            if !numbers.contains(&number) && !is_new {
                return Ok(Some(finding(
                    file_name(number),
                    1,
                    FindingKind::FileMissing,
                )));
            }
            if is_new && !numbers.contains(&number) {
                continue;
            }
            if let Some(found) = self.file(number)? {
                return Ok(Some(found));
            }
        }
        if self.link.seq < self.anchor.last_seq {
            let name = file_name(last);
            let line = self.lines(last)?.count() as u64 + 1;
            return Ok(Some(finding(name, line, FindingKind::Truncated)));
        }
        // Files outside of the anchor; an empty one after the last is what a rotation leaves that came no further.
        let outside = numbers.iter().find(|n| {
            let is_empty = || self.size(**n) == 0;
            **n < self.anchor.first_file || (**n > last && !(**n == last + 1 && is_empty()))
        });
        Ok(outside.map(|n| finding(file_name(*n), 1, FindingKind::Inserted)))
    }

    fn size(&self, number: u64) -> u64 {
        let path = self.folder.join(file_name(number));
        fs::metadata(path).map_or(0, |about| about.len())
    }

    fn lines(&self, number: u64) -> Result<Lines, AuditError> {
        let path = self.folder.join(file_name(number));
        let file = File::open(&path).map_err(|e| AuditError::io("reading", &path, e))?;
        Ok(Lines(BufReader::new(file)))
    }

    fn file(&mut self, number: u64) -> Result<Option<Finding>, AuditError> {
        self.report.files += 1;
        let name = file_name(number);
        let mut lines = self.lines(number)?.enumerate();
        while let Some((at, line)) = lines.next() {
            let line = line.map_err(|e| AuditError::io("reading", self.folder.join(&name), e))?;
            let at = at as u64 + 1;
            let checked = line
                .strip_suffix(b"\n")
                .and_then(|line| check(line, self.seal));
            let Some(checked) = checked else {
                let next = lines.next().and_then(|(_, line)| line.ok());
                let kind = self.kind_of_unsealed(next.as_deref());
                return Ok(Some(finding(name, at, kind)));
            };
            if checked.seq != self.link.seq + 1 || checked.previous != self.link.hash {
                let kind = self.kind_of_misplaced(number, &checked)?;
                return Ok(Some(finding(name, at, kind)));
            }
            if checked.seq == self.anchor.last_seq && checked.hash != self.anchor.last_hash {
                return Ok(Some(finding(name, at, FindingKind::Changed)));
            }
            self.report.entries += 1;
            if checked.seq > self.anchor.last_seq {
                self.report.unanchored += 1;
            }
            self.link = Link {
                seq: checked.seq,
                hash: checked.hash,
            };
        }
        Ok(None)
    }

    /// A line that holds no hash of its own: when the next one follows on what was before it, it was inserted.
    fn kind_of_unsealed(&self, next: Option<&[u8]>) -> FindingKind {
        let next = next.and_then(|line| line.strip_suffix(b"\n"));
        let next = next.and_then(|line| check(line, self.seal));
        match next {
            Some(next) if next.previous == self.link.hash => FindingKind::Inserted,
            _ => FindingKind::Changed,
        }
    }

    /// An entry that holds and stands in the wrong place.
    fn kind_of_misplaced(&self, number: u64, entry: &Checked) -> Result<FindingKind, AuditError> {
        if entry.seq <= self.link.seq {
            return Ok(FindingKind::Inserted);
        }
        // What should stand here stands later, or nowhere.
        for number in number..=self.anchor.last_file {
            if self.size(number) == 0 {
                continue;
            }
            for line in self.lines(number)? {
                let Ok(line) = line else { break };
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                let is_missing = |found: Checked| found.previous == self.link.hash;
                if check(line, self.seal).is_some_and(is_missing) {
                    return Ok(FindingKind::Reordered);
                }
            }
        }
        Ok(FindingKind::Removed)
    }
}

/// Lines with their ends.
struct Lines(BufReader<File>);

impl Iterator for Lines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match self.0.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error)),
        }
    }
}
