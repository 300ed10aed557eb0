//! `traces/*.json`: traces of requests during the incident.

use std::path::{Path, PathBuf};

use super::Notes;
use crate::evidence::Unknown;
use crate::incident::Gathered;
use crate::trace::Traces;

/// Files that are read at most.
const FILES_MAX: usize = 1_000;

/// The traces of an incident's folder. A file that cannot be read is unknown; the others count.
pub(super) fn of_folder(folder: &Path, notes: &mut Notes) -> Vec<Gathered> {
    let folder = folder.join("traces");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort_unstable();
    if files.len() > FILES_MAX {
        notes.add(
            &folder,
            format_args!(
                "only the first {FILES_MAX} of {} files are read",
                files.len()
            ),
        );
        files.truncate(FILES_MAX);
    }
    let read = |file: &PathBuf| match Traces::from_file(file) {
        Ok(traces) => traces.into(),
        Err(error) => Gathered {
            unknown: vec![Unknown {
                node: file
                    .file_name()
                    .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
                what: "traces".to_owned(),
                reason: error.to_string(),
            }],
            ..Gathered::default()
        },
    };
    files.iter().map(read).collect()
}
