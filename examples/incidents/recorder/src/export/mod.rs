//! Writes an incident's folder.

mod logs;
mod queries;
mod table;

pub(crate) use logs::write as write_logs;
pub(crate) use table::{Table, write_graph};

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// Length of a row in seconds.
pub(crate) const STEP: u64 = 5;

/// Writes a value as JSON with a line for each key.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}
