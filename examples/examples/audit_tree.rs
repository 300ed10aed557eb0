//! Sixty agents of twelve capabilities audit every file of a source tree, as thousands of tasks.
//!
//! Shows: in-process agents that do blocking work, routing by capability and priority, a bounded queue
//! with back-pressure, retries, cancellation, and the orchestrator's own counts checked against the report.
//!
//! ```text
//! cargo run --release --example audit_tree -- [PATH] [--json] [--top N]
//! ```

#![expect(clippy::print_stderr, reason = "a program talks to its terminal")]

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use universal_orchestrator_examples::audit::{
    Audit, Cli, ExitStatus, Summary, Tree, first_wave, progress_bar, walk,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let tree = match walk(&cli.root(), cli.walk_options()) {
        Ok(tree) => Arc::new(tree),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitStatus::BadRequest.into();
        }
    };
    let status = audit(&cli, tree).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            eprintln!("  because: {error}");
            cause = error.source();
        }
        ExitStatus::Broken
    });
    status.into()
}

fn audit(cli: &Cli, tree: Arc<Tree>) -> Result<ExitStatus, Box<dyn Error>> {
    let bar = progress_bar(first_wave(&tree).len() as u64, cli.shows_progress());
    let audit = Audit::new(tree, cli.agents as usize, cli.at_once());
    let interrupt = async {
        // Without a handler for the signal it ends the program, as it does by default.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let summary = runtime.block_on(audit.run(&bar, cli.top as usize, interrupt));
    // An agent may be in the middle of a large file.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let summary = summary?;
    match print(cli, &summary) {
        // Whoever reads has seen enough, such as `head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(format!("cannot write the report: {error}").into()),
        Ok(()) => {}
    }
    Ok(exit_status(&summary))
}

fn print(cli: &Cli, summary: &Summary) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if cli.json {
        serde_json::to_writer_pretty(&mut out, summary)?;
        writeln!(out)?;
    } else {
        write!(out, "{summary}")?;
    }
    out.flush()
}

fn exit_status(summary: &Summary) -> ExitStatus {
    if let Err(mismatch) = summary
        .orchestrator
        .check(&summary.report, summary.cancelled)
    {
        eprintln!("error: the books do not balance: {mismatch}");
        return ExitStatus::Broken;
    }
    match (summary.interrupted, summary.report.is_complete()) {
        (true, _) => ExitStatus::Interrupted,
        (false, true) => ExitStatus::Complete,
        (false, false) => ExitStatus::Incomplete,
    }
}
