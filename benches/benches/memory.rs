//! Resident memory of an idle agent.
//!
//! Each figure is taken in a child process of its own, since what one contestant frees would hide what the next one takes.
#![expect(
    clippy::print_stdout,
    reason = "a bench prints its figures, a child hands its own up"
)]

use std::process::Command;

use universal_orchestrator_benches::floors::{PlainRegistry, plain_agents};
use universal_orchestrator_benches::peers::mpsc_floor::MpscFloor;
use universal_orchestrator_benches::{drive, rss_bytes, runtime, started_by_cargo_bench};

/// The environment variable that makes this program a child and names its contestant.
const CONTESTANT: &str = "UO_MEMORY_BENCH_CONTESTANT";

/// A name, the agents to start, and what starts them and returns the bytes gained.
type Contestant = (&'static str, usize, fn(usize) -> u64);

const CONTESTANTS: &[Contestant] = &[
    ("plain_struct", 100_000, plain_struct),
    ("mpsc_floor", 10_000, mpsc_floor),
    #[cfg(feature = "peers")]
    ("ractor_factory", 10_000, ractor_factory),
    #[cfg(feature = "peers")]
    ("kameo_pool", 10_000, kameo_pool),
];

fn main() {
    if let Ok(name) = std::env::var(CONTESTANT) {
        let (_, agents, gain) = CONTESTANTS
            .iter()
            .find(|(known, ..)| *known == name)
            .expect("the parent knows the names");
        println!("{}", gain(*agents));
    } else if started_by_cargo_bench() {
        for (name, agents, _) in CONTESTANTS {
            let bytes = in_a_child(name);
            println!(
                "{:<24} {agents:>7} agents   {:>8.1} MiB   {:>6} bytes/agent",
                format!("memory/{name}"),
                bytes as f64 / (1 << 20) as f64,
                bytes / *agents as u64
            );
        }
    }
}

fn in_a_child(name: &str) -> u64 {
    let program = std::env::current_exe().expect("a bench knows its own path");
    let output = Command::new(program)
        .env(CONTESTANT, name)
        .output()
        .expect("a bench can start itself");
    assert!(
        output.status.success(),
        "{name} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a child prints one number")
}

/// Returns the resident memory gained while `start` ran, with what it started still alive.
fn gained<T>(start: impl FnOnce() -> T) -> u64 {
    let before = rss_bytes().expect("this bench needs Linux");
    let alive = start();
    let after = rss_bytes().expect("this bench needs Linux");
    drop(alive);
    after.saturating_sub(before)
}

fn plain_struct(count: usize) -> u64 {
    gained(|| {
        let mut registry = PlainRegistry::default();
        for agent in plain_agents(count) {
            registry.register(agent);
        }
        registry
    })
}

fn mpsc_floor(count: usize) -> u64 {
    let rt = runtime();
    gained(|| {
        let op = rt.block_on(async { MpscFloor::setup(count) });
        // A call each, so that every task has been polled and allocated what it keeps.
        let _ = drive(&rt, count as u64, 1, &op);
        op
    })
}

#[cfg(feature = "peers")]
fn ractor_factory(count: usize) -> u64 {
    use universal_orchestrator_benches::peers::ractor_factory::RactorFactory;
    let rt = runtime();
    gained(|| {
        let op = rt.block_on(RactorFactory::setup(count));
        let _ = drive(&rt, count as u64, 1, &op);
        op
    })
}

#[cfg(feature = "peers")]
fn kameo_pool(count: usize) -> u64 {
    use universal_orchestrator_benches::peers::kameo_pool::KameoPool;
    let rt = runtime();
    gained(|| {
        let op = rt.block_on(async { KameoPool::setup(count) });
        let _ = drive(&rt, count as u64, 1, &op);
        op
    })
}
