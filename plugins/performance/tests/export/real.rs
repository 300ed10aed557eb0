//! A real Prometheus scrapes, and its tools check what is shipped.
//!
//! Without `prometheus` and `promtool` on the path these tests do nothing and say so;
//! with the variable `UO_REQUIRE_PROMETHEUS` they fail instead.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use universal_orchestrator::{Task, Value};

use crate::common::{Machine, agents, look, ms, section, service, start, work};
use crate::{ask, metrics};

const CONFIG: &str = include_str!("../../prometheus/prometheus.yml");
const RULES: &str = include_str!("../../prometheus/rules.yml");
/// A machine at work on other things may take its time to start a program.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether the program is there; without it a test has nothing to do.
fn is_there(program: &str) -> bool {
    let there = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    let required = std::env::var_os("UO_REQUIRE_PROMETHEUS").is_some();
    assert!(
        there || !required,
        "UO_REQUIRE_PROMETHEUS is set and {program} is not on the path"
    );
    if !there {
        println!(
            "this test did nothing: {program} is not on the path (Debian's package prometheus has it)"
        );
    }
    there
}

/// Runs promtool with a text as its input, and fails with what it says.
fn promtool(arguments: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "promtool {arguments:?}: {}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn the_shipped_configuration_and_rules_are_right() {
    if !is_there("promtool") {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prometheus");
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    promtool(&["check", "config", &path("prometheus.yml")], "");
    promtool(&["check", "rules", &path("rules.yml")], "");
}

/// Ended when the test ends, also by a panic.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

fn prometheus(target: SocketAddr, listens: SocketAddr, folder: &Path) -> Ended {
    let config = CONFIG
        .replace("127.0.0.1:9464", &target.to_string())
        .replace("15s", "1s");
    assert!(config.contains(&target.to_string()) && config.contains("scrape_interval: 1s"));
    fs::write(folder.join("prometheus.yml"), config).unwrap();
    fs::write(folder.join("rules.yml"), RULES).unwrap();
    let log = fs::File::create(folder.join("log")).unwrap();
    let child = Command::new("prometheus")
        .arg(format!(
            "--config.file={}",
            folder.join("prometheus.yml").display()
        ))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.join("data").display()
        ))
        .arg(format!("--web.listen-address={listens}"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    Ended(child)
}

/// The first value of an answer to a query; `None` while there is none.
async fn query(prometheus: SocketAddr, query: &str) -> Option<f64> {
    let path = format!("/api/v1/query?query={query}");
    let answer = ask(prometheus, "GET", &path).await.ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let document: Value = serde_json::from_str(body).ok()?;
    let value = &document["data"]["result"][0]["value"][1];
    value.as_str()?.parse().ok()
}

/// Asks until there is an answer that is right. It comes from another program, so the test has to wait for it.
async fn wait_for(prometheus: SocketAddr, text: &str, expected: f64, folder: &Path) {
    let until = Instant::now() + PATIENCE;
    let mut last = None;
    while Instant::now() < until {
        last = query(prometheus, text).await;
        if last == Some(expected) {
            return;
        }
        tokio::time::sleep(ms(200)).await;
    }
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!("{text} is {last:?} and not {expected}\n{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_scrapes_and_its_linter_is_content() {
    if !is_there("prometheus") || !is_there("promtool") {
        return;
    }
    let o = start(
        section(r#"prometheus_listen = "127.0.0.1:0""#),
        &Machine::calm(),
    )
    .await;
    let target = service(&o).prometheus_address().unwrap();
    agents(&o, "x", &["a"]).await;
    for _ in 0..3 {
        work(&o, Task::new("resize").requires(["x"]), ms(5)).await;
    }
    look(&o).await;
    promtool(&["check", "metrics"], &metrics(target).await);

    let folder = tempfile::tempdir().unwrap();
    let listens = free_port();
    let _prometheus = prometheus(target, listens, folder.path());
    let folder = folder.path();
    wait_for(listens, "up", 1.0, folder).await;
    let tasks = "orchestrator_performance_tasks_total%7Boutcome=%22succeeded%22%7D";
    wait_for(listens, tasks, 3.0, folder).await;
    let count = "orchestrator_performance_execution_seconds_count%7Btask_type=%22resize%22%7D";
    wait_for(listens, count, 3.0, folder).await;
    wait_for(listens, "orchestrator_agents_registered_total", 1.0, folder).await;
    wait_for(
        listens,
        "orchestrator_performance_disk_used_ratio",
        0.3,
        folder,
    )
    .await;
    work(&o, Task::new("resize").requires(["x"]), ms(5)).await;
    wait_for(listens, tasks, 4.0, folder).await;
    let rules = ask(listens, "GET", "/api/v1/rules").await.unwrap();
    assert!(rules.contains("OrchestratorCapabilitySaturated"), "{rules}");
    assert!(!rules.contains(r#""health":"err""#), "{rules}");
    o.shutdown().await;
    wait_for(listens, "up", 0.0, folder).await;
}
