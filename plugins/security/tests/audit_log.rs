//! What happened stands in the log, and nobody changes it unseen.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test where it went wrong"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use universal_orchestrator::{Mode, Table, TaskFailure, Value, json};
use universal_orchestrator_security::{FindingKind, Sealed, verify_log};

fn section_with(folder: &Path, audit: &str) -> String {
    format!("{KEY}{FLEET}{}{audit}", audit_in(folder))
}

/// The entries of all files, in order.
fn entries(folder: &Path) -> Vec<Value> {
    let lines = files(folder).into_iter().flat_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    files
}

/// The key of these tests, as a file.
fn key_file(folder: &Path) -> PathBuf {
    let table: Table = KEY.parse().unwrap();
    let path = folder.join("key");
    fs::write(&path, table["key_inline"].as_str().unwrap()).unwrap();
    path
}

#[tokio::test(start_paused = true)]
async fn decisions_and_what_came_of_them_are_written_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let f = start(Mode::Production, &section_with(folder.path(), "")).await;
    f.register_pool_agent().await;
    let ci = f.as_identity("ci");
    let delegation = ci.delegate_task(build().id("b-1")).await.unwrap();
    let failure = TaskFailure::permanent("disk full");
    f.orchestrator
        .fail_task(&delegation, failure)
        .await
        .unwrap();
    assert_eq!(
        submit_code(&f.orchestrator, build()).await,
        "unauthenticated"
    );
    assert_eq!(
        submit_code(&ci, universal_orchestrator::Task::new("deploy")).await,
        "task_type_not_granted"
    );
    f.service.block("ann", HOUR, "a reason").unwrap();
    f.service.unblock("ann").unwrap();
    let report = f.service.verify_audit().await.unwrap();
    assert!(report.is_intact(), "{report}");
    f.orchestrator.shutdown().await;

    let all = entries(folder.path());
    let told: Vec<String> = all
        .iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            let (event, outcome, principal) = (text("event"), text("outcome"), text("principal"));
            format!("{event} {outcome} {principal} {}", text("detail"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "log_opened allowed  sealed with the server key",
            "token_issued allowed  valid for 3600 s",
            "register_agent allowed pool ",
            "agent_registered allowed pool ",
            "token_issued allowed  valid for 3600 s",
            "submit_task allowed ci build",
            "task_failed allowed ci disk full",
            "submit_task unauthenticated anonymous build",
            "submit_task task_type_not_granted ci deploy",
            "blocked allowed  for 3600 s: a reason",
            "unblocked allowed  ",
            "log_closed allowed  ",
        ]
    );
    let submitted = &all[5];
    assert_eq!(
        (submitted["seq"].as_u64(), submitted["subject"].as_str()),
        (Some(6), Some("b-1"))
    );
    assert_eq!(submitted["time"], "2027-01-15T08:00:00Z");
    let tokens = f.service.tokens();
    assert!(tokens.iter().any(|token| submitted["token"] == token.id));
}

#[tokio::test(start_paused = true)]
async fn a_log_goes_on_after_a_restart_and_rotates_by_size_and_count() {
    let folder = tempfile::tempdir().unwrap();
    let section = section_with(folder.path(), "file_bytes_max = 4096\nfiles_max = 3\n");
    for _ in 0..4 {
        let f = start(Mode::Production, &section).await;
        for _ in 0..20 {
            submit_code(&f.orchestrator, build()).await;
        }
        f.orchestrator.shutdown().await;
    }
    let f = start(Mode::Production, &section).await;
    let report = f.service.verify_audit().await.unwrap();
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.files, 3);
    f.orchestrator.shutdown().await;
    let files = files(folder.path());
    assert_eq!(files.len(), 3);
    assert!(
        files
            .iter()
            .all(|file| fs::metadata(file).unwrap().len() <= 4_096)
    );
    let seqs: Vec<u64> = entries(folder.path())
        .iter()
        .map(|e| e["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs[0] > 1 && seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
    // Each run: opened, twenty refusals, the rule that they made fire, closed.
    assert_eq!(*seqs.last().unwrap(), 4 * 23 + 2);
}

#[tokio::test(start_paused = true)]
async fn two_orchestrators_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let section = section_with(folder.path(), "");
    let _first = start(Mode::Production, &section).await;
    let Err(error) = try_start(Mode::Production, &section).await else {
        panic!("started");
    };
    assert!(
        error.to_string().contains("in use by another orchestrator"),
        "{error}"
    );
}

