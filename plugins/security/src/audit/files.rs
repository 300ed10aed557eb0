//! The files of the log: opened, appended to, synced, rotated.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::audit::anchor::{ANCHOR_BYTES_MAX, ANCHOR_FILE, Anchor};
use crate::audit::chain::{Link, Seal, check};
use crate::audit::{AuditError, Finding, FindingKind};

const LOCK_FILE: &str = "lock";
/// More than a line has: five texts of `audit.text_bytes_max`, each byte escaped.
const LINE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// The name of a file of the log.
pub(super) fn file_name(number: u64) -> String {
    format!("audit-{number:08}.jsonl")
}

/// The number of a file of the log.
pub(super) fn file_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
    let number = digits.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// The log, open at its end.
#[derive(Debug)]
pub(super) struct Files {
    layout: Layout,
    seal: Seal,
    file: File,
    /// Bytes of the last file that hold whole entries.
    bytes: u64,
    /// What is written; its file is behind by what came since.
    anchor: Anchor,
    /// Lines that are not written yet.
    pending: Vec<u8>,
    /// The last entry, pending ones included.
    tail: Link,
    _lock: File,
}

/// What was mended when the log was opened.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Recovered {
    /// Entries after the anchor: the process ended before it was written.
    pub(super) unanchored: u64,
    /// Bytes of an entry that was not written to its end.
    pub(super) torn_bytes: u64,
}

/// Where and how large.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) folder: PathBuf,
    pub(super) bytes_max: u64,
    pub(super) files_max: u64,
}

impl Files {
    /// Opens the log, or begins one. Its last file is checked, and that it goes on where the anchor says.
    pub(super) fn open(layout: Layout, seal: Seal) -> Result<(Self, Recovered), AuditError> {
        let folder = &layout.folder;
        fs::create_dir_all(folder).map_err(|e| AuditError::io("making", folder, e))?;
        let lock = lock(folder)?;
        let path = folder.join(ANCHOR_FILE);
        let (mut anchor, is_new) = match read_bounded(&path, ANCHOR_BYTES_MAX) {
            Ok(bytes) => match Anchor::parse(&bytes, &seal) {
                Some(anchor) => (anchor, false),
                None => return Err(broken(folder, ANCHOR_FILE, 1, FindingKind::AnchorChanged)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                refuse_files_without_anchor(folder)?;
                (Anchor::genesis(), true)
            }
            Err(error) => return Err(AuditError::io("reading", &path, error)),
        };
        let recovered = if is_new {
            Recovered::default()
        } else {
            recover(folder, &mut anchor, &seal)?
        };
        let file = open_at_end(&folder.join(file_name(anchor.last_file)))?;
        let about = file.metadata();
        let bytes = about
            .map_err(|e| AuditError::io("reading", folder, e))?
            .len();
        anchor.write(folder, &seal, true)?;
        let files = Self {
            layout,
            seal,
            file,
            bytes,
            tail: anchor.last(),
            anchor,
            pending: Vec::new(),
            _lock: lock,
        };
        Ok((files, recovered))
    }

    /// The last entry, pending ones included.
    pub(super) const fn tail(&self) -> &Link {
        &self.tail
    }

    /// Adds a line to what is pending. After an error it was not added.
    pub(super) fn push(&mut self, line: &[u8], link: Link) -> Result<(), AuditError> {
        let before = self.bytes + self.pending.len() as u64;
        if before > 0 && before + line.len() as u64 > self.layout.bytes_max {
            self.write()?;
            self.rotate()?;
        }
        self.pending.extend_from_slice(line);
        self.tail = link;
        Ok(())
    }

    /// Writes what is pending. After an error it is pending still, and the next call removes what was half written.
    pub(super) fn write(&mut self) -> Result<(), AuditError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.file.set_len(self.bytes).and_then(|()| {
            self.file.seek(SeekFrom::Start(self.bytes))?;
            self.file.write_all(&self.pending)
        });
        written.map_err(|e| AuditError::io("writing", self.last_path(), e))?;
        // A file whose name is gone takes bytes that nobody can read.
        let path = self.last_path();
        fs::metadata(&path).map_err(|e| AuditError::io("finding", &path, e))?;
        self.bytes += self.pending.len() as u64;
        self.pending.clear();
        self.anchor.last_seq = self.tail.seq;
        self.anchor.last_hash.clone_from(&self.tail.hash);
        Ok(())
    }

    fn last_path(&self) -> PathBuf {
        self.layout.folder.join(file_name(self.anchor.last_file))
    }

    fn rotate(&mut self) -> Result<(), AuditError> {
        self.sync()?;
        let folder = &self.layout.folder;
        let mut anchor = self.anchor.clone();
        anchor.last_file += 1;
        anchor.last_file_from = anchor.last_seq;
        let path = folder.join(file_name(anchor.last_file));
        // An empty one may be left by a rotation that came no further.
        let made = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&path);
        let file = made.map_err(|e| AuditError::io("making", &path, e))?;
        let oldest = anchor.first_file;
        while anchor.last_file - anchor.first_file >= self.layout.files_max {
            let link = first_link(folder, anchor.first_file + 1, &self.seal)?;
            anchor.first_file += 1;
            anchor.before_seq = link.seq;
            anchor.before_hash = link.hash;
        }
        anchor.write(folder, &self.seal, true)?;
        for number in oldest..anchor.first_file {
            let path = folder.join(file_name(number));
            if let Err(error) = fs::remove_file(&path) {
                let path = path.display();
                tracing::warn!(%path, %error, "an audit file beyond audit.files_max could not be deleted");
            }
        }
        self.anchor = anchor;
        self.file = file;
        self.bytes = 0;
        Ok(())
    }

    /// Writes the anchor; call [`Self::sync`] before, so that it never says more than the disk has.
    pub(super) fn write_anchor(&self, sync: bool) -> Result<(), AuditError> {
        self.anchor.write(&self.layout.folder, &self.seal, sync)
    }

    pub(super) fn sync(&self) -> Result<(), AuditError> {
        let synced = self.file.sync_data();
        synced.map_err(|e| AuditError::io("syncing", self.last_path(), e))
    }
}

