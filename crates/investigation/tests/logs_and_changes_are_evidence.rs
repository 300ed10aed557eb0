//! Logs and events of an incident's folder take part in the diagnosis.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;

use tempfile::TempDir;
use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_investigation::logs::{LOG_TEMPLATES_MAX, LogSummary};
use universal_orchestrator_investigation::{
    Category, FactKind, IncidentFiles, InvestigationLimits, Investigator, Report,
};

const BEGIN: i64 = 1_795_293_000;
const ONSET: i64 = BEGIN + 600;

/// `shop` calls `pay` and `stock`, which get slow together: metrics alone cannot tell which of the two it is.
fn incident() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let nodes = ["shop", "pay", "stock"];
    let mut metrics = String::new();
    for (head, of) in [
        ("microservice", None),
        ("metric", Some(["latency", "requests"])),
        ("statistic", Some(["Average", "Sum"])),
    ] {
        metrics.push_str(head);
        for node in nodes {
            let [a, b] = of.unwrap_or([node; 2]);
            write!(metrics, ",{a},{b}").unwrap();
        }
        metrics.push('\n');
    }
    for row in 0..20 {
        let at = BEGIN + row * 60;
        let more = if at >= ONSET { 0.2 } else { 0.0 };
        write!(metrics, "{at}").unwrap();
        for usual in [0.1, 0.05, 0.05] {
            write!(metrics, ",{},600", usual + more + (row % 3) as f64 * 0.001).unwrap();
        }
        metrics.push('\n');
    }
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("metrics.csv", &metrics);
    write(
        "graph.csv",
        ",shop,pay,stock\nshop,0,1,1\npay,0,0,0\nstock,0,0,0\n",
    );
    write(
        "target.json",
        &format!(
            r#"{{"target": {{"node": "shop", "metric": "latency", "agg": "Average", "timestamp": {ONSET}}}}}"#
        ),
    );
    folder
}

fn log(folder: &Path, node: &str, after: &str) {
    fs::create_dir_all(folder.join("logs")).unwrap();
    let mut text = String::new();
    for second in (0..1_200).step_by(2) {
        writeln!(text, "{} INFO served request {second}", BEGIN + second).unwrap();
        if BEGIN + second >= ONSET {
            writeln!(text, "{} {after}", BEGIN + second).unwrap();
        }
    }
    fs::write(folder.join(format!("logs/{node}.log")), text).unwrap();
}

async fn report(folder: &Path) -> Report {
    let incident = IncidentFiles::in_folder(folder).read().unwrap();
    let orchestrator = UniversalOrchestrator::builder().start().await.unwrap();
    let investigator = Investigator::new(orchestrator.clone()).await.unwrap();
    let limits = InvestigationLimits::default();
    let report = investigator.investigate(incident, &limits).await.unwrap();
    orchestrator.shutdown().await;
    report
}

fn confidence(report: &Report, node: &str) -> f64 {
    let ranking = &report.root_cause.ranking;
    ranking
        .iter()
        .find(|ranked| ranked.node == node)
        .map_or(0.0, |ranked| ranked.confidence)
}

#[tokio::test]
async fn a_log_decides_between_two_that_look_alike() {
    let folder = incident();
    let bare = report(folder.path()).await;
    let (pay, stock) = (confidence(&bare, "pay"), confidence(&bare, "stock"));
    assert!((pay - stock).abs() < 0.05, "{pay} {stock}");
    log(
        folder.path(),
        "stock",
        "ERROR could not write block: No space left on device",
    );
    log(folder.path(), "pay", "");
    let told = report(folder.path()).await;
    assert_eq!(told.root_cause.ranking[0].node, "stock", "{told:#?}");
    assert!(confidence(&told, "stock") > stock + 0.2);
    let fact = told
        .facts
        .iter()
        .find(|fact| matches!(fact.kind, FactKind::NewLogTemplate { .. }))
        .unwrap();
    assert_eq!(
        (fact.node.as_str(), fact.category),
        ("stock", Category::Saturation)
    );
    assert_eq!(fact.source.location, "logs/stock.log:302");
    assert!(
        fact.text.contains("No space left on device"),
        "{}",
        fact.text
    );
}

#[tokio::test]
async fn a_change_right_before_the_onset_decides_and_one_after_it_does_not() {
    let folder = incident();
    let events = |pay: i64, stock: i64| {
        let text =
            format!("time,node,kind,text\n{pay},pay,deployment,v7\n{stock},stock,deployment,v3\n");
        fs::write(folder.path().join("events.csv"), text).unwrap();
    };
    events(ONSET - 120, ONSET + 30);
    assert_eq!(
        report(folder.path()).await.root_cause.ranking[0].node,
        "pay"
    );
    events(ONSET + 30, ONSET - 120);
    let told = report(folder.path()).await;
    assert_eq!(told.root_cause.ranking[0].node, "stock");
    let after = told.facts.iter().find(|fact| fact.node == "pay").unwrap();
    assert_eq!(after.weight, 0.0);
    fs::write(folder.path().join("events.json"), "[{\"time\": 1}]").unwrap();
    let error = IncidentFiles::in_folder(folder.path()).read().unwrap_err();
    assert!(error.to_string().contains("events.json"), "{error}");
}

#[tokio::test]
async fn hostile_lines_reach_no_report() {
    let folder = incident();
    log(
        folder.path(),
        "stock",
        "ERROR \u{1b}]0;owned\u{7}\u{1b}[2J \u{202e}<script>alert(1)</script>",
    );
    let told = report(folder.path()).await;
    assert!(!told.facts.is_empty());
    for fact in &told.facts {
        assert!(
            !fact.text.contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{}",
            fact.text
        );
    }
}

/// A log of so many lines that is made while it is read.
struct Endless {
    left: u64,
    line: Vec<u8>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.line.is_empty() && self.left > 0 {
            self.left -= 1;
            // Words that never come again, so that every line would be a form of its own.
            let word = |n: u64| -> String {
                let letter = |n: u64| char::from(b'a' + u8::try_from(n % 26).unwrap());
                (0..8)
                    .map(|place| letter(n.wrapping_mul(2_654_435_761) >> (place * 4)))
                    .collect()
            };
            self.line = format!("{}", 1_795_293_000 + self.left / 100).into_bytes();
            for place in 0..3 + self.left % 10 {
                self.line.push(b' ');
                self.line.extend(word(self.left * 13 + place).bytes());
            }
            self.line.push(b'\n');
        }
        let count = self.line.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.line[..count]);
        self.line.drain(..count);
        Ok(count)
    }
}

#[test]
fn a_log_of_any_length_and_variety_takes_bounded_memory() {
    let lines = 20_000;
    let mut log = LogSummary::new("node", 1_795_293_000.0);
    let endless = Endless {
        left: lines,
        line: Vec::new(),
    };
    log.read("endless", BufReader::new(endless)).unwrap();
    assert_eq!(log.lines(), lines);
    assert_eq!(log.templates().len(), LOG_TEMPLATES_MAX);
    assert!(log.lines_without_template() > 0);
}
