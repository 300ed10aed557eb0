//! The command line of `audit_tree`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::WalkOptions;

const EXIT_CODES: &str = "\
Exit codes:
  0  every task succeeded
  1  a file or directory could not be read, so the report is not complete
  2  wrong arguments, or PATH cannot be looked at
  3  the report could not be made or written, or the orchestrator's counts disagree with it, which is a bug
  130  interrupted; the report covers what was done by then

Examples:
  cargo run --release --example audit_tree
  cargo run --release --example audit_tree -- ~/src/linux --agents 120 --top 20
  cargo run --release --example audit_tree -- . --json | jq .findings.secrets";

/// Sends agents of twelve capabilities through every file of a source tree and reports what they found.
///
/// Symlinks are not followed, and `.git` and `target` directories are left out. The counts agree with
/// find, wc, grep and b3sum; the report ends with the commands that show it. Ctrl-C cancels what is left
/// and reports what was done.
#[derive(Clone, Debug, Parser)]
#[command(name = "audit_tree", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// The tree to audit, or a single file [default: this workspace].
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,

    /// How many agents to register; from 12 on each has one capability.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub agents: u32,

    /// How many tasks may be at work at the same time [default: two for each processor].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub at_once: Option<u32>,

    /// How many rows of each list to show; --json has the complete lists of findings.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub top: u32,

    /// Enter `.git` and `target` directories too.
    #[arg(long)]
    pub include_ignored: bool,

    /// Print the report as one JSON document and no progress bar.
    #[arg(long)]
    pub json: bool,

    /// Show no progress bar.
    #[arg(long, short)]
    pub quiet: bool,
}

impl Cli {
    /// The tree to audit: the argument, else the workspace that this example was built from, else the
    /// current directory.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        let workspace = || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .parent()
                .filter(|path| path.is_dir())
        };
        self.path
            .clone()
            .or_else(|| workspace().map(Path::to_path_buf))
            .unwrap_or_else(|| PathBuf::from("."))
    }

    /// How many tasks may be at work at the same time.
    #[must_use]
    pub fn at_once(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.at_once
            .map_or_else(|| processors() * 2, |tasks| tasks as usize)
    }

    /// What the walk includes.
    #[must_use]
    pub const fn walk_options(&self) -> WalkOptions {
        WalkOptions {
            include_ignored: self.include_ignored,
        }
    }

    /// Whether to draw a progress bar, provided that somebody can see it.
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        !self.quiet && !self.json && std::io::stderr().is_terminal()
    }
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Every task succeeded.
    Complete,
    /// Something could not be read.
    Incomplete,
    /// There was nothing to work on.
    BadRequest,
    /// The counts of the orchestrator and of the report disagree, or a task was lost.
    Broken,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Complete => 0,
            ExitStatus::Incomplete => 1,
            ExitStatus::BadRequest => 2,
            ExitStatus::Broken => 3,
            // What shells report of a program that SIGINT ended.
            ExitStatus::Interrupted => 130,
        })
    }
}

/// A bar on standard error for `tasks` tasks, or one that draws nothing.
#[must_use]
pub fn progress_bar(tasks: u64, visible: bool) -> ProgressBar {
    if !visible {
        return ProgressBar::with_draw_target(Some(tasks), ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template(
        "{elapsed_precise} {wide_bar} {human_pos}/{human_len} tasks, {per_sec}, {eta} left {msg}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(tasks).with_style(style)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound_and_the_defaults_are_those_of_the_help() {
        Cli::command().debug_assert();
        let cli = Cli::parse_from(["audit_tree"]);
        assert_eq!((cli.agents, cli.top), (60, 10));
        assert!(cli.root().is_dir());
        assert!(!cli.walk_options().include_ignored);
    }

    #[test]
    fn zero_agents_are_refused() {
        assert!(Cli::try_parse_from(["audit_tree", "--agents", "0"]).is_err());
    }
}
