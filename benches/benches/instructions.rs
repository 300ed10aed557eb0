//! Instructions per operation, counted by callgrind: the same on a busy machine, so a change shows that wall time hides.
//!
//! This program starts itself under `valgrind --tool=callgrind`, which counts only inside of [`counted_operations`]: start and
//! warm-up stay out (some of it runs until an amount of *time* has passed), and nothing has to be installed but valgrind.
//! Without valgrind it says so and ends well. The figures of the last `--save` stand in `instructions.toml`.
//!
//! `cargo bench --bench instructions -- --save` writes them, `-- --check` fails when a figure misses its target.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use tokio::runtime::Runtime;
use universal_orchestrator::OrchestratorConfig;
use universal_orchestrator_benches::drive::AGENTS;
use universal_orchestrator_benches::ours::{self, Cycle, Execute, World};
use universal_orchestrator_benches::{RoundTrip, started_by_cargo_bench};

/// The environment variable that makes this program a child and names its operation.
const CHILD: &str = "UO_INSTRUCTIONS_BENCH_CHILD";

/// The operations that are counted.
const COUNT: u64 = 2_000;

/// Operations before those: the history of finished tasks is full, and maps have grown, when the count begins.
const WARM_UP: u64 = 3_000;

/// The operations, with the most instructions that each should take.
const OPERATIONS: [(&str, u64); 3] = [
    ("execute", 6_000),
    ("delegate_complete", 2_500),
    ("delegate_complete_1000", 2_500),
];

fn main() -> ExitCode {
    if let Ok(operation) = std::env::var(CHILD) {
        run(&operation);
        return ExitCode::SUCCESS;
    }
    if !started_by_cargo_bench() {
        return ExitCode::SUCCESS;
    }
    let valgrind = Command::new("valgrind").arg("--version").output();
    if !valgrind.is_ok_and(|output| output.status.success()) {
        println!("instructions: skipped, there is no valgrind here");
        return ExitCode::SUCCESS;
    }
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let last = last_figures();
    let mut figures = BTreeMap::new();
    let mut missed = false;
    for (operation, target) in OPERATIONS {
        let figure = under_callgrind(operation) / COUNT;
        let difference = last.get(operation).map_or_else(
            || "no earlier figure".to_owned(),
            |last| percent(*last, figure),
        );
        let verdict = if figure <= target { "PASS" } else { "MISS" };
        missed |= figure > target;
        println!(
            "{:<40} {figure:>7} instructions   target ≤ {target}   {verdict}   ({difference})",
            format!("instructions/{operation}")
        );
        figures.insert(operation, figure);
    }
    let saved = figures
        .iter()
        .map(|(name, figure)| ((*name).to_owned(), *figure as f64));
    universal_orchestrator_benches::figures::save("instructions", &saved.collect());
    if has("--save") {
        let text = toml::to_string(&figures).expect("numbers can be written");
        let text = format!(
            "# Instructions per operation, written by `cargo bench --bench instructions -- --save`.\n{text}"
        );
        std::fs::write(file(), text).expect("the file can be written");
    }
    if missed && has("--check") {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.toml")
}

/// The figures of the last `--save`; none before the first.
fn last_figures() -> BTreeMap<String, u64> {
    std::fs::read_to_string(file()).map_or_else(
        |_| BTreeMap::new(),
        |text| toml::from_str(&text).expect("instructions.toml holds a number per operation"),
    )
}

fn percent(last: u64, now: u64) -> String {
    let change = (now as f64 / last as f64 - 1.0) * 100.0;
    format!("{change:+.1} % from {last}")
}

/// Starts this program under callgrind and returns the instructions that it counted.
fn under_callgrind(operation: &str) -> u64 {
    let out = std::env::temp_dir().join(format!("uo-callgrind-{}-{operation}", std::process::id()));
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted_operations*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().expect("a bench knows its own path"))
        .env(CHILD, operation)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("valgrind was found before");
    assert!(status.success(), "{operation} failed under callgrind");
    let text = std::fs::read_to_string(&out).expect("callgrind wrote its file");
    // The file is in the directory for temporary ones, should this fail.
    let _ = std::fs::remove_file(&out);
    text.lines()
        .find_map(|line| line.strip_prefix("totals: "))
        .and_then(|number| number.trim().parse().ok())
        .expect("callgrind writes its total")
}

/// Without periodic checks, which would come or not as time passes.
fn quiet(agents: usize) -> OrchestratorConfig {
    let mut config = ours::config(agents, agents);
    config.tick_interval_ms = 0;
    config.health_check_interval_ms = 0;
    config.cleanup_interval_ms = 0;
    config
}

fn run(operation: &str) {
    let rt = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime needs nothing here");
    let agents = if operation == "delegate_complete_1000" {
        1_000
    } else {
        AGENTS
    };
    if operation == "execute" {
        let mut op = rt.block_on(Execute::with_config(quiet(agents), agents));
        let mut calls = async |from, count| {
            for input in from..from + count {
                assert_eq!(op.call(input).await, input, "the no-op echoes its input");
            }
        };
        rt.block_on(calls(0, WARM_UP));
        counted_operations(&rt, calls(WARM_UP, COUNT));
    } else {
        let mut cycle = rt.block_on(async {
            let world = World::start(quiet(agents)).await;
            Cycle::with_agents(world, agents, ours::spec).await
        });
        let mut steps = async |count| {
            for _ in 0..count {
                cycle.step().await;
            }
        };
        rt.block_on(steps(WARM_UP));
        counted_operations(&rt, steps(COUNT));
    }
}

/// What callgrind counts; its name is in the arguments to valgrind.
#[inline(never)]
fn counted_operations(rt: &Runtime, operations: impl Future<Output = ()>) {
    rt.block_on(operations);
}
