//! How large a file is, in bytes and on disk.

use std::fs::{self, Metadata};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AuditError, path_text};

/// From this length on a file is large, in bytes.
const LARGE_BYTES: u64 = 1024 * 1024;

/// Below this length a file is never called sparse: file systems store short files in odd ways.
const SPARSE_BYTES_MIN: u64 = 64 * 1024;

/// The size of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeReport {
    /// The length in bytes.
    pub bytes: u64,
    /// Bytes that the file system set aside; absent where the platform does not say.
    pub allocated_bytes: Option<u64>,
    /// How many names the file has; absent where the platform does not say.
    pub links: Option<u64>,
    /// The class of the length.
    pub class: SizeClass,
    /// Whether clearly less is set aside than the length asks for: the file has holes, or the file
    /// system compresses.
    pub sparse: bool,
}

/// A coarse class of lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeClass {
    /// No bytes at all.
    Empty,
    /// Less than 1 MiB.
    Small,
    /// 1 MiB and more.
    Large,
}

impl SizeClass {
    /// The class of a length in bytes.
    #[must_use]
    pub const fn of(bytes: u64) -> Self {
        match bytes {
            0 => Self::Empty,
            1..LARGE_BYTES => Self::Small,
            _ => Self::Large,
        }
    }
}

/// Measures the regular file at `path` without reading it.
///
/// # Errors
///
/// What the system said, sorted into temporary and permanent; [`AuditError::NotRegular`] when something
/// else stands there.
pub fn measure(path: &Path) -> Result<SizeReport, AuditError> {
    let metadata =
        fs::symlink_metadata(path).map_err(|source| AuditError::from_io(path, source))?;
    if !metadata.is_file() {
        return Err(AuditError::NotRegular {
            path: path_text(path),
        });
    }
    let bytes = metadata.len();
    let (allocated_bytes, links) = on_disk(&metadata);
    let sparse = bytes >= SPARSE_BYTES_MIN
        && allocated_bytes.is_some_and(|allocated| allocated < bytes / 10 * 9);
    Ok(SizeReport {
        bytes,
        allocated_bytes,
        links,
        class: SizeClass::of(bytes),
        sparse,
    })
}

#[cfg(unix)]
fn on_disk(metadata: &Metadata) -> (Option<u64>, Option<u64>) {
    use std::os::unix::fs::MetadataExt as _;
    // `st_blocks` counts units of 512 bytes whatever the file system's block size is.
    (
        Some(metadata.blocks().saturating_mul(512)),
        Some(metadata.nlink()),
    )
}

#[cfg(not(unix))]
const fn on_disk(_metadata: &Metadata) -> (Option<u64>, Option<u64>) {
    (None, None)
}
