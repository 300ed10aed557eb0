//! Lines that somebody marked as unfinished.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::scan::{count_newlines, looks_binary};
use super::{Block, Scan};

/// How many lines of one file are listed; more are counted only.
const MARKS_MAX: usize = 100;

static MARKER: LazyLock<Regex> = LazyLock::new(|| {
    RegexBuilder::new(r"\b(?:TODO|FIXME|XXX)\b")
        .unicode(false)
        .build()
        .expect("the pattern is a constant and the tests compile it")
});

/// The marked lines of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TodoReport {
    /// How many lines hold a marker: `grep -cwE 'TODO|FIXME|XXX'`. A binary file counts as none.
    pub lines: u64,
    /// The first of these lines.
    pub marks: Vec<TodoMark>,
}

/// One marked line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TodoMark {
    /// The line, counted from 1.
    pub line: u64,
    /// The first marker in it.
    pub marker: String,
}

/// Looks for marked lines.
#[derive(Debug, Default)]
pub struct TodoScan {
    report: TodoReport,
    last_line: u64,
}

impl Scan for TodoScan {
    type Report = TodoReport;

    fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
        if block.is_first && looks_binary(block.bytes) {
            return ControlFlow::Break(());
        }
        let mut line = block.first_line;
        let mut counted_to = 0;
        for found in MARKER.find_iter(block.bytes) {
            line += count_newlines(&block.bytes[counted_to..found.start()]);
            counted_to = found.start();
            if line == self.last_line {
                continue;
            }
            self.last_line = line;
            self.report.lines += 1;
            if self.report.marks.len() < MARKS_MAX {
                let marker = String::from_utf8_lossy(found.as_bytes()).into_owned();
                self.report.marks.push(TodoMark { line, marker });
            }
        }
        ControlFlow::Continue(())
    }

    fn finish(self) -> TodoReport {
        self.report
    }
}
