//! The audit log.

use std::path::PathBuf;

use serde::Deserialize;

/// The section `audit`. Its keys are read at start; a change of them takes a restart.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AuditConfig {
    /// Folder of the log, of this orchestrator alone; made when it is not there. Default unset: no log.
    pub directory: Option<PathBuf>,
    /// Whether calls are refused while the log cannot take their entry. Default: by mode; `true` in `production`. Without a `directory` it has no effect.
    pub required: Option<bool>,
    /// Entries that may wait to be written; those of refusals take three quarters of it at most. Default 8_192; 16 to 1_000_000.
    pub queue_max: usize,
    /// A file of this size, in bytes, is followed by another. Default 16_777_216; 4_096 to 1_073_741_824. An entry is never split.
    pub file_bytes_max: u64,
    /// Files that are kept; above it the oldest is deleted. Default 64; 2 to 100_000.
    pub files_max: usize,
    /// When what was written is forced to the disk. Default `interval`.
    pub fsync: Fsync,
    /// The interval, in milliseconds. Default 1_000; 1 to 3_600_000. Read when `fsync` is `interval`.
    pub fsync_interval_ms: u64,
    /// Bytes of a text in an entry; a longer one is cut after it was redacted. Default 2_048; 64 to 65_536.
    pub text_bytes_max: usize,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            directory: None,
            required: None,
            queue_max: 8_192,
            file_bytes_max: 16 * 1_024 * 1_024,
            files_max: 64,
            fsync: Fsync::Interval,
            fsync_interval_ms: 1_000,
            text_bytes_max: 2_048,
        }
    }
}

/// When what was written is forced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fsync {
    /// After each batch of entries, before the anchor says so. Entries of one batch are those that came while the one before was written.
    Always,
    /// When `fsync_interval_ms` have passed since the last time, and at the end.
    #[default]
    Interval,
    /// When the operating system likes.
    Never,
}
