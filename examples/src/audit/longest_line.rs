//! The longest line of a file.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Block, Scan};

/// Lines above this length are counted as long, in bytes.
const LONG_BYTES: u64 = 120;

/// The longest line of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongestLine {
    /// Its length in bytes, without the newline; zero for an empty file.
    pub bytes: u64,
    /// Its number, counted from 1, the first of several equals; zero for an empty file.
    pub line: u64,
    /// How many lines are longer than 120 bytes.
    pub lines_over_120: u64,
}

/// Looks for the longest line.
#[derive(Debug, Default)]
pub struct LongestLineScan {
    longest: LongestLine,
    line: u64,
    open_bytes: u64,
}

impl LongestLineScan {
    fn end_line(&mut self) {
        if self.open_bytes > self.longest.bytes || self.longest.line == 0 {
            self.longest.bytes = self.open_bytes;
            self.longest.line = self.line;
        }
        self.longest.lines_over_120 += u64::from(self.open_bytes > LONG_BYTES);
        self.open_bytes = 0;
        self.line = 0;
    }
}

impl Scan for LongestLineScan {
    type Report = LongestLine;

    fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
        for (line, piece) in
            (block.first_line..).zip(block.bytes.split_inclusive(|byte| *byte == b'\n'))
        {
            self.line = line;
            if let Some(rest) = piece.strip_suffix(b"\n") {
                self.open_bytes += rest.len() as u64;
                self.end_line();
            } else {
                self.open_bytes += piece.len() as u64;
            }
        }
        ControlFlow::Continue(())
    }

    fn finish(mut self) -> LongestLine {
        if self.line != 0 {
            self.end_line();
        }
        self.longest
    }
}
