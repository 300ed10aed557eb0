//! Newlines, words and bytes, as `wc` counts them in the C locale.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::scan::count_newlines;
use super::{Block, Scan};

/// The counts of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCounts {
    /// Newline characters: `wc -l`. A last line without a newline does not count.
    pub newlines: u64,
    /// Runs of bytes that are not white space: `wc -w` as POSIX defines it.
    pub words: u64,
    /// Those of the words that hold a printable ASCII character. GNU `wc -w`, at least up to coreutils
    /// 9.1, counts only these: to it a lone `→` is no word in the C locale.
    pub printable_words: u64,
    /// Bytes: `wc -c`.
    pub bytes: u64,
}

/// Counts a file.
#[derive(Debug, Default)]
pub struct LineScan {
    counts: LineCounts,
    in_word: bool,
    in_printable_word: bool,
}

impl Scan for LineScan {
    type Report = LineCounts;

    fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
        self.counts.bytes += block.bytes.len() as u64;
        self.counts.newlines += count_newlines(block.bytes);
        for byte in block.bytes {
            // The white space of C's `isspace`; Rust's ASCII test leaves out the vertical tab.
            if matches!(byte, b' ' | b'\t'..=b'\r') {
                self.in_word = false;
                self.in_printable_word = false;
            } else {
                let printable = byte.is_ascii_graphic();
                self.counts.words += u64::from(!self.in_word);
                self.counts.printable_words += u64::from(printable && !self.in_printable_word);
                self.in_word = true;
                self.in_printable_word |= printable;
            }
        }
        ControlFlow::Continue(())
    }

    fn finish(self) -> LineCounts {
        self.counts
    }
}