/// D15 of the original: an entry that somebody put into the log was executed when it was read back. Here it is data, and is found.
#[tokio::test(start_paused = true)]
async fn an_injected_entry_is_data_and_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let section = section_with(folder.path(), "");
    let f = start(Mode::Production, &section).await;
    submit_code(&f.orchestrator, build()).await;
    f.orchestrator.shutdown().await;
    let path = &files(folder.path())[0];
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let injected = "__import__('os').system('touch /tmp/owned')";
    let forged = lines[1].replace("build", injected);
    for line in [injected, &forged, lines[1]] {
        fs::write(
            path,
            format!("{}\n{line}\n{}\n{}\n", lines[0], lines[1], lines[2]),
        )
        .unwrap();
        let report =
            verify_log(folder.path(), Sealed::WithKeyFile(&key_file(folder.path()))).unwrap();
        let finding = report.finding.expect("it is found");
        assert_eq!(finding.file, "audit-00000001.jsonl");
        // An entry that is there twice is found at its second place.
        let expected = if line == lines[1] { 3 } else { 2 };
        assert_eq!(
            (finding.line, finding.kind),
            (expected, FindingKind::Inserted)
        );
        let Err(error) = try_start(Mode::Production, &section).await else {
            panic!("started on a log that does not hold");
        };
        assert!(error.to_string().contains("line"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_way_to_change_a_log_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let f = start(Mode::Production, &section_with(folder.path(), "")).await;
    for _ in 0..6 {
        submit_code(&f.orchestrator, build()).await;
    }
    f.orchestrator.shutdown().await;
    let path = files(folder.path())[0].clone();
    let key = key_file(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
    assert_eq!(lines.len(), 8);
    let verify = || verify_log(folder.path(), Sealed::WithKeyFile(&key)).unwrap();
    assert!(verify().is_intact());

    let changed = |lines: &[String]| {
        fs::write(&path, lines.concat()).unwrap();
        let report = verify();
        let finding = report.finding.expect("it is found");
        fs::write(&path, &text).unwrap();
        (finding.line, finding.kind)
    };
    let mut edited = lines.clone();
    edited[3] = edited[3].replace("unauthenticated", "allowed");
    assert_eq!(changed(&edited), (4, FindingKind::Changed));
    let mut removed = lines.clone();
    removed.remove(3);
    assert_eq!(changed(&removed), (4, FindingKind::Removed));
    let mut first_removed = lines.clone();
    first_removed.remove(0);
    assert_eq!(changed(&first_removed), (1, FindingKind::Removed));
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    assert_eq!(changed(&swapped), (4, FindingKind::Reordered));
    assert_eq!(changed(&lines[..7]), (8, FindingKind::Truncated));
    assert_eq!(changed(&[]), (1, FindingKind::Truncated));

    let anchor = folder.path().join("anchor.json");
    let anchored = fs::read(&anchor).unwrap();
    fs::remove_file(&anchor).unwrap();
    assert_eq!(verify().finding.unwrap().kind, FindingKind::AnchorMissing);
    fs::write(
        &anchor,
        String::from_utf8(anchored.clone())
            .unwrap()
            .replace("\"last_seq\":8", "\"last_seq\":7"),
    )
    .unwrap();
    assert_eq!(verify().finding.unwrap().kind, FindingKind::AnchorChanged);
    fs::write(&anchor, &anchored).unwrap();
    let added = folder.path().join("audit-00000002.jsonl");
    fs::write(&added, &lines[0]).unwrap();
    assert_eq!(verify().finding.unwrap().kind, FindingKind::Inserted);
    fs::remove_file(&added).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(verify().finding.unwrap().kind, FindingKind::FileMissing);
    fs::write(&path, &text).unwrap();
    assert!(verify().is_intact());
    assert_eq!(
        verify_log(folder.path(), Sealed::Open)
            .unwrap()
            .finding
            .unwrap()
            .kind,
        FindingKind::AnchorChanged,
        "another key"
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ended_in_the_middle_leaves_a_log_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let section = section_with(folder.path(), "");
    let f = start(Mode::Production, &section).await;
    submit_code(&f.orchestrator, build()).await;
    f.service.flush_audit().await.unwrap();
    let anchor = fs::read(folder.path().join("anchor.json")).unwrap();
    submit_code(&f.orchestrator, build()).await;
    f.orchestrator.shutdown().await;
    // As if the process had ended before it wrote its last anchor, within an entry.
    let path = files(folder.path())[0].clone();
    let mut text = fs::read(&path).unwrap();
    let torn = b"{\"seq\":6,\"time\":\"20";
    text.extend_from_slice(torn);
    fs::write(&path, &text).unwrap();
    fs::write(folder.path().join("anchor.json"), &anchor).unwrap();
    let f = start(Mode::Production, &section).await;
    let report = f.service.verify_audit().await.unwrap();
    assert!(report.is_intact(), "{report}");
    f.orchestrator.shutdown().await;
    let recovered = entries(folder.path())
        .into_iter()
        .find(|e| e["event"] == "log_recovered")
        .unwrap();
    let text = recovered["detail"].as_str().unwrap();
    assert!(
        text.contains("2 entries") && text.contains(&format!("{} bytes", torn.len())),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn in_production_calls_are_refused_while_the_log_cannot_be_written() {
    for (mode, required, refuses) in [
        (Mode::Production, "", true),
        (Mode::Production, "required = false\n", false),
        (Mode::Testing, "", false),
        (Mode::Testing, "required = true\n", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let f = start(mode, &section_with(&log, required)).await;
        f.register_pool_agent().await;
        let ci = f.as_identity("ci");
        assert_eq!(submit_code(&ci, build()).await, "ok");
        f.service.flush_audit().await.unwrap();
        fs::rename(&log, folder.path().join("gone")).unwrap();
        // This one is let in: nobody knows yet.
        assert_eq!(submit_code(&ci, build()).await, "ok");
        assert!(f.service.flush_audit().await.is_err());
        let expected = if refuses { "audit_unavailable" } else { "ok" };
        assert_eq!(
            submit_code(&ci, build()).await,
            expected,
            "{mode:?} {required}"
        );
        let health = f.orchestrator.plugins()[0].health.clone();
        assert!(health.detail.unwrap().contains("audit log"));
        assert_eq!(health.critical_alerts, u32::from(refuses));
        // The folder is back: nothing was lost.
        fs::rename(folder.path().join("gone"), &log).unwrap();
        f.service.flush_audit().await.unwrap();
        assert_eq!(submit_code(&ci, build()).await, "ok");
        assert!(f.service.verify_audit().await.unwrap().is_intact());
        let submits = entries(&log)
            .iter()
            .filter(|e| e["event"] == "submit_task")
            .count();
        assert_eq!(submits, 4);
        f.orchestrator.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_made_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let Err(error) = try_start(Mode::Production, &section_with(&file, "")).await else {
        panic!("started");
    };
    assert!(error.to_string().contains("audit log: making"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn without_a_server_key_the_log_is_chained_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let f = start(Mode::Testing, &audit_in(folder.path())).await;
    f.orchestrator
        .register_agent(worker("w", &["rust"]))
        .await
        .unwrap();
    assert_eq!(submit_code(&f.orchestrator, build()).await, "ok");
    f.orchestrator.shutdown().await;
    assert!(verify_log(folder.path(), Sealed::Open).unwrap().is_intact());
    let path = files(folder.path())[0].clone();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replacen("rust", "rusT", 1)
            .replacen("build", "buiId", 1),
    )
    .unwrap();
    assert!(!verify_log(folder.path(), Sealed::Open).unwrap().is_intact());
}

#[tokio::test(start_paused = true)]
async fn without_a_folder_there_is_no_log() {
    let f = fleet().await;
    assert!(f.service.flush_audit().await.is_err());
    assert!(f.service.verify_audit().await.is_err());
    assert_eq!(
        f.orchestrator.plugins()[0].health.details["audit"],
        json!(null)
    );
}
