//! What the reader takes, what it works around, and what it refuses with file, line and remedy.

mod support;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use support::{first, report, slow_search, write_incident, write_metrics};
use tempfile::TempDir;
use universal_orchestrator_investigation::{Incident, IncidentFiles, ReadError, Signal, Verdict};

fn folder(incident: &Incident) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    write_incident(folder.path(), incident);
    folder
}

fn read(folder: &Path) -> Result<Incident, ReadError> {
    IncidentFiles::in_folder(folder)
        .baseline(folder.join("normal.csv"))
        .read()
}

#[tokio::test(start_paused = true)]
async fn files_say_the_same_as_memory() {
    let folder = folder(&slow_search());
    let (from_files, from_memory) = (
        report(read(folder.path()).unwrap()).await,
        report(slow_search()).await,
    );
    assert_eq!(from_files.root_cause, from_memory.root_cause);
    assert_eq!(from_files.evidence, from_memory.evidence);
    assert!(from_files.notes.is_empty(), "{:?}", from_files.notes);
}

#[test]
fn a_baseline_in_the_folder_is_taken() {
    let folder = folder(&slow_search());
    let files = IncidentFiles::in_folder(folder.path());
    assert!(files.read().unwrap().baseline.is_none());
    let own = folder.path().join("baseline.csv");
    fs::rename(folder.path().join("normal.csv"), &own).unwrap();
    let rows = |files: &IncidentFiles| files.read().unwrap().baseline.unwrap().starts().len();
    assert_eq!(rows(&files), slow_search().baseline.unwrap().starts().len());
    let other = folder.path().join("metrics.csv");
    assert_eq!(rows(&files.clone().baseline(other)), 5);
    fs::write(own, "nonsense").unwrap();
    assert!(files.read().is_err());
}

#[tokio::test(start_paused = true)]
async fn columns_come_in_any_order() {
    let incident = slow_search();
    let folder = folder(&incident);
    write_metrics(
        &folder.path().join("metrics.csv"),
        &incident.telemetry,
        |columns| {
            columns.reverse();
            columns.swap(0, 5);
        },
    );
    let shuffled = report(read(folder.path()).unwrap()).await;
    assert_eq!(shuffled.root_cause, report(incident).await.root_cause);
}

