//! The command `investigate` as a program: output, exit codes, errors.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use universal_orchestrator_investigation::{Report, Style, render};

/// A front end that calls a search, whose latency rises in the third and fourth row by so many seconds.
fn incident(rise: f64) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut metrics = String::from(
        "microservice,front,front,search,search\nmetric,latency,requests,latency,requests\n\
         statistic,Average,Sum,Average,Sum\nunix_timestamp,,,,\n",
    );
    for row in 0..5 {
        let more = if row == 2 || row == 3 { rise } else { 0.0 };
        metrics += &format!("{},{},600,{},600\n", row * 300, 0.1 + more, 0.05 + more);
    }
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("the file can be written")
    };
    write("metrics.csv", &metrics);
    write(
        "graph.csv",
        ",front,search\nfront,0.0,1.0\nsearch,0.0,0.0\n",
    );
    write(
        "target.json",
        r#"{"target": {"node": "front", "metric": "latency", "agg": "Average", "timestamp": 450}}"#,
    );
    folder
}

fn investigate(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_investigate"))
        .arg("incident")
        .arg(folder)
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the output is UTF-8")
}

#[test]
fn the_terminal_report_names_the_cause() {
    let output = investigate(&[], incident(0.2).path());
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output.stdout).starts_with("diagnosed: search, confidence 0."),
        "{}",
        text(&output.stdout)
    );
    assert!(
        !text(&output.stdout).contains('\u{1b}'),
        "no colours into a pipe"
    );
    assert!(output.stderr.is_empty());
    let colored = investigate(&["--color", "always"], incident(0.2).path());
    assert!(text(&colored.stdout).contains('\u{1b}'));
}

#[test]
fn json_follows_the_schema_that_is_checked_in() {
    let schema = include_str!("../../../docs/investigation.schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    for rise in [0.2, 0.0] {
        let output = investigate(&["--json"], incident(rise).path());
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&report)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        let (verdict, first) = (
            &report["verdict"],
            &report["root_cause"]["ranking"][0]["node"],
        );
        let expected = if rise > 0.0 {
            ("diagnosed", Some("search"))
        } else {
            ("no_fault", None)
        };
        assert_eq!((verdict.as_str().unwrap(), first.as_str()), expected);
    }
}

#[test]
fn the_graph_and_the_baseline_may_lie_elsewhere() {
    let (folder, elsewhere) = (incident(0.2), tempfile::tempdir().unwrap());
    let graph = elsewhere.path().join("calls.csv");
    let baseline = elsewhere.path().join("normal.csv");
    fs::rename(folder.path().join("graph.csv"), &graph).unwrap();
    fs::copy(incident(0.0).path().join("metrics.csv"), &baseline).unwrap();
    let (graph, baseline) = (graph.to_str().unwrap(), baseline.to_str().unwrap());
    let output = investigate(
        &["--graph", graph, "--baseline", baseline, "--json"],
        folder.path(),
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["data"]["baseline_intervals"], 5);
    assert_eq!(report["root_cause"]["ranking"][0]["node"], "search");
}

#[test]
fn the_exit_code_says_the_verdict_when_asked() {
    let code =
        |rise: f64, arguments: &[&str]| investigate(arguments, incident(rise).path()).status.code();
    assert_eq!(code(0.2, &["--exit-code"]), Some(0));
    assert_eq!(code(0.0, &["--exit-code"]), Some(10));
    assert_eq!(code(0.0, &[]), Some(0));
    assert_eq!(code(0.2, &["--exit-code", "--budget", "0"]), Some(11));
}

