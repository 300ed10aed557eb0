//! The whole audit on an orchestrator: its counts against Unix tools, retries, failures, interruption.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::sync::Notify;
use universal_orchestrator_examples::audit::{
    Audit, AuditError, Books, Capability, Job, Summary, Tree, WalkOptions, walk,
};

const AGENTS: usize = 60;
const AT_ONCE: usize = 8;

fn tree_of(root: &Path) -> Arc<Tree> {
    Arc::new(walk(root, WalkOptions::default()).unwrap())
}

async fn run(audit: Audit) -> Summary {
    let bar = ProgressBar::hidden();
    audit.run(&bar, 10, std::future::pending()).await.unwrap()
}

/// A tree of `files` files of which every third has the same content.
fn forest(files: usize) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in 0..files {
        let folder = directory.path().join(format!("{}", file % 7));
        fs::create_dir_all(&folder).unwrap();
        let text = match file % 3 {
            0 => "the same\n".to_owned(),
            _ => format!("file {file}\nTODO: nothing\n"),
        };
        fs::write(folder.join(format!("{file}.txt")), text).unwrap();
    }
    directory
}

/// The first number that a shell command prints in a folder.
#[cfg(unix)]
fn number(folder: &Path, script: &str) -> u64 {
    let mut command = Command::new("sh");
    let output = command.args(["-c", script]).current_dir(folder).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let first = text.split_whitespace().next().unwrap();
    first.parse().unwrap()
}

#[cfg(unix)]
fn check_against_tools(folder: &Path, summary: &Summary) {
    let totals = &summary.report.totals;
    assert_eq!(totals.files, number(folder, "find . -type f | wc -l"));
    let lines = number(folder, "find . -type f -exec cat {} + | wc -l");
    let bytes = number(folder, "find . -type f -exec cat {} + | wc -c");
    assert_eq!((totals.lines, totals.bytes), (lines, bytes));
    assert_eq!(totals.hashed_files, totals.files);
}

