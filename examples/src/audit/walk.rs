//! Lists the files of a tree, as `find … -type f` does.

use std::path::{Path, PathBuf};

use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

use super::{AuditError, path_text, shell_quoted};

/// Directories that are skipped wherever they are, unless [`WalkOptions::include_ignored`] is set.
pub const SKIPPED_DIRECTORIES: [&str; 2] = [".git", "target"];

/// What a walk includes.
#[derive(Clone, Copy, Debug, Default)]
pub struct WalkOptions {
    /// Whether to enter [`SKIPPED_DIRECTORIES`] too; by default they are left out.
    pub include_ignored: bool,
}

/// A place that the walk could not enter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// The directory or file, relative to the root and made printable.
    pub path: String,
    /// What the system said.
    pub error: String,
}

/// The files that were there when the walk passed; jobs name them by index.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
    files: Vec<PathBuf>,
    unreadable: Vec<Unreadable>,
    skipped: u64,
    pruned: bool,
}

impl Tree {
    /// The root, with symlinks resolved.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every regular file, relative to the root, in an order that depends on the names alone.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Where the file with this index is on disk.
    ///
    /// # Errors
    ///
    /// [`AuditError::UnknownFile`] when the tree has no such file.
    pub fn absolute(&self, file: usize) -> Result<PathBuf, AuditError> {
        let relative = self.files.get(file).ok_or(AuditError::UnknownFile {
            file,
            files: self.files.len(),
        })?;
        // A root that is itself a file has one entry with an empty relative path, and joining that
        // would add a slash.
        Ok(if relative.as_os_str().is_empty() {
            self.root.clone()
        } else {
            self.root.join(relative)
        })
    }

    /// The file's name in reports: relative to the root, or the root's own name when that is a file.
    #[must_use]
    pub fn name(&self, file: usize) -> String {
        match self.files.get(file) {
            Some(relative) if relative.as_os_str().is_empty() => path_text(&self.root),
            Some(relative) => path_text(relative),
            None => format!("file {file}"),
        }
    }

    /// Directories that could not be read, in walk order.
    #[must_use]
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    /// How many directories were left out because of their name.
    #[must_use]
    pub const fn skipped_directories(&self) -> u64 {
        self.skipped
    }

    /// The `find` command that prints exactly the files of this tree.
    #[must_use]
    pub fn find_command(&self) -> String {
        let root = shell_quoted(&self.root);
        if self.pruned {
            let names = SKIPPED_DIRECTORIES
                .map(|name| format!("-name {name}"))
                .join(" -o ");
            format!(r"find {root} -mindepth 1 -type d \( {names} \) -prune -o -type f -print")
        } else {
            format!("find {root} -type f -print")
        }
    }
}

/// Lists every regular file under `root`; symlinks below it are not followed, nor counted.
///
/// A directory that cannot be read becomes an entry of [`Tree::unreadable`] and the walk goes on. The
/// root is never skipped for its name, and may be a single file.
///
/// # Errors
///
/// When the root itself does not exist or cannot be looked at.
pub fn walk(root: &Path, options: WalkOptions) -> Result<Tree, AuditError> {
    let resolved = root
        .canonicalize()
        .map_err(|source| AuditError::from_io(root, source))?;
    let pruned = !options.include_ignored && resolved.is_dir();
    let mut tree = Tree {
        root: resolved,
        files: Vec::new(),
        unreadable: Vec::new(),
        skipped: 0,
        pruned,
    };

    let mut skipped = 0;
    let entries = WalkDir::new(&tree.root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| {
            let skip = pruned && is_skipped(entry);
            skipped += u64::from(skip);
            !skip
        });
    for entry in entries {
        match entry {
            Ok(entry) if entry.file_type().is_file() => {
                tree.files.push(relative(&tree.root, entry.path()))
            }
            Ok(_) => {}
            Err(error) => {
                let path = error
                    .path()
                    .map_or_else(PathBuf::new, |path| relative(&tree.root, path));
                let path = if path.as_os_str().is_empty() {
                    ".".to_owned()
                } else {
                    path_text(&path)
                };
                let error = error
                    .io_error()
                    .map_or_else(|| "walk stopped here".to_owned(), ToString::to_string);
                tree.unreadable.push(Unreadable { path, error });
            }
        }
    }
    tree.skipped = skipped;
    Ok(tree)
}

fn is_skipped(entry: &DirEntry) -> bool {
    entry.depth() > 0
        && entry.file_type().is_dir()
        && SKIPPED_DIRECTORIES
            .iter()
            .any(|name| entry.file_name() == *name)
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_path_buf()
}