/// A folder with files and without an anchor is no new log.
fn refuse_files_without_anchor(folder: &Path) -> Result<(), AuditError> {
    let unreadable = |e| AuditError::io("reading", folder, e);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        if file_number(&name.to_string_lossy()).is_some() {
            return Err(broken(folder, ANCHOR_FILE, 1, FindingKind::AnchorMissing));
        }
    }
    Ok(())
}

/// Walks the last file: entries after the anchor are taken in, a torn one is cut off, and anything else that is not as the anchor says is refused.
fn recover(folder: &Path, anchor: &mut Anchor, seal: &Seal) -> Result<Recovered, AuditError> {
    let name = file_name(anchor.last_file);
    let path = folder.join(&name);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        // The anchor of a log without an entry is written before its first file.
        Err(e) if e.kind() == io::ErrorKind::NotFound && anchor.last_seq == 0 => Vec::new(),
        Err(e) => return Err(AuditError::io("reading", &path, e)),
    };
    let mut recovered = Recovered::default();
    let (mut seq, mut hash) = (anchor.last_file_from, None);
    if anchor.last_file == anchor.first_file {
        hash = Some(anchor.before_hash.clone());
    }
    let anchored_seq = anchor.last_seq;
    let (mut held, mut line_number) = (0, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        line_number += 1;
        let finding = |kind| broken(folder, &name, line_number, kind);
        let Some(whole) = line.strip_suffix(b"\n") else {
            recovered.torn_bytes = line.len() as u64;
            break;
        };
        let checked = check(whole, seal).ok_or_else(|| finding(FindingKind::Changed))?;
        let follows = hash.is_none_or(|hash| hash == checked.previous);
        let after_anchor = checked.seq != anchored_seq + 1 || checked.previous == anchor.last_hash;
        if checked.seq != seq + 1 || !follows || !after_anchor {
            return Err(finding(FindingKind::Removed));
        }
        if checked.seq == anchored_seq && checked.hash != anchor.last_hash {
            return Err(finding(FindingKind::Changed));
        }
        if checked.seq > anchored_seq {
            recovered.unanchored += 1;
        }
        held += line.len() as u64;
        seq = checked.seq;
        hash = Some(checked.hash);
    }
    if seq < anchored_seq {
        return Err(broken(
            folder,
            &name,
            line_number + 1,
            FindingKind::Truncated,
        ));
    }
    let next = file_name(anchor.last_file + 1);
    if fs::metadata(folder.join(&next)).is_ok_and(|about| about.len() > 0) {
        return Err(broken(folder, &next, 1, FindingKind::Inserted));
    }
    if recovered.torn_bytes > 0 {
        let cut = OpenOptions::new().write(true).open(&path);
        cut.and_then(|file| file.set_len(held))
            .map_err(|e| AuditError::io("cutting a torn entry off", &path, e))?;
    }
    if seq > anchored_seq
        && let Some(hash) = hash
    {
        anchor.last_seq = seq;
        anchor.last_hash = hash;
    }
    Ok(recovered)
}

/// The link before the first entry of a file.
fn first_link(folder: &Path, number: u64, seal: &Seal) -> Result<Link, AuditError> {
    let name = file_name(number);
    let path = folder.join(&name);
    let mut line = Vec::new();
    let read = File::open(&path).and_then(|file| {
        // No entry is longer than its texts, which are bounded, can make it.
        let mut reader = io::BufReader::new(file.take(LINE_BYTES_MAX));
        io::BufRead::read_until(&mut reader, b'\n', &mut line)
    });
    read.map_err(|e| AuditError::io("reading", &path, e))?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let changed = || broken(folder, &name, 1, FindingKind::Changed);
    let checked = check(line, seal).ok_or_else(changed)?;
    Ok(Link {
        seq: checked.seq.saturating_sub(1),
        hash: checked.previous,
    })
}

fn broken(folder: &Path, file: &str, line: u64, kind: FindingKind) -> AuditError {
    AuditError::Broken {
        path: folder.to_owned(),
        finding: Finding {
            file: file.to_owned(),
            line,
            kind,
        },
    }
}

fn lock(folder: &Path) -> Result<File, AuditError> {
    let path = folder.join(LOCK_FILE);
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    let file = opened.map_err(|e| AuditError::io("opening", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AuditError::InUse {
            path: folder.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(AuditError::io("locking", &path, error)),
    }
}

fn open_at_end(path: &Path) -> Result<File, AuditError> {
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let at_end = opened.and_then(|mut file| file.seek(SeekFrom::End(0)).map(|_| file));
    at_end.map_err(|e| AuditError::io("opening", path, e))
}

/// Reads a file that is not larger than it may be.
pub(super) fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
