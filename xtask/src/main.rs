//! The workspace's own commands: `cargo xtask ci`, `cargo xtask check-deps`, `cargo xtask gen`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "xtask is a command line tool"
)]

mod check_deps;
mod ci;
mod generate;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Commands for people who work on this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs every check, in order, and stops at the first that fails.
    Ci(ci::CiArguments),
    /// Checks which crate may depend on which, and the module layers of the core.
    CheckDeps,
    /// Writes the generated documents.
    Gen {
        /// Writes nothing; fails when a document differs from what would be written.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // Not by returning the error from `main`, which prints a backtrace of this program where one is asked for.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let workspace = Workspace::load()?;
    match command {
        Command::Ci(arguments) => ci::run(&workspace, arguments),
        Command::CheckDeps => check_deps::run(&workspace),
        Command::Gen { check } => generate::run(workspace.root(), generate::DOCUMENTS, *check),
    }
}
