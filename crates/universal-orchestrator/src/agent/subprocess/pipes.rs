//! The three pipes. Every `async fn` here can be dropped at its await and called again.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

const STDERR_BYTES_MAX: usize = 4096;

/// The request on its way into the program.
#[derive(Debug)]
pub(super) struct RequestPipe<P> {
    pipe: Option<P>,
    bytes: Vec<u8>,
    written: usize,
}

impl<P: AsyncWrite + Unpin> RequestPipe<P> {
    pub(super) const fn new(pipe: Option<P>, bytes: Vec<u8>) -> Self {
        Self {
            pipe,
            bytes,
            written: 0,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    pub(super) fn close(&mut self) {
        self.pipe = None;
        self.bytes = Vec::new();
    }

    /// Writes a further part, and closes the pipe after the last.
    pub(super) async fn write(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.write(&self.bytes[self.written..]).await {
            Ok(count) if count > 0 => self.written += count,
            // The program need not read its request: what it prints and how it ends decides.
            _ => return self.close(),
        }
        if self.written == self.bytes.len() {
            self.close();
        }
    }
}

/// What reading stdout brought.
#[derive(Debug)]
pub(super) enum Heard {
    Line(Vec<u8>),
    TooLong,
    Closed,
    Failed(io::Error),
}

/// Reads lines of limited length.
#[derive(Debug)]
pub(super) struct LineReader<P> {
    pipe: Option<BufReader<P>>,
    line: Vec<u8>,
    line_bytes_max: usize,
    discards: bool,
}

impl<P: AsyncRead + Unpin> LineReader<P> {
    pub(super) fn new(pipe: Option<P>, line_bytes_max: usize) -> Self {
        Self {
            pipe: pipe.map(BufReader::new),
            line: Vec::new(),
            line_bytes_max,
            discards: false,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// From here on everything is read and thrown away, so that the program never blocks on a full pipe.
    pub(super) fn discard_rest(&mut self) {
        self.discards = true;
        self.line = Vec::new();
    }

    /// The next line without its newline; the last one need not have one.
    pub(super) async fn next(&mut self) -> Heard {
        while let Some(pipe) = &mut self.pipe {
            let chunk = match pipe.fill_buf().await {
                Ok(chunk) => chunk,
                Err(error) => {
                    self.pipe = None;
                    return Heard::Failed(error);
                }
            };
            if chunk.is_empty() {
                if !self.line.is_empty() {
                    // The pipe stays, to be found at its end once more.
                    return Heard::Line(std::mem::take(&mut self.line));
                }
                self.pipe = None;
                break;
            }
            if self.discards {
                let count = chunk.len();
                pipe.consume(count);
                continue;
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if part.len() > self.line_bytes_max - self.line.len() {
                return Heard::TooLong;
            }
            self.line.extend_from_slice(part);
            let count = part.len() + usize::from(end.is_some());
            pipe.consume(count);
            if end.is_some() {
                return Heard::Line(std::mem::take(&mut self.line));
            }
        }
        Heard::Closed
    }
}

/// Reads everything and keeps the end.
#[derive(Debug)]
pub(super) struct StderrTail<P> {
    pipe: Option<P>,
    chunk: Vec<u8>,
    tail: Vec<u8>,
    is_cut: bool,
}

impl<P: AsyncRead + Unpin> StderrTail<P> {
    pub(super) fn new(pipe: Option<P>) -> Self {
        Self {
            pipe,
            chunk: vec![0; STDERR_BYTES_MAX],
            tail: Vec::new(),
            is_cut: false,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    pub(super) async fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read(&mut self.chunk).await {
            Ok(count) if count > 0 => self.keep(count),
            // Stderr only illustrates errors: what cannot be read is missing there.
            _ => self.pipe = None,
        }
    }

    fn keep(&mut self, count: usize) {
        self.tail.extend_from_slice(&self.chunk[..count]);
        let excess = self.tail.len().saturating_sub(STDERR_BYTES_MAX);
        if excess > 0 {
            self.tail.drain(..excess);
            self.is_cut = true;
        }
    }

    /// The last lines, whole ones where there is one.
    pub(super) fn text(&self) -> String {
        let mut tail = self.tail.as_slice();
        if self.is_cut
            && let Some(end) = tail.iter().position(|byte| *byte == b'\n')
            && end + 1 < tail.len()
        {
            tail = &tail[end + 1..];
        }
        String::from_utf8_lossy(tail).trim().to_owned()
    }
}

#[cfg(test)]
mod tests;
