//! A small disk: a file system in memory with a limit.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A mounted disk. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) name: &'static str,
    /// The node that it belongs to.
    pub(crate) node: &'static str,
    path: PathBuf,
}

impl Volume {
    pub(super) fn mount(
        folder: &Path,
        name: &'static str,
        node: &'static str,
        bytes: u64,
    ) -> Result<Self> {
        let path = folder.join(name);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("failed to make {}", path.display()))?;
        let status = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={bytes},mode=0777"),
                name,
            ])
            .arg(&path)
            .status()
            .context("failed to start mount")?;
        ensure!(status.success(), "mount ended with {status}; it takes root");
        Ok(Self { name, node, path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes used and bytes in all.
    pub(super) fn usage(&self) -> Result<(u64, u64)> {
        usage(&self.path)
    }
}

impl Drop for Volume {
    /// Unmounts it, even if a process that is about to end still has a file there.
    fn drop(&mut self) {
        let status = Command::new("umount")
            .arg("--lazy")
            .arg(&self.path)
            .status();
        if !status.is_ok_and(|status| status.success()) {
            tracing::error!(disk = %self.path.display(), "not unmounted; do it by hand");
        }
    }
}

/// Bytes used and bytes in all of the file system that holds `path`.
pub(super) fn usage(path: &Path) -> Result<(u64, u64)> {
    let state = rustix::fs::statvfs(path)
        .with_context(|| format!("failed to ask for the disk of {}", path.display()))?;
    let used = state.f_blocks.saturating_sub(state.f_bfree);
    Ok((used * state.f_frsize, state.f_blocks * state.f_frsize))
}
