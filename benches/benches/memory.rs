//! Resident memory of an idle orchestrator, of an idle agent, of a queued task.
//!
//! Each figure is taken in a child process of its own, since what one contestant frees would hide what the next one takes.
#![expect(
    clippy::print_stdout,
    reason = "a bench prints its figures, a child hands its own up"
)]

use std::collections::BTreeMap;
use std::process::Command;

use universal_orchestrator::Task;
use universal_orchestrator_benches::drive::AGENTS;
use universal_orchestrator_benches::figures;
use universal_orchestrator_benches::floors::{PlainRegistry, plain_agents};
use universal_orchestrator_benches::ours::{self, World};
use universal_orchestrator_benches::peers::mpsc_floor::MpscFloor;
use universal_orchestrator_benches::{drive, rss_bytes, runtime, started_by_cargo_bench};

/// The environment variable that makes this program a child and names its contestant.
const CONTESTANT: &str = "UO_MEMORY_BENCH_CONTESTANT";

/// One figure: what is started how often, and the target for each.
struct Contestant {
    name: &'static str,
    count: usize,
    unit: &'static str,
    /// Bytes for each.
    target: Option<u64>,
    /// Starts them and returns the bytes gained.
    start: fn(usize) -> u64,
}

const fn agents(name: &'static str, count: usize, start: fn(usize) -> u64) -> Contestant {
    Contestant {
        name,
        count,
        unit: "agent",
        target: None,
        start,
    }
}

const CONTESTANTS: &[Contestant] = &[
    Contestant {
        unit: "orchestrator",
        target: Some(8_000_000),
        ..agents("ours_idle", 1, ours_idle)
    },
    Contestant {
        target: Some(600),
        ..agents("ours", 100_000, ours_agents)
    },
    Contestant {
        unit: "queued task",
        target: Some(400),
        ..agents("ours_queued", 1_000_000, ours_queued)
    },
    agents("plain_struct", 100_000, plain_struct),
    agents("mpsc_floor", 10_000, mpsc_floor),
    #[cfg(feature = "peers")]
    agents("ractor_factory", 10_000, ractor_factory),
    #[cfg(feature = "peers")]
    agents("kameo_pool", 10_000, kameo_pool),
];

fn main() {
    if let Ok(name) = std::env::var(CONTESTANT) {
        let contestant = CONTESTANTS
            .iter()
            .find(|known| known.name == name)
            .expect("the parent knows the names");
        println!("{}", (contestant.start)(contestant.count));
    } else if started_by_cargo_bench() {
        let each: BTreeMap<String, f64> = CONTESTANTS
            .iter()
            .map(|contestant| (contestant.name.to_owned(), show(contestant)))
            .collect();
        figures::save("memory", &each);
    }
}

/// Measures one, prints it, and returns the bytes of each.
fn show(contestant: &Contestant) -> f64 {
    let bytes = in_a_child(contestant.name);
    let each = bytes / contestant.count as u64;
    let target = contestant.target.map_or_else(String::new, |target| {
        let verdict = if each <= target { "PASS" } else { "MISS" };
        format!("   target ≤ {target}   {verdict}")
    });
    println!(
        "{:<24} {:>8} started   {:>8.1} MiB   {each:>8} bytes/{}{target}",
        format!("memory/{}", contestant.name),
        contestant.count,
        bytes as f64 / (1 << 20) as f64,
        contestant.unit
    );
    each as f64
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

/// Over a program that has nothing but a runtime.
fn ours_idle(_count: usize) -> u64 {
    let rt = runtime();
    rt.block_on(rt.spawn(async {})).expect("nothing panics");
    gained(|| rt.block_on(World::start(ours::config(100, 1_000))))
}

/// External agents with four of ten capabilities each, over an idle orchestrator.
fn ours_agents(count: usize) -> u64 {
    let rt = runtime();
    let world = rt.block_on(World::start(ours::config(count, 1_000)));
    let bytes = gained(|| rt.block_on(world.register((0..count).map(ours::spec))));
    assert_eq!(world.orchestrator().status().agents.total, count);
    bytes
}

/// Tasks without a payload that wait for external agents of which none asks for work.
fn ours_queued(count: usize) -> u64 {
    let rt = runtime();
    let world = rt.block_on(async {
        let world = World::start(ours::config(AGENTS, count)).await;
        world.register((0..AGENTS).map(ours::spec)).await;
        world
    });
    let submit = async || {
        for number in 0..count as u64 {
            let task = Task::new("bench").requires_set(ours::required(number));
            let handle = world.orchestrator().submit_task(task).await;
            drop(handle.expect("the queue has room"));
        }
    };
    let bytes = gained(|| rt.block_on(submit()));
    assert_eq!(world.orchestrator().status().queue.depth, count as u64);
    bytes
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
