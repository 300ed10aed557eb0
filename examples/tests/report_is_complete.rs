//! The report says everything that the agents found, however the tasks ended and in whatever order.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use universal_orchestrator_examples::audit::{
    Capability, Done, Job, Report, ReportBuilder, Tree, WalkOptions, first_wave, roster,
    second_wave, walk,
};

fn tree_of(files: usize) -> (tempfile::TempDir, Arc<Tree>) {
    let directory = tempfile::tempdir().unwrap();
    for file in 0..files {
        let name = format!("{file:02}.rs");
        fs::write(directory.path().join(name), "fn f() {}\n".repeat(file / 2)).unwrap();
    }
    let tree = walk(directory.path(), WalkOptions::default()).unwrap();
    (directory, Arc::new(tree))
}

/// Runs the jobs in the order that `arrange` makes of them; each takes a millisecond and two attempts.
fn audit(tree: &Arc<Tree>, top: usize, arrange: fn(&mut Vec<Job>)) -> Report {
    let roster = roster(12);
    let mut builder = ReportBuilder::new(Arc::clone(tree), roster.clone());
    let run = |builder: &mut ReportBuilder, mut jobs: Vec<Job>| {
        arrange(&mut jobs);
        for job in jobs {
            let capable = |capability| {
                roster
                    .iter()
                    .find(|agent| agent.capabilities == [capability])
            };
            builder.record(Done {
                job: &job,
                agent: capable(job.capability()).map(|agent| agent.id.as_str()),
                busy: Duration::from_millis(1),
                attempts: 2,
                result: job.run(tree).map_err(|error| error.to_string()),
            });
        }
    };
    run(&mut builder, first_wave(tree).collect());
    let hashed: Vec<_> = builder.hashed_files().collect();
    run(&mut builder, second_wave(hashed));
    builder.finish(Duration::from_millis(100), top)
}

#[test]
fn the_order_of_completion_does_not_show() {
    let (_directory, tree) = tree_of(20);
    let forwards = audit(&tree, 5, |_| {});
    let backwards = audit(&tree, 5, |jobs| jobs.reverse());
    assert_eq!(forwards.to_string(), backwards.to_string());
    assert_eq!(
        serde_json::to_value(forwards).unwrap(),
        serde_json::to_value(backwards).unwrap()
    );
}

#[test]
fn agents_and_capabilities_account_for_every_task() {
    let (_directory, tree) = tree_of(20);
    let report = audit(&tree, 5, |_| {});
    // Files 2 and 3, 4 and 5, … are equal; 0 and 1 are empty.
    let comparisons = 9;
    assert_eq!(report.tasks, 20 * 11 + comparisons);
    assert_eq!((report.errors, report.retries), (0, report.tasks));
    assert_eq!(
        report
            .agents
            .iter()
            .map(|row| row.timing.tasks)
            .sum::<u64>(),
        report.tasks
    );
    for row in &report.capabilities {
        let tasks = if row.capability == Capability::Duplicates {
            comparisons
        } else {
            20
        };
        assert_eq!((row.agents, row.timing.tasks), (1, tasks));
        assert!(
            (row.timing.utilisation_percent - tasks as f64).abs() < 0.1,
            "{row:?}"
        );
        assert!((990.0..=1_010.0).contains(&row.timing.p50_us), "{row:?}");
    }
    assert_eq!(report.findings.duplicates.len(), 9);
    assert_eq!(report.findings.empty_files, 2);
    assert!(report.is_complete());
}

#[test]
fn a_shortened_list_says_how_many_more_there_are() {
    let (_directory, tree) = tree_of(120);
    let report = audit(&tree, 5, |_| {});
    let text = report.to_string();
    let section = |title: &str| {
        let start = text
            .find(&format!("\n{title}\n"))
            .unwrap_or_else(|| panic!("{title} in {text}"));
        text[start..]
            .trim_start()
            .split("\n\n")
            .next()
            .unwrap()
            .lines()
            .collect::<Vec<_>>()
    };
    // Title, header, five rows, and the line that says so.
    let largest = section("Largest files");
    assert_eq!(largest.len(), 8);
    assert_eq!(largest[7], "  … and 115 more");
    assert_eq!(*section("Duplicates").last().unwrap(), "  … and 54 more");
    assert_eq!(
        section("Languages")
            .last()
            .unwrap()
            .split_whitespace()
            .next(),
        Some("Rust")
    );

    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"]["duplicates"].as_array().unwrap().len(), 59);
    assert_eq!(
        json["findings"]["largest"]["rows"]
            .as_array()
            .unwrap()
            .len(),
        100
    );
    assert_eq!(json["findings"]["largest"]["more"], 20);
    assert_eq!(
        json["capabilities"][0]["p50_us"],
        json["agents"][0]["p50_us"]
    );
}

#[test]
fn a_task_that_failed_is_counted_and_named() {
    let (directory, tree) = tree_of(3);
    fs::remove_file(directory.path().join("01.rs")).unwrap();
    let report = audit(&tree, 5, |_| {});
    assert_eq!(report.errors, 11);
    assert!(!report.is_complete());
    assert!(report.to_string().contains("Not read"));
    let [row] = report.findings.unreadable.as_slice() else {
        panic!("{:?}", report.findings)
    };
    assert_eq!((row.place.path.as_str(), row.tasks), ("01.rs", 11));
    assert_eq!((report.totals.files, report.totals.hashed_files), (3, 2));
}
