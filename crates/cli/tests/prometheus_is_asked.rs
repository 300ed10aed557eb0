//! `investigate prometheus` against a real Prometheus on loopback.
//!
//! Without `prometheus` and `promtool` on the path these tests do nothing and say so;
//! with the variable `UO_REQUIRE_PROMETHEUS` they fail instead.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that checks nothing says so aloud; one that fails ends"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

/// A machine at work on other things may take its time to start a program.
const PATIENCE: Duration = Duration::from_secs(120);

fn are_there() -> bool {
    let there = ["prometheus", "promtool"].iter().all(|program| {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    });
    let required = std::env::var_os("UO_REQUIRE_PROMETHEUS").is_some();
    assert!(
        there || !required,
        "UO_REQUIRE_PROMETHEUS is set, but prometheus or promtool is not on the path"
    );
    if !there {
        eprintln!(
            "this test did nothing: prometheus is not on the path (Debian's package prometheus has it)"
        );
    }
    there
}

/// A server with its folder; ended when the test ends, also by a panic.
struct Server {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts a server that scrapes `target` and holds what is in the folder `data`.
    fn start(folder: TempDir, target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let config = format!(
            "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\nscrape_configs:\n\
             - job_name: pay\n  static_configs:\n  - targets: [\"{target}\"]\n"
        );
        fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", path("data")))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            address,
            folder,
        };
        let until = Instant::now() + PATIENCE;
        while !server.is_ready() {
            assert!(Instant::now() < until, "{}", server.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else {
            return false;
        };
        let asked = write!(stream, "GET /-/ready HTTP/1.0\r\n\r\n");
        let mut line = String::new();
        asked.is_ok()
            && BufReader::new(stream).read_line(&mut line).is_ok()
            && line.contains(" 200 ")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn investigate(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_investigate"))
            .args(["prometheus", &format!("http://{}", self.address)])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn report(&self, arguments: &[&str]) -> Value {
        let output = self.investigate(&[arguments, &["--json"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}\n{}", self.log());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

const BEGIN: i64 = 1_795_279_200;
const ONSET: i64 = BEGIN + 6_300;

/// Two hours of three services, `shop` calls `pay` calls `ledger`; after the onset `ledger` takes 0.2 s longer.
fn history() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("# TYPE http_request_duration_seconds histogram\n");
    for (service, usual) in [("shop", 0.05), ("pay", 0.03), ("ledger", 0.01)] {
        let (mut count, mut quick, mut sum) = (0, 0, 0.0);
        for at in (BEGIN..BEGIN + 7_200).step_by(15) {
            let slow = at > ONSET;
            count += 150;
            quick += if slow { 0 } else { 150 };
            sum += 150.0 * (usual + if slow { 0.2 } else { 0.0 });
            let labels = format!("job=\"{service}\",code=\"200\"");
            let name = "http_request_duration_seconds";
            writeln!(text, "{name}_bucket{{{labels},le=\"0.1\"}} {quick} {at}").unwrap();
            writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count} {at}").unwrap();
            writeln!(text, "{name}_count{{{labels}}} {count} {at}").unwrap();
            writeln!(text, "{name}_sum{{{labels}}} {sum:.3} {at}").unwrap();
        }
    }
    text.push_str("# TYPE traces_service_graph_request counter\n");
    for (client, server) in [("shop", "pay"), ("pay", "ledger")] {
        for (scrape, at) in (BEGIN..BEGIN + 7_200).step_by(15).enumerate() {
            let ends = format!("client=\"{client}\",server=\"{server}\"");
            let count = scrape * 150;
            writeln!(
                text,
                "traces_service_graph_request_total{{{ends}}} {count} {at}"
            )
            .unwrap();
        }
    }
    text.push_str("# EOF\n");
    fs::write(folder.path().join("history"), text).unwrap();
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .arg(folder.path().join("history"))
        .arg(folder.path().join("data"))
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    folder
}

fn names(report: &Value) -> Vec<String> {
    let ranking = report["root_cause"]["ranking"].as_array().unwrap();
    ranking
        .iter()
        .map(|node| node["node"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn c7_a_recorded_history_is_investigated_and_saved() {
    if !are_there() {
        return;
    }
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let server = Server::start(history(), nowhere);
    let saved = server.folder.path().join("saved");
    let at = ONSET.to_string();
    let times = ["--at", &at, "--window", "20m", "--baseline-window", "90m"];
    let common = [&["--service", "shop"][..], &times].concat();
    let report = server.report(&[&common[..], &["--save", saved.to_str().unwrap()]].concat());
    assert_eq!(report["verdict"], "diagnosed", "{report:#}");
    assert_eq!(names(&report), ["ledger", "shop", "pay"], "{report:#}");
    assert_eq!(report["data"]["calls"], 2);
    let observations = report["evidence"].as_array().unwrap();
    let latency = observations
        .iter()
        .find(|one| one["node"] == "ledger" && one["metric"] == "latency")
        .unwrap();
    assert!(
        (latency["value"].as_f64().unwrap() - 0.21).abs() < 1e-6,
        "{latency}"
    );
    let query = latency["query"].as_str().unwrap();
    assert!(
        query.starts_with("sum by (job) (increase(http_request_duration_seconds_sum[60000ms]))"),
        "{query}"
    );

    // What was saved says the same.
    let baseline = saved.join("baseline.csv");
    let again = Command::new(env!("CARGO_BIN_EXE_investigate"))
        .arg("incident")
        .arg(&saved)
        .arg("--baseline")
        .arg(baseline)
        .arg("--json")
        .output()
        .unwrap();
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["root_cause"], report["root_cause"]);
    let refused = server.investigate(&[&common[..], &["--save", saved.to_str().unwrap()]].concat());
    assert_eq!(refused.status.code(), Some(4));

    // The 99 % quantile shows it too; the time before the onset shows nothing.
    let quantile = server.report(&[&common[..], &["--symptom", "p99"]].concat());
    assert_eq!(quantile["target"]["statistic"], "p99");
    let calm = (ONSET - 1_800).to_string();
    let calm = [
        "--service",
        "shop",
        "--at",
        &calm,
        "--window",
        "20m",
        "--baseline-window",
        "1h",
    ];
    assert_eq!(server.report(&calm)["verdict"], "no_fault");

    let unknown = server.investigate(&[&["--service", "nobody"][..], &times].concat());
    assert_eq!(unknown.status.code(), Some(3));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("it knows ledger, pay, shop"), "{said}");
}

/// Answers scrapes: ten requests more each time, of 10 ms, and of 200 ms from the given scrape on.
fn exporter(slow_from: u64) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let scrapes = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&scrapes);
    std::thread::spawn(move || {
        let mut sum = 0.0;
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let _ = lines.map_while(Result::ok).find(String::is_empty);
            let scrape = count.fetch_add(1, Ordering::SeqCst) + 1;
            sum += if scrape >= slow_from { 2.0 } else { 0.1 };
            let body = format!(
                "# TYPE http_request_duration_seconds summary\n\
                 http_request_duration_seconds_sum{{code=\"200\"}} {sum}\n\
                 http_request_duration_seconds_count{{code=\"200\"}} {}\n",
                scrape * 10
            );
            // The server may have given up on this scrape.
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (address, scrapes)
}

fn wait_for(scrapes: &AtomicU64, count: u64, server: &Server) -> f64 {
    let until = Instant::now() + PATIENCE;
    while scrapes.load(Ordering::SeqCst) < count {
        assert!(Instant::now() < until, "{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

#[test]
fn c7_a_scraped_exporter_is_found_and_observed() {
    if !are_there() {
        return;
    }
    let (address, scrapes) = exporter(60);
    let server = Server::start(tempfile::tempdir().unwrap(), address);
    let onset = wait_for(&scrapes, 60, &server);
    wait_for(&scrapes, 120, &server);
    let onset = format!("{onset:.3}");
    let report = server.report(&[
        "--service",
        "pay",
        "--at",
        &onset,
        "--window",
        "16s",
        "--step",
        "2s",
        "--baseline-window",
        "0s",
    ]);
    let observations = report["evidence"].as_array().unwrap();
    let latency = observations
        .iter()
        .find(|one| one["metric"] == "latency")
        .unwrap_or_else(|| panic!("{report:#}"));
    let value = latency["value"].as_f64().unwrap();
    let reference = latency["reference"].as_f64().unwrap();
    assert!(
        value > 0.15 && reference < 0.1,
        "{latency}\n{}",
        server.log()
    );
    assert_eq!(report["verdict"], "diagnosed", "{report:#}");
    assert_eq!(names(&report), ["pay"]);
}
