//! A problem and where in the file it is.

use std::fmt;
use std::ops::Range;

use crate::workflow::problem::{PROBLEMS_MAX, Problem};

/// A problem with its place in the text, in bytes.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) span: Range<usize>,
    pub(super) problem: Problem,
}

/// One thing that is wrong with a workflow file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    line: usize,
    column: usize,
    /// The line at fault, or the part of it around the fault.
    excerpt: String,
    /// Where the fault is in the excerpt, and how long, in characters.
    mark: (usize, usize),
    problem: Problem,
}

impl FileProblem {
    /// The line, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The column, in characters from 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, and what to write instead.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }

    fn new(lines: &Lines<'_>, found: Found) -> Self {
        /// So much of a long line is shown.
        const CHARS_MAX: usize = 120;
        const BEFORE: usize = 60;
        let (number, line, start) = lines.at(found.span.start);
        let offset = found.span.start.saturating_sub(start).min(line.len());
        let column = line
            .get(..offset)
            .map_or(0, |before| before.chars().count());
        let chars: Vec<char> = line.chars().map(shown).collect();
        let skipped = match chars.len() > CHARS_MAX {
            true => column.saturating_sub(BEFORE),
            false => 0,
        };
        let excerpt: String = chars.iter().skip(skipped).take(CHARS_MAX).collect();
        let length = lines.text.get(found.span.clone()).unwrap_or_default();
        let length = length.lines().next().unwrap_or_default().chars().count();
        let room = excerpt.chars().count().saturating_sub(column - skipped);
        Self {
            line: number,
            column: column + 1,
            mark: (column - skipped, length.min(room).max(1)),
            excerpt,
            problem: found.problem,
        }
    }
}

/// A character that keeps its column.
fn shown(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Where the lines of a text begin.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let next = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(next).collect(),
        }
    }

    /// The number of the line at an offset, its text, and its own offset.
    fn at(&self, offset: usize) -> (usize, &'t str, usize) {
        let number = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[number - 1];
        let line = self.text.get(start..).unwrap_or_default();
        let line = line.lines().next().unwrap_or_default();
        (number, line, start)
    }
}

/// Everything that is wrong with a workflow file, by line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct WorkflowFileErrors {
    problems: Vec<FileProblem>,
    unlisted: usize,
}

impl WorkflowFileErrors {
    pub(super) fn new(text: &str, mut found: Vec<Found>, unlisted: usize) -> Self {
        found.sort_by_key(|found| found.span.start);
        let more = found.len().saturating_sub(PROBLEMS_MAX);
        found.truncate(PROBLEMS_MAX);
        let lines = Lines::of(text);
        let found = found.into_iter();
        Self {
            problems: found.map(|found| FileProblem::new(&lines, found)).collect(),
            unlisted: unlisted + more,
        }
    }

    /// The problems, by line; at most [`PROBLEMS_MAX`].
    #[must_use]
    pub fn problems(&self) -> &[FileProblem] {
        &self.problems
    }

    /// How many problems there are besides those listed.
    #[must_use]
    pub const fn unlisted(&self) -> usize {
        self.unlisted
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line, self.column);
        writeln!(
            f,
            "line {line}, column {column}: {}",
            self.problem.message()
        )?;
        writeln!(f, "{line} | {}", self.excerpt)?;
        let margin = " ".repeat(line.to_string().len());
        let (at, length) = self.mark;
        writeln!(f, "{margin} | {}{}", " ".repeat(at), "^".repeat(length))?;
        write!(f, "{}", self.problem.remedy())
    }
}

impl fmt::Display for WorkflowFileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len() + self.unlisted;
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "the workflow file has {count} problem{plural}")?;
        for problem in &self.problems {
            write!(f, "\n\n{problem}")?;
        }
        match self.unlisted {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more"),
        }
    }
}
