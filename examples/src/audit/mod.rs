//! The work of the `audit_tree` example: what its agents do with the files of a source tree.
//!
//! Only [`Audit`] knows the orchestrator. [`walk()`] lists the files, [`first_wave`] and [`second_wave`]
//! turn them into [`Job`]s, [`Job::run`] does one of them, and a [`ReportBuilder`] gathers what came
//! back. A job and its [`Outcome`] are JSON at the boundary, since they travel as task payload and
//! result; inside they are types.
//!
//! Every analyser reads its file in blocks of bounded size (see [`Scan`]), so that counts and hashes are
//! exact for files of any length while sixty agents need a few megabytes. The counts are defined to
//! agree with `find`, `wc`, `grep` and `b3sum`; the report prints the commands that show it.

mod books;
mod capability;
mod cli;
mod duplicates;
mod encoding;
mod entropy;
mod error;
mod hash;
mod job;
mod language;
mod licence;
mod lines;
mod longest_line;
mod path_text;
mod report;
mod roster;
mod run;
mod scan;
mod secrets;
mod size;
mod todo;
mod walk;
mod whitespace;

pub use books::{Books, Mismatch};
pub use capability::{CAPABILITIES, Capability, PriorityClass};
pub use cli::{Cli, ExitStatus, progress_bar};
pub use duplicates::{DuplicateGroup, DuplicateReport, HashedFile, group, shards};
pub use encoding::{Encoding, EncodingReport, EncodingScan, LineEndings};
pub use entropy::{EntropyReport, EntropyScan};
pub use error::AuditError;
pub use hash::{Digest, HashScan, content_digest};
pub use job::{Job, Outcome, first_wave, second_wave};
pub use language::{LanguageReport, LanguageScan};
pub use licence::{LicenceReport, LicenceScan, LicenceSource};
pub use lines::{LineCounts, LineScan};
pub use longest_line::{LongestLine, LongestLineScan};
pub use path_text::{path_text, shell_quoted};
pub use report::{
    AgentRow, CapabilityRow, Count, Done, DuplicateRow, Findings, LanguageRow, LicenceRow, Ranked,
    RankedFile, Report, ReportBuilder, SecretRow, Timing, Totals, UnreadableRow, WhitespaceTotals,
};
pub use roster::{AgentSpec, roster};
pub use run::{Audit, RunError, Summary};
pub use scan::{BLOCK_BYTES, Block, Scan, scan_bytes, scan_file, scan_reader};
pub use secrets::{SecretHit, SecretReport, SecretScan};
pub use size::{SizeClass, SizeReport, measure};
pub use todo::{TodoMark, TodoReport, TodoScan};
pub use walk::{SKIPPED_DIRECTORIES, Tree, Unreadable, WalkOptions, walk};
pub use whitespace::{WhitespaceReport, WhitespaceScan};
