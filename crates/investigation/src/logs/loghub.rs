//! Templates against the ground truth of loghub (Zhu et al., ISSRE 2023), where `UO_DATA_DIR` names the folder that
//! holds `loghub/`; without it this test says so and checks nothing.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that checks nothing says so, and one that measures says what"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::drain::Drain;

/// Grouping accuracy: the share of lines whose group has just the lines that the truth groups with them
/// (Zhu et al., "Tools and Benchmarks for Automated Log Parsing", ICSE-SEIP 2019).
fn grouping_accuracy(file: &Path) -> f64 {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let column = |headers: &csv::StringRecord, name: &str| {
        headers.iter().position(|header| header == name).unwrap()
    };
    let headers = reader.headers().unwrap().clone();
    let (content, event) = (column(&headers, "Content"), column(&headers, "EventId"));
    let mut drain = Drain::default();
    let mut truth: HashMap<String, Vec<usize>> = HashMap::new();
    let mut found: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut lines = 0;
    for (line, record) in reader.records().enumerate() {
        let record = record.unwrap();
        let template = drain.learn(&record[content], usize::MAX).unwrap();
        found.entry(template).or_default().push(line);
        truth
            .entry(record[event].to_owned())
            .or_default()
            .push(line);
        lines += 1;
    }
    let right: usize = found
        .values()
        .filter(|group| truth.values().any(|true_group| true_group == *group))
        .map(Vec::len)
        .sum();
    if std::env::var_os("UO_LOGHUB_MISSES").is_some() {
        for (number, group) in &found {
            if !truth.values().any(|true_group| true_group == group) {
                eprintln!("{} lines: {}", group.len(), drain.text(*number));
            }
        }
    }
    right as f64 / lines as f64
}

#[test]
fn templates_group_lines_as_the_ground_truth_does() {
    let folder = std::env::var_os("UO_DATA_DIR").map(|folder| PathBuf::from(folder).join("loghub"));
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        eprintln!(
            "UO_DATA_DIR names no folder with loghub/: templates were checked against nothing"
        );
        return;
    };
    // What was reached (docs/investigation.md has the figures), less a little.
    for (name, floor) in [
        ("Hadoop", 0.95),
        ("OpenSSH", 0.90),
        ("OpenStack", 0.85),
        ("Zookeeper", 0.97),
    ] {
        let reached = grouping_accuracy(&folder.join(format!("{name}_2k.log_structured.csv")));
        eprintln!("{name}: grouping accuracy {reached:.3}");
        assert!(reached >= floor, "{name}: {reached} is below {floor}");
    }
}
