//! Validates the service levels on this machine, after all other benches, and prints what they have measured.
//!
//! Only the five limits of `sla.toml` decide how it ends; another file of limits is named by `UO_SLA_FILE`. With
//! `-- --markdown` the table of figures is printed as `README.md` has it, with `-- --write` it is written there.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Barrier;
use universal_orchestrator::{
    Agent, AgentError, AgentRole, AgentSpec, Task, TaskContext, async_trait,
};
use universal_orchestrator_benches::drive::AGENTS;
use universal_orchestrator_benches::figures::Figures;
use universal_orchestrator_benches::ours::{self, World};
use universal_orchestrator_benches::sla::{Limits, Measurements, Report};
use universal_orchestrator_benches::targets::Table;
use universal_orchestrator_benches::{Latencies, rss_bytes, runtime, started_by_cargo_bench};

/// The agents that are to work at the same time: as many as the default configuration admits.
const AT_ONCE: usize = 100;

/// How long they wait for each other before the missing ones are counted.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if !started_by_cargo_bench() {
        return ExitCode::SUCCESS;
    }
    let table = Table::new(&Figures::of_the_last_run());
    if has("--markdown") {
        print!("{}", table.markdown());
        return ExitCode::SUCCESS;
    }
    if has("--write") {
        write_readme(&table.markdown());
        return ExitCode::SUCCESS;
    }
    let limits = match Limits::load() {
        Ok(limits) => limits,
        Err(error) => {
            println!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let report = Report::new(&limits, &measure());
    println!("\nMeasured beside its target (MISS says so, and fails nothing):\n\n{table}");
    println!("Service levels (MISS fails):\n\n{report}");
    report.exit_code()
}

/// Puts the table between the two markers of the README.
fn write_readme(table: &str) {
    const BEGIN: &str = "<!-- table -->\n";
    const END: &str = "<!-- end of table -->";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&file).expect("the README is there");
    let (before, rest) = text.split_once(BEGIN).expect("the README marks the table");
    let (_, after) = rest
        .split_once(END)
        .expect("the README marks the table's end");
    let text = format!("{before}{BEGIN}{table}{END}{after}");
    std::fs::write(&file, text).expect("the README can be written");
}

fn measure() -> Measurements {
    let rt = runtime();
    // The runtime's threads run before the memory is read.
    rt.block_on(rt.spawn(async {})).expect("nothing panics");
    let before = rss_bytes().expect("this bench needs Linux");
    let idle = rt.block_on(World::start(ours::config(AGENTS, 1_000)));
    let after = rss_bytes().expect("this bench needs Linux");
    let (registration, delegation) = rt.block_on(rt.spawn(calls(idle))).expect("no call panics");
    Measurements {
        registration: registration.quantile(0.99),
        delegation: delegation.quantile(0.99),
        initialization: rt.block_on(starts()).quantile(0.99),
        base_memory_bytes: after.saturating_sub(before),
        concurrent_agents: rt.block_on(at_once()),
    }
}

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Registers agents one after the other, then delegates a hundred thousand tasks to them, each completed at once.
async fn calls(world: Arc<World>) -> (Latencies, Latencies) {
    let orchestrator = world.orchestrator();
    let mut registrations = Vec::new();
    for number in 0..AGENTS {
        let spec = ours::spec(number);
        let start = Instant::now();
        let id = orchestrator.register_agent(spec).await;
        registrations.push(nanos(start));
        id.expect("there is room");
    }
    let mut delegations = Vec::new();
    for number in 0..100_000_u64 {
        let task = Task::new("sla")
            .requires_set(ours::required(number))
            .payload(number);
        let start = Instant::now();
        let delegation = orchestrator.delegate_task(task).await;
        delegations.push(nanos(start));
        let delegation = delegation.expect("an agent is free");
        orchestrator
            .complete_task(&delegation, number)
            .await
            .expect("the report names the current attempt");
    }
    (
        Latencies::from_nanos(registrations),
        Latencies::from_nanos(delegations),
    )
}

async fn starts() -> Latencies {
    let mut starts = Vec::new();
    for _ in 0..200 {
        let (builder, _metrics) = ours::builder(ours::config(AGENTS, 1_000));
        let start = Instant::now();
        let orchestrator = builder.start().await.expect("the defaults are valid");
        starts.push(nanos(start));
        orchestrator.shutdown().await;
    }
    Latencies::from_nanos(starts)
}

/// Waits until all others are at work too.
struct Together {
    at_work: AtomicUsize,
    most: AtomicUsize,
    all: Barrier,
}

#[async_trait]
impl Agent for Together {
    async fn run(&self, _context: TaskContext) -> Result<Value, AgentError> {
        let now = self.at_work.fetch_add(1, Ordering::AcqRel) + 1;
        self.most.fetch_max(now, Ordering::AcqRel);
        // Those that never come are not counted.
        let _ = tokio::time::timeout(PATIENCE, self.all.wait()).await;
        self.at_work.fetch_sub(1, Ordering::AcqRel);
        Ok(Value::Null)
    }
}

/// Returns the most agents that were seen at work at the same time.
async fn at_once() -> usize {
    let world = World::start(ours::config(AT_ONCE, 1_000)).await;
    let together = Arc::new(Together {
        at_work: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        all: Barrier::new(AT_ONCE),
    });
    let spec = |number: usize| {
        AgentSpec::new(format!("agent-{number:03}"), AgentRole::Worker)
            .capabilities(["wait"])
            .in_process_shared(together.clone())
    };
    world.register((0..AT_ONCE).map(spec)).await;
    let mut handles = Vec::new();
    for _ in 0..AT_ONCE {
        let task = Task::new("sla").requires(["wait"]);
        let handle = world.orchestrator().submit_task(task).await;
        handles.push(handle.expect("there is room"));
    }
    for handle in handles {
        let outcome = handle.outcome().await.expect("it is retained");
        assert!(outcome.is_success(), "the agents do not fail");
    }
    together.most.load(Ordering::Acquire)
}
