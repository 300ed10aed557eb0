//! What the plugins of this workspace cost before the first task: the time of a start, and the resident memory while nothing happens.
//!
//! Each start is the first of a process of its own: a second one would find memory and tables there. Of so many processes the median
//! is shown. `security` has a key and an audit log, the others their default sections. `all_unsynced` is `all` with `audit.fsync = "never"`:
//! the difference is what the disk takes to make the beginning of the log lasting. `vocabulary` is `all`, and then what the first task
//! that names a session of `context` waits for.
#![expect(
    clippy::print_stdout,
    reason = "a bench prints its figures, a child hands its own up"
)]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use universal_orchestrator::plugin::linked;
use universal_orchestrator::{OrchestratorConfig, UniversalOrchestrator};
use universal_orchestrator_benches::{figures, rss_bytes, runtime, started_by_cargo_bench};
use universal_orchestrator_bundle::context::{ContextService, NewFragment, SessionId};

/// The environment variable that makes this program a child and names its row.
const ROW: &str = "UO_PLUGINS_START_ROW";
const PROCESSES: usize = 11;
/// After it, what begins in the background at the start has begun: the first reading of the machine among it.
const IDLE: Duration = Duration::from_millis(500);

const ROWS: [&str; 8] = [
    "none",
    "performance",
    "security",
    "context",
    "automation",
    "all",
    "all_unsynced",
    "vocabulary",
];
const START_MS_MAX: f64 = 20.0;
const IDLE_BYTES_MAX: f64 = 20_000_000.0;

fn main() {
    if let Ok(row) = std::env::var(ROW) {
        let (took, bytes) = measure(&row);
        println!("{} {bytes}", took.as_nanos());
    } else if started_by_cargo_bench() {
        let rows: BTreeMap<&str, (f64, f64)> = ROWS.map(|row| (row, in_children(row))).into();
        show(&rows);
    }
}

/// Starts what a row names; the time that it took, and the resident memory that it gained.
fn measure(row: &str) -> (Duration, u64) {
    let folder = tempfile::tempdir().expect("a folder for the audit log");
    let rt = runtime();
    rt.block_on(rt.spawn(async {})).expect("nothing panics");
    let config = config(row, &folder.path().display().to_string());
    let before = rss_bytes().expect("this bench needs Linux");
    let start = Instant::now();
    let orchestrator = rt.block_on(async {
        let builder = UniversalOrchestrator::builder()
            .config(config)
            .without_linked_plugins();
        linked()
            .into_iter()
            .filter(|one| is_in(row, one.manifest().name()))
            .fold(builder, |builder, one| builder.plugin_descriptor(one))
            .start()
            .await
            .expect("the configuration is right")
    });
    let mut took = start.elapsed();
    if row == "vocabulary" {
        took = rt.block_on(first_use(&orchestrator));
    }
    rt.block_on(async { tokio::time::sleep(IDLE).await });
    let after = rss_bytes().expect("this bench needs Linux");
    rt.block_on(orchestrator.shutdown());
    (took, after.saturating_sub(before))
}

fn is_in(row: &str, plugin: &str) -> bool {
    row == plugin || row.starts_with("all") || row == "vocabulary"
}

fn config(row: &str, audit: &str) -> OrchestratorConfig {
    let fsync = if row == "all_unsynced" {
        "never"
    } else {
        "interval"
    };
    let security = format!(
        "[plugins.security]\nkey_inline = \"a server key for the bench, 32 bytes\"\n[plugins.security.audit]\ndirectory = {audit:?}\nfsync = {fsync:?}\n"
    );
    let text = if is_in(row, "security") {
        security
    } else {
        String::new()
    };
    OrchestratorConfig::from_toml_str(&text).expect("the section is right")
}

/// The first fragment of all, for which the vocabulary is loaded.
async fn first_use(orchestrator: &UniversalOrchestrator) -> Duration {
    let service = orchestrator.service::<ContextService>();
    let service = service.expect("the plugin offers it");
    let session = SessionId::new("bench").expect("a name");
    service.create(&session).expect("there is room");
    let start = Instant::now();
    let added = service.add(&session, NewFragment::new("a few words")).await;
    added.expect("there is room");
    start.elapsed()
}

/// The medians of nanoseconds and bytes.
fn in_children(row: &str) -> (f64, f64) {
    let (mut times, mut sizes): (Vec<f64>, Vec<f64>) =
        (0..PROCESSES).map(|_| in_a_child(row)).unzip();
    (median(&mut times), median(&mut sizes))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn in_a_child(row: &str) -> (f64, f64) {
    let program = std::env::current_exe().expect("a bench knows its own path");
    let output = Command::new(program)
        .env(ROW, row)
        .output()
        .expect("a bench can start itself");
    assert!(
        output.status.success(),
        "{row} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let (nanos, bytes) = text
        .trim()
        .split_once(' ')
        .expect("a child prints two numbers");
    let number = |text: &str| text.parse().expect("a child prints two numbers");
    (number(nanos), number(bytes))
}

fn show(rows: &BTreeMap<&str, (f64, f64)>) {
    let (_, none) = rows["none"];
    let mut figures = BTreeMap::new();
    for row in ROWS {
        let (nanos, bytes) = rows[row];
        let (ms, over) = (nanos / 1e6, (bytes - none).max(0.0));
        let targets = match row {
            "all" | "all_unsynced" => format!(
                "   targets ≤ {START_MS_MAX} ms {}, ≤ {:.0} MB {}",
                verdict(ms <= START_MS_MAX),
                IDLE_BYTES_MAX / 1e6,
                verdict(over <= IDLE_BYTES_MAX)
            ),
            _ => String::new(),
        };
        println!(
            "{:<28} {ms:>8.2} ms   {:>7.2} MB idle over none{targets}",
            format!("plugins_start/{row}"),
            over / 1e6
        );
        figures.insert(format!("{row}_ms"), ms);
        figures.insert(format!("{row}_idle_bytes_over_none"), over);
    }
    figures::save("plugins_start", &figures);
}

const fn verdict(holds: bool) -> &'static str {
    if holds { "PASS" } else { "MISS" }
}
