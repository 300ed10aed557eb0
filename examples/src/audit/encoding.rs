//! How a file's text is encoded and how its lines end.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Block, Scan};

/// The encoding of one file, as far as its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// No bytes.
    Empty,
    /// Bytes below 128 only.
    Ascii,
    /// Valid UTF-8 beyond ASCII.
    Utf8,
    /// Starts with the byte order mark of little-endian UTF-16.
    Utf16Le,
    /// Starts with the byte order mark of big-endian UTF-16.
    Utf16Be,
    /// Not UTF-8 and without NUL: an older 8-bit encoding, most likely.
    EightBit,
    /// Holds a NUL.
    Binary,
}

/// How the lines of a file end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEndings {
    /// There is no line ending, or the file is not text.
    None,
    /// All end in LF.
    Lf,
    /// All end in CR LF.
    Crlf,
    /// All end in a lone CR.
    Cr,
    /// More than one kind.
    Mixed,
}

/// What the encoding analyser found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodingReport {
    /// The encoding.
    pub encoding: Encoding,
    /// Whether the file starts with a byte order mark.
    pub bom: bool,
    /// The kind of line endings.
    pub line_endings: LineEndings,
    /// Line feeds that no carriage return precedes.
    pub lf: u64,
    /// Carriage returns with their line feed.
    pub crlf: u64,
    /// Carriage returns that no line feed follows.
    pub cr: u64,
}

/// Looks at the encoding.
#[derive(Debug, Default)]
pub struct EncodingScan {
    start: Vec<u8>,
    has_nul: bool,
    has_high: bool,
    invalid: bool,
    /// The bytes of a character whose end the next block brings.
    open_character: Vec<u8>,
    open_cr: bool,
    lf: u64,
    crlf: u64,
    cr: u64,
}

impl EncodingScan {
    fn check_utf8(&mut self, mut bytes: &[u8]) {
        while !self.open_character.is_empty() && !self.invalid {
            let Some((first, rest)) = bytes.split_first() else {
                return;
            };
            bytes = rest;
            self.open_character.push(*first);
            match std::str::from_utf8(&self.open_character) {
                Ok(_) => self.open_character.clear(),
                Err(error) => self.invalid = error.error_len().is_some(),
            }
        }
        if self.invalid {
            return;
        }
        if let Err(error) = std::str::from_utf8(bytes) {
            match error.error_len() {
                Some(_) => self.invalid = true,
                None => self
                    .open_character
                    .extend_from_slice(&bytes[error.valid_up_to()..]),
            }
        }
    }

    fn count_endings(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match (byte, self.open_cr) {
                (b'\n', true) => self.crlf += 1,
                (b'\n', false) => self.lf += 1,
                (_, true) => self.cr += 1,
                (_, false) => {}
            }
            self.open_cr = *byte == b'\r';
        }
    }

    fn encoding(&self) -> Encoding {
        match self.start.as_slice() {
            [] => Encoding::Empty,
            [0xff, 0xfe, ..] => Encoding::Utf16Le,
            [0xfe, 0xff, ..] => Encoding::Utf16Be,
            _ if self.has_nul => Encoding::Binary,
            _ if self.invalid || !self.open_character.is_empty() => Encoding::EightBit,
            _ if self.has_high => Encoding::Utf8,
            _ => Encoding::Ascii,
        }
    }
}

impl Scan for EncodingScan {
    type Report = EncodingReport;

    fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
        if block.is_first {
            self.start = block.bytes[..block.bytes.len().min(3)].to_vec();
        }
        self.has_nul |= block.bytes.contains(&0);
        self.has_high |= !block.bytes.is_ascii();
        self.check_utf8(block.bytes);
        self.count_endings(block.bytes);
        ControlFlow::Continue(())
    }

    fn finish(mut self) -> EncodingReport {
        self.cr += u64::from(self.open_cr);
        let encoding = self.encoding();
        let is_text = matches!(
            encoding,
            Encoding::Ascii | Encoding::Utf8 | Encoding::EightBit
        );
        if !is_text {
            // In UTF-16 and in binary files these bytes are parts of something else.
            (self.lf, self.crlf, self.cr) = (0, 0, 0);
        }
        let line_endings = match (self.lf, self.crlf, self.cr) {
            (0, 0, 0) => LineEndings::None,
            (_, 0, 0) => LineEndings::Lf,
            (0, _, 0) => LineEndings::Crlf,
            (0, 0, _) => LineEndings::Cr,
            _ => LineEndings::Mixed,
        };
        let bom = matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be)
            || self.start == [0xef, 0xbb, 0xbf];
        EncodingReport {
            encoding,
            bom,
            line_endings,
            lf: self.lf,
            crlf: self.crlf,
            cr: self.cr,
        }
    }
}
