//! Files of equal content: a reduce step over the hashes of all files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Above this many files of one length, their hashes decide too who is compared with whom, so that a
/// job's payload stays small.
const SHARD_FILES_MAX: usize = 256;

/// A file as the hash analyser saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashedFile {
    /// Its index in the tree.
    pub file: usize,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its hash.
    pub blake3: String,
}

/// Files of equal content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateGroup {
    /// The hash that they share.
    pub blake3: String,
    /// The length of each, in bytes.
    pub bytes: u64,
    /// Their indices in the tree, ascending; two at least.
    pub files: Vec<usize>,
    /// What all copies but one take up, in bytes. Names of the same file (hard links) are one copy.
    pub wasted_bytes: u64,
}

/// What one comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateReport {
    /// The groups, in the order of their first file.
    pub groups: Vec<DuplicateGroup>,
}

/// Sorts files into sets that must be compared: only files of one length can be equal.
///
/// Empty files are all equal and waste nothing, so they are left out; so is a file that nothing
/// compares with.
#[must_use]
pub fn shards(files: impl IntoIterator<Item = HashedFile>) -> Vec<Vec<HashedFile>> {
    let mut by_length: BTreeMap<u64, Vec<HashedFile>> = BTreeMap::new();
    for file in files.into_iter().filter(|file| file.bytes > 0) {
        by_length.entry(file.bytes).or_default().push(file);
    }
    let mut shards = Vec::new();
    for (_, mut files) in by_length {
        files.sort_unstable_by_key(|file| file.file);
        if files.len() <= SHARD_FILES_MAX {
            shards.push(files);
            continue;
        }
        let mut by_prefix: BTreeMap<String, Vec<HashedFile>> = BTreeMap::new();
        for file in files {
            by_prefix
                .entry(file.blake3.chars().take(2).collect())
                .or_default()
                .push(file);
        }
        shards.extend(by_prefix.into_values());
    }
    shards.retain(|files| files.len() > 1);
    shards
}

/// Groups the files of one shard by length and hash.
///
/// `identity` tells which names belong to one file on disk; `None` means "a copy of its own".
#[must_use]
pub fn group<I: Ord>(
    files: &[HashedFile],
    identity: impl Fn(usize) -> Option<I>,
) -> DuplicateReport {
    let mut equal: BTreeMap<(&str, u64), Vec<usize>> = BTreeMap::new();
    for file in files {
        equal
            .entry((&file.blake3, file.bytes))
            .or_default()
            .push(file.file);
    }
    let mut groups: Vec<DuplicateGroup> = equal
        .into_iter()
        .filter(|(_, files)| files.len() > 1)
        .map(|((blake3, bytes), mut files)| {
            files.sort_unstable();
            let mut known: Vec<I> = files.iter().filter_map(|file| identity(*file)).collect();
            let unknown = files.len() - known.len();
            known.sort_unstable();
            known.dedup();
            let copies = (known.len() + unknown) as u64;
            let wasted_bytes = bytes.saturating_mul(copies.saturating_sub(1));
            DuplicateGroup {
                blake3: blake3.to_owned(),
                bytes,
                files,
                wasted_bytes,
            }
        })
        .collect();
    groups.sort_by(|left, right| left.files.cmp(&right.files));
    DuplicateReport { groups }
}
