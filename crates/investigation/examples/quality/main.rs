//! The proving ground: how often the cause is found, how often a healthy window is blamed, and what the confidence is worth.
//!
//! Faults of every kind are injected at every node of recorded normal operation and carried along the call graph;
//! recorded incidents and healthy windows come on top. The recordings of this repository come first, each by itself.
//! Even seeds in even windows are for fitting, odd seeds in odd windows for judging: the table shows the latter.
//!
//! ```text
//! UO_DATA_DIR=… cargo run --release -p universal-orchestrator-investigation --example quality -- [--seeds N] [--fit] [--misses]
//! ```
#![expect(clippy::print_stdout, reason = "the table is its purpose")]

mod fit;
mod inject;
mod own;
mod samples;
mod table;

use std::path::PathBuf;

use universal_orchestrator_investigation::calibration::Weights;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_set = |name: &str| arguments.iter().any(|argument| argument == name);
    let seeds = arguments
        .windows(2)
        .find(|pair| pair[0] == "--seeds")
        .map_or(Ok(16), |pair| pair[1].parse())?;
    own::print()?;
    let Some(data) = std::env::var_os("UO_DATA_DIR").map(PathBuf::from) else {
        println!(
            "UO_DATA_DIR is not set: it names the folder that holds petshop/; nothing else was measured"
        );
        return Ok(());
    };
    let samples = samples::collect(&data, seeds)?;
    let weights = if is_set("--fit") {
        fit::fit(&samples)
    } else {
        Weights::default()
    };
    table::print(&samples, &weights, is_set("--misses"));
    Ok(())
}
