//! The ledger's journal: a line for each entry, written before the entry counts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use super::Failure;

/// An append-only file.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    pub(super) async fn open(folder: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("journal.log"))
            .await
            .with_context(|| format!("failed to open a journal in {}", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            file: Mutex::new(file),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends a line and waits until it is on the disk.
    pub(super) async fn append(&self, line: &str) -> Result<(), Failure> {
        let mut file = self.file.lock().await;
        let written = async {
            file.write_all(line.as_bytes()).await?;
            file.flush().await?;
            file.sync_data().await
        };
        written
            .await
            .map_err(|error| Failure::internal(format!("journal append failed: {error}")))
    }
}
