//! How an analyser gets to see a file: block by block, in constant memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use super::AuditError;

/// The largest block that a scan is given, in bytes.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// A piece of a file. It ends after a newline or at the end of the file, unless a line is longer than
/// [`BLOCK_BYTES`]: such a line comes in several blocks.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// The bytes; never empty.
    pub bytes: &'a [u8],
    /// The number of the line in which the first byte stands, counted from 1.
    pub first_line: u64,
    /// Whether this is the first block of the file.
    pub is_first: bool,
}

/// An analyser that sees each byte of a file once.
pub trait Scan {
    /// What it found.
    type Report;

    /// Takes the next block; `Break` when the rest of the file cannot matter.
    fn block(&mut self, block: Block<'_>) -> ControlFlow<()>;

    /// Sums up. An empty file comes here without any block.
    fn finish(self) -> Self::Report;
}

/// Scans the regular file at `path`.
///
/// # Errors
///
/// [`AuditError::NotRegular`] when something else stands there (a pipe would block, a symlink would lead
/// out of the tree), otherwise what the system said, sorted into temporary and permanent.
pub fn scan_file<S: Scan>(scan: S, path: &Path) -> Result<S::Report, AuditError> {
    let metadata =
        fs::symlink_metadata(path).map_err(|source| AuditError::from_io(path, source))?;
    if !metadata.is_file() {
        return Err(AuditError::NotRegular {
            path: super::path_text(path),
        });
    }
    let file = File::open(path).map_err(|source| AuditError::from_io(path, source))?;
    // One byte more than the length lets the end of a small file show in the first pass.
    let wanted = usize::try_from(metadata.len())
        .unwrap_or(BLOCK_BYTES)
        .saturating_add(1);
    scan_in(scan, file, wanted.clamp(4 * 1024, BLOCK_BYTES))
        .map_err(|source| AuditError::from_io(path, source))
}

/// Scans what a reader yields.
///
/// # Errors
///
/// The reader's, except that an interrupted read is repeated at once.
pub fn scan_reader<S: Scan>(scan: S, reader: impl Read) -> io::Result<S::Report> {
    scan_in(scan, reader, BLOCK_BYTES)
}

/// Scans bytes that are in memory already.
pub fn scan_bytes<S: Scan>(mut scan: S, bytes: &[u8]) -> S::Report {
    if !bytes.is_empty() {
        // With one block there is nothing to stop before.
        let _ = scan.block(Block {
            bytes,
            first_line: 1,
            is_first: true,
        });
    }
    scan.finish()
}

fn scan_in<S: Scan>(
    mut scan: S,
    mut reader: impl Read,
    block_bytes: usize,
) -> io::Result<S::Report> {
    let mut buffer = vec![0; block_bytes];
    let mut filled = 0;
    let mut first_line = 1;
    let mut is_first = true;
    loop {
        let at_end = fill(&mut reader, &mut buffer, &mut filled)?;
        let cut = match buffer[..filled].iter().rposition(|byte| *byte == b'\n') {
            Some(newline) if !at_end => newline + 1,
            _ => filled,
        };
        if cut > 0 {
            let bytes = &buffer[..cut];
            if scan
                .block(Block {
                    bytes,
                    first_line,
                    is_first,
                })
                .is_break()
            {
                break;
            }
            first_line += count_newlines(bytes);
            is_first = false;
        }
        if at_end {
            break;
        }
        buffer.copy_within(cut..filled, 0);
        filled -= cut;
    }
    Ok(scan.finish())
}

/// Fills the buffer as far as the reader goes; true at the reader's end.
fn fill(reader: &mut impl Read, buffer: &mut [u8], filled: &mut usize) -> io::Result<bool> {
    while *filled < buffer.len() {
        match reader.read(&mut buffer[*filled..]) {
            Ok(0) => return Ok(true),
            Ok(read) => *filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Newlines in `bytes`, as a number for counters.
pub(super) fn count_newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Whether a first block is no text: it holds a NUL, which is how `grep` and `git` decide.
pub(super) fn looks_binary(bytes: &[u8]) -> bool {
    bytes.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Pieces(Vec<(u64, Vec<u8>)>);

    impl Scan for Pieces {
        type Report = Vec<(u64, Vec<u8>)>;

        fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
            assert_eq!(block.is_first, self.0.is_empty());
            self.0.push((block.first_line, block.bytes.to_vec()));
            ControlFlow::Continue(())
        }

        fn finish(self) -> Self::Report {
            self.0
        }
    }

    /// Yields one byte at a time and is interrupted before each.
    struct Dribble<'a>(&'a [u8], bool);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = self.0.len().min(1).min(buffer.len());
            self.0.read(&mut buffer[..length])
        }
    }

    fn check(input: &[u8], block_bytes: usize, pieces: &[(u64, &[u8])]) {
        let expected: Vec<(u64, Vec<u8>)> = pieces
            .iter()
            .map(|(line, bytes)| (*line, bytes.to_vec()))
            .collect();
        assert_eq!(
            scan_in(Pieces::default(), input, block_bytes).unwrap(),
            expected
        );
        assert_eq!(
            scan_in(Pieces::default(), Dribble(input, false), block_bytes).unwrap(),
            expected
        );
    }

    #[test]
    fn blocks_end_at_lines_where_they_can() {
        check(b"", 4, &[]);
        check(b"ab\n", 4, &[(1, b"ab\n")]);
        check(b"ab\ncd\ne", 4, &[(1, b"ab\n"), (2, b"cd\n"), (3, b"e")]);
        check(
            b"abcdefghij\nk",
            4,
            &[(1, b"abcd"), (1, b"efgh"), (1, b"ij\n"), (2, b"k")],
        );
        check(b"\n\n\n\n\n", 4, &[(1, b"\n\n\n\n"), (5, b"\n")]);
    }

    #[test]
    fn a_reader_that_fails_fails_the_scan() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::TimedOut.into())
            }
        }
        assert_eq!(
            scan_reader(Pieces::default(), Broken).unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
    }
}
