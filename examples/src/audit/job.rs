//! One task of the audit: what to do, doing it, and what came out.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    AuditError, Capability, Digest, DuplicateReport, EncodingReport, EncodingScan, EntropyReport,
    EntropyScan, HashScan, HashedFile, LanguageReport, LanguageScan, LicenceReport, LicenceScan,
    LineCounts, LineScan, LongestLine, LongestLineScan, SecretReport, SecretScan, SizeReport,
    TodoReport, TodoScan, Tree, WhitespaceReport, WhitespaceScan, group, measure, scan_file,
    shards,
};

/// The payload of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Look at one file.
    Analyse {
        /// For what; not [`Capability::Duplicates`].
        capability: Capability,
        /// The file's index in the tree.
        file: usize,
    },
    /// Compare files of one length.
    FindDuplicates {
        /// The files with their hashes.
        files: Vec<HashedFile>,
    },
}

/// The result of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "capability", content = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// Of [`Capability::Hash`].
    Hash(Digest),
    /// Of [`Capability::Lines`].
    Lines(LineCounts),
    /// Of [`Capability::Secrets`].
    Secrets(SecretReport),
    /// Of [`Capability::Licence`].
    Licence(LicenceReport),
    /// Of [`Capability::Size`].
    Size(SizeReport),
    /// Of [`Capability::Duplicates`].
    Duplicates(DuplicateReport),
    /// Of [`Capability::Language`].
    Language(LanguageReport),
    /// Of [`Capability::Todo`].
    Todo(TodoReport),
    /// Of [`Capability::Encoding`].
    Encoding(EncodingReport),
    /// Of [`Capability::Whitespace`].
    Whitespace(WhitespaceReport),
    /// Of [`Capability::LongestLine`].
    LongestLine(LongestLine),
    /// Of [`Capability::Entropy`].
    Entropy(EntropyReport),
}

impl Job {
    /// What an agent must be able to do to take this job.
    #[must_use]
    pub const fn capability(&self) -> Capability {
        match self {
            Self::Analyse { capability, .. } => *capability,
            Self::FindDuplicates { .. } => Capability::Duplicates,
        }
    }

    /// The file that the job looks at, when it is one file.
    #[must_use]
    pub const fn file(&self) -> Option<usize> {
        match self {
            Self::Analyse { file, .. } => Some(*file),
            Self::FindDuplicates { .. } => None,
        }
    }

    /// Does the job. It blocks on the disk: call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// When the file cannot be read ([`AuditError::is_temporary`] tells whether to try again), or when
    /// the job was made for another tree.
    pub fn run(&self, tree: &Tree) -> Result<Outcome, AuditError> {
        match self {
            Self::Analyse { capability, file } => {
                let name = tree
                    .files()
                    .get(*file)
                    .map_or(Path::new(""), |path| path.as_path());
                analyse(*capability, name, &tree.absolute(*file)?)
            }
            Self::FindDuplicates { files } => {
                if let Some(unknown) = files.iter().find(|file| file.file >= tree.files().len()) {
                    return Err(AuditError::UnknownFile {
                        file: unknown.file,
                        files: tree.files().len(),
                    });
                }
                let identity = |file| tree.absolute(file).ok().and_then(|path| identity(&path));
                Ok(Outcome::Duplicates(group(files, identity)))
            }
        }
    }
}

fn analyse(capability: Capability, name: &Path, path: &Path) -> Result<Outcome, AuditError> {
    // A root that is a file has no name relative to itself.
    let name = if name.as_os_str().is_empty() {
        path
    } else {
        name
    };
    Ok(match capability {
        Capability::Hash => Outcome::Hash(scan_file(HashScan::default(), path)?),
        Capability::Lines => Outcome::Lines(scan_file(LineScan::default(), path)?),
        Capability::Secrets => Outcome::Secrets(scan_file(SecretScan::default(), path)?),
        Capability::Licence => Outcome::Licence(scan_file(LicenceScan::new(name), path)?),
        Capability::Size => Outcome::Size(measure(path)?),
        Capability::Duplicates => return Err(AuditError::NotPerFile),
        Capability::Language => Outcome::Language(scan_file(LanguageScan::new(name), path)?),
        Capability::Todo => Outcome::Todo(scan_file(TodoScan::default(), path)?),
        Capability::Encoding => Outcome::Encoding(scan_file(EncodingScan::default(), path)?),
        Capability::Whitespace => Outcome::Whitespace(scan_file(WhitespaceScan::default(), path)?),
        Capability::LongestLine => {
            Outcome::LongestLine(scan_file(LongestLineScan::default(), path)?)
        }
        Capability::Entropy => Outcome::Entropy(scan_file(EntropyScan::default(), path)?),
    })
}

/// What makes two names one file: device and inode.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Without inodes, the resolved path.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<std::path::PathBuf> {
    fs::canonicalize(path).ok()
}

/// A job for every file and every capability that looks at one file, file by file.
pub fn first_wave(tree: &Tree) -> impl ExactSizeIterator<Item = Job> + use<> {
    const PER_FILE: usize = Capability::ALL.len() - 1;
    let capabilities: Vec<Capability> = Capability::ALL
        .into_iter()
        .filter(|one| one.is_per_file())
        .collect();
    (0..tree.files().len() * PER_FILE).map(move |index| Job::Analyse {
        capability: capabilities[index % PER_FILE],
        file: index / PER_FILE,
    })
}

/// The jobs that compare files, once the hashes are there.
pub fn second_wave(hashes: impl IntoIterator<Item = HashedFile>) -> Vec<Job> {
    shards(hashes)
        .into_iter()
        .map(|files| Job::FindDuplicates { files })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_and_outcomes_survive_json() {
        let job = Job::Analyse {
            capability: Capability::LongestLine,
            file: 7,
        };
        let json = serde_json::to_value(&job).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"analyse": {"capability": "longest_line", "file": 7}})
        );
        assert_eq!(serde_json::from_value::<Job>(json).unwrap(), job);

        let outcome = Outcome::Duplicates(DuplicateReport::default());
        let json = serde_json::to_value(&outcome).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"capability": "duplicates", "result": {"groups": []}})
        );
        assert_eq!(serde_json::from_value::<Outcome>(json).unwrap(), outcome);
    }
}
