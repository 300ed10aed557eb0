//! What the audit says at its end: to people as tables, to programs as JSON.

mod builder;
mod gathered;
mod terminal;
mod timing;

use serde::Serialize;

pub use self::builder::{Done, ReportBuilder};
pub use self::timing::Timing;

use super::{Capability, Digest, LicenceSource, Unreadable};

/// The whole report. It serialises to what `--json` prints and displays as what the terminal shows.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The root, made printable.
    pub root: String,
    /// The `find` command that prints the audited files.
    pub find_command: String,
    /// Directories left out because of their name.
    pub skipped_directories: u64,
    /// From the first submission to the last result, in milliseconds.
    pub elapsed_ms: f64,
    /// Tasks that ended, whether well or not.
    pub tasks: u64,
    /// Tasks that ended without a result.
    pub errors: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Tasks by the time they took.
    pub tasks_per_second: f64,
    /// Sums over all files.
    pub totals: Totals,
    /// One row for each capability.
    pub capabilities: Vec<CapabilityRow>,
    /// One row for each agent, in the order of registration.
    pub agents: Vec<AgentRow>,
    /// What the agents found.
    pub findings: Findings,
    /// How many rows of a list the terminal shows.
    #[serde(skip)]
    pub(super) top: usize,
}

/// Sums over all files, each of which a Unix tool can check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Regular files: `find … -type f`.
    pub files: u64,
    /// Bytes read: `wc -c`.
    pub bytes: u64,
    /// Newlines: `wc -l`.
    pub lines: u64,
    /// Words as POSIX defines them: `wc -w`.
    pub words: u64,
    /// Words as GNU `wc` counts them up to coreutils 9.1 at least.
    pub printable_words: u64,
    /// Files that were hashed; less than `files` when some could not be read.
    pub hashed_files: u64,
    /// BLAKE3 over the sorted hashes of all files, one a line.
    pub content_digest: String,
}

/// What the agents of one capability did.
#[derive(Clone, Debug, Serialize)]
pub struct CapabilityRow {
    /// The capability.
    pub capability: Capability,
    /// How many agents have it.
    pub agents: u64,
    /// The numbers; utilisation is that of all these agents together.
    #[serde(flatten)]
    pub timing: Timing,
}

/// What one agent did.
#[derive(Clone, Debug, Serialize)]
pub struct AgentRow {
    /// Its id.
    pub agent: String,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// The numbers.
    #[serde(flatten)]
    pub timing: Timing,
}

/// What the agents found. Lists are in the order of the paths unless they say otherwise.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// How many suspected secrets there are, listed or not.
    pub secrets_count: u64,
    /// Suspected secrets, redacted; one file lists a hundred at most.
    pub secrets: Vec<SecretRow>,
    /// Groups of files of equal content, the most wasteful first.
    pub duplicates: Vec<DuplicateRow>,
    /// What all copies but one take up, in bytes.
    pub wasted_bytes: u64,
    /// Licences, the most frequent first.
    pub licences: Vec<LicenceRow>,
    /// Files that say nothing about their licence.
    pub files_without_licence: u64,
    /// Lines that are marked as unfinished.
    pub todo_lines: u64,
    /// The files with most of these lines.
    pub todo_files: Ranked,
    /// Languages, the one with most lines first.
    pub languages: Vec<LanguageRow>,
    /// The largest files, by bytes.
    pub largest: Ranked,
    /// Files with holes, by bytes.
    pub sparse: Ranked,
    /// Files with no bytes.
    pub empty_files: u64,
    /// Files with the longest lines, by the bytes of the line.
    pub longest_lines: Ranked,
    /// Files that look compressed, encrypted or random, by thousandths of a bit per byte.
    pub packed: Ranked,
    /// Encodings, by files.
    pub encodings: Vec<Count>,
    /// Line endings, by files.
    pub line_endings: Vec<Count>,
    /// Files that start with a byte order mark.
    pub files_with_bom: u64,
    /// White space to complain about.
    pub whitespace: WhitespaceTotals,
    /// What could not be read, after all retries.
    pub unreadable: Vec<UnreadableRow>,
}

/// One suspected secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretRow {
    /// The file.
    pub path: String,
    /// The line, counted from 1.
    pub line: u64,
    /// The rule that it matched.
    pub rule: String,
    /// Its first characters, four at most.
    pub starts_with: String,
}

/// Files of equal content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DuplicateRow {
    /// What they share.
    #[serde(flatten)]
    pub content: Digest,
    /// What all copies but one take up, in bytes.
    pub wasted_bytes: u64,
    /// The files.
    pub paths: Vec<String>,
}

/// How often a licence was found in one kind of place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LicenceRow {
    /// The SPDX expression.
    pub expression: String,
    /// Where it was found.
    pub source: LicenceSource,
    /// In how many files.
    pub files: u64,
}

/// The files of one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LanguageRow {
    /// Its name, `unknown` for the rest.
    pub language: String,
    /// How many files.
    pub files: u64,
    /// How many newlines they have.
    pub lines: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// The first of many files in some order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ranked {
    /// The first ones.
    pub rows: Vec<RankedFile>,
    /// How many more there are.
    pub more: u64,
}

/// A file and the number that it is ranked by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RankedFile {
    /// The file.
    pub path: String,
    /// The number.
    pub value: u64,
}

/// How many files are of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The kind.
    pub name: String,
    /// How many.
    pub files: u64,
}

/// Files with white space to complain about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WhitespaceTotals {
    /// Files with lines that end in blanks.
    pub files_with_trailing_blanks: u64,
    /// Those lines.
    pub trailing_lines: u64,
    /// Files that are indented in more than one way.
    pub files_with_mixed_indentation: u64,
    /// Files whose last line lacks its newline.
    pub files_without_final_newline: u64,
}

/// A file or directory that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadableRow {
    /// What and why; the first error when there were several.
    #[serde(flatten)]
    pub place: Unreadable,
    /// How many tasks failed on it; zero for a directory that the walk could not enter.
    pub tasks: u64,
}

impl Report {
    /// Whether everything was read.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.errors == 0 && self.findings.unreadable.is_empty()
    }
}