#[test]
fn what_cannot_be_read_is_named_on_standard_error() {
    let folder = incident(0.2);
    fs::write(
        folder.path().join("metrics.csv"),
        "microservice,a\nmetric,latency\nstatistic,Average\n0,x\u{1b}[2J\n",
    )
    .unwrap();
    let output = investigate(&["--json"], folder.path());
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    let error = text(&output.stderr);
    assert!(
        error.contains("metrics.csv, line 4") && error.contains("leave a missing value empty"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1);
    assert!(!error.contains('\u{1b}'), "{error}");
}

#[test]
fn a_wrong_command_line_is_told_apart() {
    let folder = incident(0.2);
    for arguments in [
        &["--deadline", "0"][..],
        &["--budget", "-1"],
        &["--frobnicate"],
    ] {
        assert_eq!(
            investigate(arguments, folder.path()).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}

#[test]
fn help_tells_exit_codes_and_an_example() {
    let help = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_investigate"))
            .args(arguments)
            .output()
            .unwrap();
        text(&output.stdout).to_owned()
    };
    assert!(help(&["--help"]).contains("10  with --exit-code: no fault"));
    let incident = help(&["incident", "--help"]);
    for word in [
        "--graph",
        "--baseline",
        "--json",
        "--budget",
        "--deadline",
        "Examples:",
    ] {
        assert!(incident.contains(word), "{word}");
    }
}

#[test]
fn this_host_is_judged_and_says_what_it_read() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let output = Command::new(env!("CARGO_BIN_EXE_investigate"))
        .args(["host", "--for", "300ms", "--json", "--logs"])
        .arg(folder.path())
        .output()
        .expect("the command runs");
    assert_eq!(output.status.code(), Some(0));
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("the output is JSON");
    // What the machine of this test does is not known; that it was read is.
    let facts = report["facts"].as_array().expect("facts are a list");
    for metric in ["cpu_utilization", "memory_utilization"] {
        let read = facts.iter().any(|fact| fact["kind"]["metric"] == metric);
        assert!(read, "{report:#}");
    }
    let beyond = facts.iter().any(|fact| fact["weight"] != 0.0);
    if !beyond {
        assert_eq!(report["verdict"], "no_fault", "{report:#}");
        let report: Report = serde_json::from_value(report).expect("the report is one");
        let shown = render(&report, Style::default());
        for guess in ["Hypotheses:", "Look next at:"] {
            assert!(!shown.contains(guess), "{shown}");
        }
    }
}

#[test]
fn a_post_mortem_and_a_page_are_written_beside_the_report() {
    let (folder, files) = (incident(0.2), tempfile::tempdir().unwrap());
    let (markdown, page) = (files.path().join("a.md"), files.path().join("a.html"));
    let arguments = [
        "--markdown",
        markdown.to_str().unwrap(),
        "--html",
        page.to_str().unwrap(),
        "--explain",
        "front",
        "--strategy",
        "adaptive",
    ];
    let output = investigate(&arguments, folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("Why front has a confidence of"));
    assert!(
        fs::read_to_string(&markdown)
            .unwrap()
            .starts_with("# Post-mortem: front\n")
    );
    assert!(
        fs::read_to_string(&page)
            .unwrap()
            .contains("<h1>Diagnosed: search")
    );
    let nowhere = files.path().join("no/where.md");
    let output = investigate(&["--markdown", nowhere.to_str().unwrap()], folder.path());
    assert_eq!(output.status.code(), Some(4));
    assert!(
        text(&output.stderr).contains("where.md"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn two_reports_are_compared() {
    let files = tempfile::tempdir().unwrap();
    let report = |name: &str, rise: f64| {
        let output = investigate(&["--json"], incident(rise).path());
        let file = files.path().join(name);
        fs::write(&file, output.stdout).unwrap();
        file
    };
    let compare = |before: &Path, after: &Path| {
        Command::new(env!("CARGO_BIN_EXE_investigate"))
            .arg("compare")
            .args([before, after])
            .output()
            .expect("the command runs")
    };
    let (slow, calm) = (report("slow.json", 0.2), report("calm.json", 0.0));
    let output = compare(&slow, &calm);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("verdict: diagnosed -> no fault"));
    fs::write(&calm, "{}").unwrap();
    let output = compare(&slow, &calm);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stderr).contains("calm.json is no report"),
        "{}",
        text(&output.stderr)
    );
}
