//! White space that editors and reviewers complain about.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::scan::looks_binary;
use super::{Block, Scan};

/// The white space of one file. A binary file has nothing to complain about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhitespaceReport {
    /// Lines that end in blanks or tabs; the carriage return of a CR LF is none of them.
    pub trailing_lines: u64,
    /// Lines that are indented by tabs only.
    pub tab_lines: u64,
    /// Lines that are indented by blanks only.
    pub space_lines: u64,
    /// Lines that are indented by both.
    pub mixed_lines: u64,
    /// Whether a last line lacks its newline.
    pub missing_final_newline: bool,
}

impl WhitespaceReport {
    /// Whether the file's indentation is of more than one kind.
    #[must_use]
    pub const fn has_mixed_indentation(&self) -> bool {
        self.mixed_lines > 0 || (self.tab_lines > 0 && self.space_lines > 0)
    }
}

/// Looks at the white space.
#[derive(Debug, Default)]
pub struct WhitespaceScan {
    report: WhitespaceReport,
    line: Line,
}

/// What is known of the line under way.
#[derive(Debug, Default)]
struct Line {
    has_content: bool,
    tab_indent: bool,
    space_indent: bool,
    ends_blank: bool,
    open_cr: bool,
    any: bool,
}

impl WhitespaceScan {
    fn end_line(&mut self) {
        self.report.trailing_lines += u64::from(self.line.ends_blank);
        // A line of blanks alone is trailing space, not indentation.
        if self.line.has_content {
            match (self.line.tab_indent, self.line.space_indent) {
                (true, true) => self.report.mixed_lines += 1,
                (true, false) => self.report.tab_lines += 1,
                (false, true) => self.report.space_lines += 1,
                (false, false) => {}
            }
        }
        self.line = Line::default();
    }

    fn byte(&mut self, byte: u8) {
        let line = &mut self.line;
        line.any = true;
        if line.open_cr {
            // The carriage return was not part of the line's ending after all.
            line.open_cr = false;
            line.has_content = true;
            line.ends_blank = false;
        }
        match byte {
            b' ' | b'\t' => {
                line.ends_blank = true;
                if !line.has_content {
                    line.tab_indent |= byte == b'\t';
                    line.space_indent |= byte == b' ';
                }
            }
            b'\r' => line.open_cr = true,
            _ => {
                line.has_content = true;
                line.ends_blank = false;
            }
        }
    }
}

impl Scan for WhitespaceScan {
    type Report = WhitespaceReport;

    fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
        if block.is_first && looks_binary(block.bytes) {
            return ControlFlow::Break(());
        }
        for byte in block.bytes {
            match byte {
                b'\n' => self.end_line(),
                other => self.byte(*other),
            }
        }
        ControlFlow::Continue(())
    }

    fn finish(mut self) -> WhitespaceReport {
        if self.line.any {
            self.report.missing_final_newline = true;
            self.end_line();
        }
        self.report
    }
}
