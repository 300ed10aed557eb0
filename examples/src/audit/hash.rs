//! BLAKE3 of the content, as `b3sum` prints it.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Block, Scan};

/// The hash of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// 64 lower-case hexadecimal digits.
    pub blake3: String,
    /// How many bytes were hashed.
    pub bytes: u64,
}

/// Hashes a file.
#[derive(Debug, Default)]
pub struct HashScan {
    hasher: blake3::Hasher,
}

impl Scan for HashScan {
    type Report = Digest;

    fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
        self.hasher.update(block.bytes);
        ControlFlow::Continue(())
    }

    fn finish(self) -> Digest {
        Digest {
            blake3: self.hasher.finalize().to_hex().to_string(),
            bytes: self.hasher.count(),
        }
    }
}

/// One hash for a set of files: BLAKE3 over their sorted hashes, one a line.
///
/// `find … -print0 | xargs -0 b3sum --no-names | LC_ALL=C sort | b3sum` prints the same.
#[must_use]
pub fn content_digest<'a>(hashes: impl IntoIterator<Item = &'a str>) -> String {
    let mut sorted: Vec<&str> = hashes.into_iter().collect();
    sorted.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for hash in sorted {
        hasher.update(hash.as_bytes()).update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}