#[tokio::test(start_paused = true)]
async fn missing_columns_leave_a_report() {
    let incident = slow_search();
    for lost in [Signal::Requests, Signal::Availability] {
        let folder = folder(&incident);
        write_metrics(
            &folder.path().join("metrics.csv"),
            &incident.telemetry,
            |columns| {
                columns.retain(|(_, signal)| *signal != lost);
            },
        );
        let report = report(read(folder.path()).unwrap()).await;
        assert_eq!(report.verdict, Verdict::Diagnosed, "without {lost:?}");
        assert!(
            ["search", "balancer"].contains(&first(&report).unwrap()),
            "without {lost:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_columns_are_left_out_and_noted() {
    let folder = folder(&slow_search());
    let file = folder.path().join("metrics.csv");
    let text = fs::read_to_string(&file).unwrap();
    let odd = [",cpu", ",utilisation", ",Average", ","]
        .into_iter()
        .map(str::to_owned)
        .chain(std::iter::repeat(",5".to_owned()));
    let text: String = text
        .lines()
        .zip(odd)
        .map(|(line, more)| format!("{line}{more}\n"))
        .collect();
    fs::write(&file, text).unwrap();
    let report = report(read(folder.path()).unwrap()).await;
    assert_eq!(first(&report), Some("search"));
    assert!(
        report.notes[0].contains("1 columns of unknown metric"),
        "{:?}",
        report.notes
    );
}

/// Replaces a file of the incident line by line.
fn edit(folder: &Path, file: &str, by: impl Fn(usize, &str) -> Vec<String>) {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).expect("the file is there");
    let lines: Vec<String> = text
        .lines()
        .enumerate()
        .flat_map(|(place, line)| by(place + 1, line))
        .collect();
    fs::write(&path, lines.join("\n") + "\n").expect("the file can be written");
}

#[test]
fn rows_in_disorder_and_repeated_rows_are_put_right() {
    let folder = folder(&slow_search());
    edit(folder.path(), "metrics.csv", |number, line| match number {
        6 => vec![],
        8 => {
            let gap = line.split(',').map(|_| "").collect::<Vec<_>>().join(",");
            vec![
                format!("900{gap}"),
                line.to_owned(),
                slow_row(folder.path(), 6),
            ]
        }
        _ => vec![line.to_owned()],
    });
    let read = read(folder.path()).unwrap();
    let expected = slow_search();
    assert_eq!(read.telemetry.starts(), expected.telemetry.starts());
    for node in expected.telemetry.nodes() {
        let signal = Signal::LatencyAverage;
        assert_eq!(
            read.telemetry.series(node, signal),
            expected.telemetry.series(node, signal)
        );
    }
    assert!(
        read.notes[0].contains("1 rows repeat a timestamp"),
        "{:?}",
        read.notes
    );
}

fn slow_row(folder: &Path, line: usize) -> String {
    let text = fs::read_to_string(folder.join("metrics.csv")).expect("the file is there");
    text.lines()
        .nth(line - 1)
        .expect("the file has the line")
        .to_owned()
}

#[test]
fn what_is_no_value_is_missing_and_not_zero() {
    let folder = folder(&slow_search());
    edit(folder.path(), "metrics.csv", |number, line| {
        let mut fields: Vec<&str> = line.split(',').collect();
        match number {
            5 => fields[1] = "",
            6 => fields[1] = "nan",
            7 => fields[1] = "inf",
            8 => fields[1] = "-3",
            _ => {}
        }
        vec![fields.join(",")]
    });
    let read = read(folder.path()).unwrap();
    let series = read
        .telemetry
        .series("front", Signal::LatencyAverage)
        .unwrap();
    assert!(
        series[..4].iter().all(|value| value.is_nan()) && !series[4].is_nan(),
        "{series:?}"
    );
    assert!(
        read.notes[0].contains("1 values below zero"),
        "{:?}",
        read.notes
    );
}

#[tokio::test(start_paused = true)]
async fn an_incident_without_rows_is_insufficient_evidence() {
    let folder = folder(&slow_search());
    edit(folder.path(), "metrics.csv", |number, line| {
        if number > 4 {
            vec![]
        } else {
            vec![line.to_owned()]
        }
    });
    let report = report(read(folder.path()).unwrap()).await;
    assert_eq!(report.verdict, Verdict::InsufficientEvidence);
    assert!(
        report.notes.iter().any(|note| note.contains("no rows")),
        "{:?}",
        report.notes
    );
}

#[test]
fn refusals_name_file_line_and_remedy() {
    let check = |file: &str,
                 edit: &dyn Fn(usize, &str) -> Vec<String>,
                 line: Option<u64>,
                 words: &[&str]| {
        let folder = folder(&slow_search());
        self::edit(folder.path(), file, edit);
        let error = read(folder.path()).unwrap_err();
        assert!(error.file().ends_with(file), "{error}");
        assert_eq!(error.line(), line, "{error}");
        let text = error.to_string();
        for word in words.iter().chain([&file]) {
            assert!(text.contains(word), "{word} is not in {text}");
        }
    };
    let keep = |line: &str| vec![line.to_owned()];
    let cut = |n: usize, line: &str| {
        keep(if n == 7 {
            &line[..line.len() / 2]
        } else {
            line
        })
    };
    check("metrics.csv", &cut, Some(7), &["fields", "cut off"]);
    let word = |n: usize, line: &str| {
        keep(&if n == 6 {
            line.replacen("0.", "x.", 1)
        } else {
            line.to_owned()
        })
    };
    check(
        "metrics.csv",
        &word,
        Some(6),
        &["no number", "leave a missing value empty"],
    );
    let headless = |n: usize, line: &str| if n == 2 { vec![] } else { keep(line) };
    check("metrics.csv", &headless, Some(2), &["metric"]);
    let twice = |n: usize, line: &str| {
        keep(&if n == 1 {
            line.replace("search", "front")
        } else {
            line.to_owned()
        })
    };
    check(
        "metrics.csv",
        &twice,
        Some(1),
        &["the same series", "remove one"],
    );
    let nameless = |n: usize, line: &str| {
        keep(&if n == 1 {
            line.replace("search", " ")
        } else {
            line.to_owned()
        })
    };
    check(
        "metrics.csv",
        &nameless,
        Some(1),
        &["is empty", "name every node"],
    );
    let no_time = |n: usize, line: &str| {
        keep(&if n == 6 {
            line.replacen("300", "", 1)
        } else {
            line.to_owned()
        })
    };
    check("metrics.csv", &no_time, Some(6), &["column 1"]);
    let narrow = |n: usize, line: &str| {
        keep(if n == 3 {
            &line[..line.len() - 4]
        } else {
            line
        })
    };
    check("graph.csv", &narrow, Some(3), &["fields"]);
    let letter = |n: usize, line: &str| {
        keep(&if n == 3 {
            line.replacen("0.0", "yes", 1)
        } else {
            line.to_owned()
        })
    };
    check("graph.csv", &letter, Some(3), &["yes", "no number"]);
    let json = |_: usize, line: &str| keep(&line[..line.len() / 2]);
    check("target.json", &json, Some(2), &["expected"]);
    let metric = |_: usize, line: &str| keep(&line.replace("latency", "requests"));
    check("target.json", &metric, None, &["requests", "use latency"]);
    let nobody = |_: usize, line: &str| keep(&line.replace("\"node\"", "\"name\""));
    check("target.json", &nobody, Some(1), &["node"]);
}

#[test]
fn a_missing_file_is_named() {
    for file in ["metrics.csv", "graph.csv", "target.json", "normal.csv"] {
        let folder = folder(&slow_search());
        fs::remove_file(folder.path().join(file)).unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(
            error.file().ends_with(file) && error.to_string().contains("check the path"),
            "{error}"
        );
    }
}

#[test]
fn of_the_target_file_only_the_target_is_read() {
    let folder = folder(&slow_search());
    let file = folder.path().join("target.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("\"root_cause\": 7"),
        "the answer of the test file would not parse as one"
    );
    assert_eq!(read(folder.path()).unwrap().target, slow_search().target);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(file in 0..3_usize, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let folder = folder(&slow_search());
        let name = ["metrics.csv", "graph.csv", "target.json"][file];
        fs::write(folder.path().join(name), bytes).unwrap();
        let _ = read(folder.path());
    }

    #[test]
    fn no_change_of_a_byte_makes_an_investigation_panic(file in 0..3_usize, place in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let folder = folder(&slow_search());
        let path = folder.path().join(["metrics.csv", "graph.csv", "target.json"][file]);
        let mut bytes = fs::read(&path).unwrap();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        fs::write(&path, bytes).unwrap();
        if let Ok(incident) = read(folder.path()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let report = runtime.block_on(report(incident));
            prop_assert!((0.0..=1.0).contains(&report.fault_probability));
        }
    }
}
