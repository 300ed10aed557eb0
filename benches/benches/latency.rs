//! Latency of `execute` under a steady load: calls arrive at half of the peak that the same run measured.
//!
//! The runtime has one worker, so that the wake-ups of the load's own making stay out (see `open_loop`).
//! The rates differ between the contestants, since their peaks do: the figures say how each behaves at the same share
//! of what it can do.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::collections::BTreeMap;
use std::time::Duration;

use universal_orchestrator_benches::drive::AGENTS;
use universal_orchestrator_benches::figures;
use universal_orchestrator_benches::ours::Execute;
use universal_orchestrator_benches::peers::mpsc_floor::MpscFloor;
use universal_orchestrator_benches::peers::tokio_spawn::TokioSpawn;
use universal_orchestrator_benches::{
    Latencies, RoundTrip, open_loop, peak_rate, runtime_with, started_by_cargo_bench,
};

/// The calls of one pass.
const CALLS: usize = 50_000;

/// The passes, of which the one with the lowest p99 is shown: neighbours on the machine can only
/// add, and one pause of 4 ms makes the p99 of a pass.
const PASSES: usize = 9;

fn main() {
    if !started_by_cargo_bench() {
        return;
    }
    measure("tokio_spawn", async { TokioSpawn });
    let ours = measure("ours", Execute::setup(AGENTS));
    let micros = |latency: Duration| latency.as_secs_f64() * 1e6;
    figures::save(
        "latency",
        &BTreeMap::from([
            ("ours_p99_us".to_owned(), micros(ours.quantile(0.99))),
            ("ours_max_us".to_owned(), micros(ours.max())),
        ]),
    );
    measure("mpsc_floor", async { MpscFloor::setup(AGENTS) });
    #[cfg(feature = "peers")]
    {
        use universal_orchestrator_benches::peers;
        measure(
            "ractor_factory",
            peers::ractor_factory::RactorFactory::setup(AGENTS),
        );
        measure("kameo_pool", async {
            peers::kameo_pool::KameoPool::setup(AGENTS)
        });
        measure("tower_balance", async {
            peers::tower_balance::TowerBalance::setup(AGENTS)
        });
        measure("apalis_memory", async {
            peers::apalis_memory::ApalisMemory::setup(AGENTS)
        });
    }
}

fn measure<O: RoundTrip>(name: &str, setup: impl Future<Output = O>) -> Latencies {
    let rt = runtime_with(1);
    let op = rt.block_on(setup);
    // The first run warms up; the second is the peak.
    let _ = peak_rate(&rt, CALLS, &op);
    let rate = (peak_rate(&rt, CALLS, &op) / 2).max(1);
    let latencies = (0..PASSES)
        .map(|_| open_loop(&rt, rate, CALLS, &op))
        .min_by_key(|latencies| latencies.quantile(0.99))
        .expect("there is a pass");
    println!(
        "{:<24} {rate:>9}/s   {latencies}",
        format!("latency/{name}")
    );
    // What it started may end on the runtime.
    rt.block_on(async { drop(op) });
    latencies
}