fn check_complete(summary: &Summary) {
    assert!(summary.report.is_complete(), "{summary}");
    assert!(!summary.interrupted);
    summary.orchestrator.check(&summary.report, 0).unwrap();
    let per_file = Capability::ALL.len() as u64 - 1;
    let first_wave = summary.report.totals.files * per_file;
    assert!(summary.report.tasks >= first_wave, "{summary}");
    assert_eq!(summary.report.agents.len(), AGENTS);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_small_tree_adds_up_and_every_agent_works() {
    let directory = forest(200);
    let summary = run(Audit::new(tree_of(directory.path()), AGENTS, AT_ONCE)).await;
    check_complete(&summary);
    check_against_tools(directory.path(), &summary);
    let [copies] = summary.report.findings.duplicates.as_slice() else {
        panic!("{:?}", summary.report.findings.duplicates);
    };
    assert_eq!(copies.paths.len(), 67);
    assert_eq!(summary.report.findings.todo_lines, 133);
    for agent in &summary.report.agents {
        let compares = agent.capabilities == [Capability::Duplicates];
        assert!(compares || agent.timing.tasks > 0, "{}", agent.agent);
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_crates_of_this_workspace_add_up() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let directory = tempfile::tempdir().unwrap();
    // A copy stands still while the tools look at it; an editor's tree may not.
    let mut copy = Command::new("cp");
    assert!(
        copy.arg("-R")
            .args([&crates, directory.path()])
            .status()
            .unwrap()
            .success()
    );
    let summary = run(Audit::new(tree_of(directory.path()), AGENTS, AT_ONCE)).await;
    check_complete(&summary);
    check_against_tools(directory.path(), &summary);
}

/// More tasks than queue, line of handles and retained outcomes hold together.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_full_is_waited_for_and_no_outcome_is_lost() {
    let directory = forest(1_200);
    let tree = tree_of(directory.path());
    let summary = run(Audit::new(tree, AGENTS, 2)).await;
    check_complete(&summary);
    assert!(summary.report.tasks > 13_000, "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_without_files_is_told_in_a_few_lines() {
    let directory = tempfile::tempdir().unwrap();
    let summary = run(Audit::new(tree_of(directory.path()), AGENTS, AT_ONCE)).await;
    check_complete(&summary);
    let text = summary.to_string();
    assert!(text.contains("0 files, 0 lines"), "{text}");
    assert!(!text.contains("hash-01"), "{text}");
    assert!(text.contains("Check it"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_agent_is_enough() {
    let directory = forest(5);
    let summary = run(Audit::new(tree_of(directory.path()), 1, 1)).await;
    assert!(summary.report.is_complete(), "{summary}");
    summary.orchestrator.check(&summary.report, 0).unwrap();
}

fn busy_file() -> AuditError {
    let source = io::Error::from(io::ErrorKind::ResourceBusy);
    AuditError::from_io(Path::new("busy"), source)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_busy_once_is_read_at_the_second_attempt() {
    let directory = forest(20);
    let seen = Mutex::new(HashSet::new());
    let audit = Audit::new(tree_of(directory.path()), AGENTS, AT_ONCE);
    let summary = run(audit.analyse_with(move |job: &Job, tree: &Tree| {
        let is_hash = job.capability() == Capability::Hash;
        if is_hash && seen.lock().unwrap().insert(job.file()) {
            return Err(busy_file());
        }
        job.run(tree)
    }))
    .await;
    check_complete(&summary);
    assert_eq!(
        (summary.report.retries, summary.orchestrator.retries),
        (20, 20)
    );
    let rows = &summary.report.capabilities;
    for row in rows {
        let expected = if row.capability == Capability::Hash {
            20
        } else {
            0
        };
        assert_eq!(row.timing.retries, expected, "{}", row.capability);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_pass_are_retried_and_errors_that_stay_are_not() {
    let directory = forest(4);
    let audit = Audit::new(tree_of(directory.path()), AGENTS, AT_ONCE);
    let summary = run(
        audit.analyse_with(|job, tree| match (job.capability(), job.file()) {
            (Capability::Lines, Some(0)) => Err(busy_file()),
            (Capability::Lines, Some(1)) => Err(AuditError::NotPerFile),
            (Capability::Lines, Some(2)) => panic!("told to panic"),
            _ => job.run(tree),
        }),
    )
    .await;
    summary.orchestrator.check(&summary.report, 0).unwrap();
    assert!(!summary.report.is_complete());
    // Three attempts are the default.
    assert_eq!((summary.report.errors, summary.report.retries), (3, 2));
    assert_eq!(summary.orchestrator.failed, 3);
    let errors: Vec<_> = summary.report.findings.unreadable.iter().collect();
    let [busy, permanent, panicked] = errors.as_slice() else {
        panic!("{errors:?}");
    };
    assert!(busy.place.error.contains("at the moment"), "{busy:?}");
    assert!(
        permanent.place.error.contains("several files"),
        "{permanent:?}"
    );
    assert!(
        panicked.place.error.contains("told to panic"),
        "{panicked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_cancels_the_rest_and_reports_what_was_done() {
    let directory = forest(300);
    let (enough, seen) = (Arc::new(Notify::new()), Mutex::new(0));
    let interrupted = Arc::new(AtomicBool::new(false));
    let (interrupt, heard) = (Arc::clone(&enough), Arc::clone(&interrupted));
    let audit = Audit::new(tree_of(directory.path()), AGENTS, 2);
    let audit = audit.analyse_with(move |job, tree| {
        let seen = {
            let mut seen = seen.lock().unwrap();
            *seen += 1;
            *seen
        };
        if seen == 500 {
            enough.notify_one();
        }
        // The rest waits for the interrupt, and then is slow enough to be cancelled on a busy machine too.
        while seen >= 500 && !interrupted.load(Ordering::Acquire) {
            thread::yield_now();
        }
        if seen >= 500 {
            thread::sleep(Duration::from_millis(1));
        }
        job.run(tree)
    });
    let bar = ProgressBar::hidden();
    let hears = async move {
        interrupt.notified().await;
        heard.store(true, Ordering::Release);
    };
    let summary = audit.run(&bar, 10, hears).await.unwrap();
    assert!(summary.interrupted);
    assert!(
        summary.cancelled > 0 && summary.report.tasks > 0,
        "{summary}"
    );
    summary
        .orchestrator
        .check(&summary.report, summary.cancelled)
        .unwrap();
    let text = summary.to_string();
    assert!(text.contains("Interrupted"), "{text}");
    assert!(!text.contains("Check it"), "{text}");
    let per_file = Capability::ALL.len() as u64 - 1;
    let all = summary.report.tasks + summary.cancelled + summary.not_submitted;
    assert_eq!(all, 300 * per_file);
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_do_not_balance_are_noticed() {
    let directory = forest(3);
    let summary = run(Audit::new(tree_of(directory.path()), AGENTS, AT_ONCE)).await;
    let books = summary.orchestrator;
    let check = |books: Books, what: &str| {
        let mismatch = books.check(&summary.report, 0).unwrap_err();
        assert_eq!(mismatch.what, what);
    };
    check(
        Books {
            accepted: books.accepted + 1,
            ..books
        },
        "tasks accepted",
    );
    check(
        Books {
            succeeded: books.succeeded - 1,
            ..books
        },
        "tasks ended",
    );
    let (succeeded, failed) = (books.succeeded - 1, books.failed + 1);
    check(
        Books {
            succeeded,
            failed,
            ..books
        },
        "tasks succeeded",
    );
    check(Books { active: 1, ..books }, "tasks still active");
    check(
        Books {
            retries: 1,
            ..books
        },
        "retries",
    );
}
