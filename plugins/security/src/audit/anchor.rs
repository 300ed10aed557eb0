//! What the log holds from where to where, beside its files.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::audit::AuditError;
use crate::audit::chain::{GENESIS, Link, Seal};

/// The file of the anchor.
pub(super) const ANCHOR_FILE: &str = "anchor.json";
const ANCHOR_NEW: &str = "anchor.json.new";
/// No anchor is longer.
pub(super) const ANCHOR_BYTES_MAX: u64 = 4_096;

/// The first and the last entry that the log holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Anchor {
    /// The number of the first file.
    pub(super) first_file: u64,
    /// The number of the entry before the first; 0: none.
    pub(super) before_seq: u64,
    /// Its hash.
    pub(super) before_hash: String,
    /// The number of the last file.
    pub(super) last_file: u64,
    /// The number of the entry before the first of the last file.
    pub(super) last_file_from: u64,
    /// The number of the last entry.
    pub(super) last_seq: u64,
    /// Its hash.
    pub(super) last_hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    anchor: Anchor,
    hash: String,
}

impl Anchor {
    /// Of a log without an entry.
    pub(super) fn genesis() -> Self {
        Self {
            first_file: 1,
            before_seq: 0,
            before_hash: GENESIS.to_owned(),
            last_file: 1,
            last_file_from: 0,
            last_seq: 0,
            last_hash: GENESIS.to_owned(),
        }
    }

    pub(super) fn before(&self) -> Link {
        Link {
            seq: self.before_seq,
            hash: self.before_hash.clone(),
        }
    }

    pub(super) fn last(&self) -> Link {
        Link {
            seq: self.last_seq,
            hash: self.last_hash.clone(),
        }
    }

    fn render(&self, seal: &Seal) -> Vec<u8> {
        // Texts and numbers always serialise.
        let body = serde_json::to_vec(self).unwrap_or_default();
        let sealed = Sealed {
            hash: seal.anchor_hash(&body),
            anchor: self.clone(),
        };
        let mut text = serde_json::to_vec(&sealed).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// Writes it beside the old one and renames it, so that there is always a whole one.
    pub(super) fn write(&self, folder: &Path, seal: &Seal, sync: bool) -> Result<(), AuditError> {
        let (new, path) = (folder.join(ANCHOR_NEW), folder.join(ANCHOR_FILE));
        let written = fs::File::create(&new).and_then(|mut file| {
            file.write_all(&self.render(seal))?;
            if sync { file.sync_all() } else { Ok(()) }
        });
        written.map_err(|error| AuditError::io("writing", &new, error))?;
        fs::rename(&new, &path).map_err(|error| AuditError::io("renaming", &new, error))?;
        if sync {
            sync_folder(folder)?;
        }
        Ok(())
    }

    /// Reads what [`Self::write`] wrote, byte for byte; `None` when anything about it is different.
    pub(super) fn parse(bytes: &[u8], seal: &Seal) -> Option<Self> {
        let sealed: Sealed = serde_json::from_slice(bytes).ok()?;
        let rendered = sealed.anchor.render(seal);
        bool::from(rendered.as_slice().ct_eq(bytes)).then_some(sealed.anchor)
    }
}

/// Forces names of files in a folder to the disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> Result<(), AuditError> {
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| AuditError::io("syncing", folder, error))
}

/// Elsewhere a folder cannot be opened as a file.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), AuditError> {
    Ok(())
}
