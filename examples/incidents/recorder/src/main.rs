//! Records incidents of a small payment service: real processes, a real PostgreSQL, a real Prometheus, real faults.
//!
//! `examples/incidents/README.md` says how the recordings of this repository were made.

mod database;
mod export;
mod fault;
mod load;
mod metric;
mod order;
mod plan;
mod record;
mod role;
mod service;
mod setup;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Records incidents of a small payment service.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Record(record::RecordArguments),
    Serve(service::ServeArguments),
}

/// Threads for blocking work; their stacks count as memory of the process.
const BLOCKING_THREADS: usize = 4;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(1 << 20)
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(async {
        match Arguments::parse().command {
            Command::Record(arguments) => record::record(arguments).await,
            Command::Serve(arguments) => service::serve(arguments).await,
        }
    })
}
