//! A program is an agent: its lines are obeyed, its faults are told apart, and it is gone when its attempt is over.
//!
//! The processes are real, and so is the time: a paused clock would jump ahead while they work.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use universal_orchestrator::{
    AgentRole, AgentSpec, FailureKind, Limits, OrchestratorConfig, RetryPolicy, SubprocessAgent,
    Task, TaskOutcome, TaskState, UniversalOrchestrator,
};

/// Far more than anything here takes; only a program that hangs gets there.
const HANGS: Duration = Duration::from_secs(20);

fn sh(script: &str) -> SubprocessAgent {
    SubprocessAgent::new("sh").arg("-c").arg(script)
}

fn task() -> Task {
    Task::new("t").requires(["x"]).retry(RetryPolicy::never())
}

async fn orchestrator_with(agent: SubprocessAgent, slots: u32) -> UniversalOrchestrator {
    orchestrator_of(OrchestratorConfig::default(), agent, slots).await
}

/// One slot, and an agent that is not dropped before it ended by itself.
async fn orchestrator_with_long_grace(agent: SubprocessAgent) -> UniversalOrchestrator {
    let mut config = OrchestratorConfig::default();
    config.tasks.cancel_grace_ms = 60_000;
    orchestrator_of(config, agent, 1).await
}

async fn orchestrator_of(
    config: OrchestratorConfig,
    agent: SubprocessAgent,
    slots: u32,
) -> UniversalOrchestrator {
    let orchestrator = UniversalOrchestrator::builder()
        .config(config)
        .without_linked_plugins()
        .start()
        .await
        .expect("the configuration is valid");
    let spec = AgentSpec::new("p", AgentRole::Worker)
        .capabilities(["x"])
        .concurrency(slots)
        .in_process(agent);
    orchestrator
        .register_agent(spec)
        .await
        .expect("the first agent is taken");
    orchestrator
}

async fn run_task(agent: SubprocessAgent, task: Task) -> TaskOutcome {
    let orchestrator = orchestrator_with(agent, 1).await;
    tokio::time::timeout(HANGS, orchestrator.execute(task))
        .await
        .expect("the attempt ends")
        .expect("the task is taken")
}

async fn run(agent: SubprocessAgent) -> TaskOutcome {
    run_task(agent, task()).await
}

fn failure(outcome: &TaskOutcome) -> (FailureKind, &str) {
    let failure = outcome.failure().expect("the task failed");
    (failure.kind(), failure.message())
}

/// Asserts that the task failed for good with a text that has all these parts.
async fn check_permanent(agent: SubprocessAgent, parts: &[&str]) {
    let outcome = run_task(agent, task().retry(RetryPolicy::immediate(3))).await;
    let (kind, message) = failure(&outcome);
    assert_eq!(
        (kind, outcome.attempts()),
        (FailureKind::Permanent, 1),
        "{message}"
    );
    for part in parts {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

async fn check_retried(agent: SubprocessAgent) {
    let outcome = run_task(agent, task().retry(RetryPolicy::immediate(2))).await;
    assert_eq!(outcome.attempts(), 2, "{:?}", outcome.failure());
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Retryable));
}

/// Looks every 10 ms, for 2 s at most.
async fn comes_true(mut condition: impl FnMut() -> bool) -> bool {
    for _ in 0..200 {
        if condition() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    condition()
}

/// A script that writes its process id to the file and then only waits.
fn writes_pid_and_waits(file: &Path) -> String {
    format!("{}; exec sleep 30", writes_pid(file))
}

fn writes_pid(file: &Path) -> String {
    let file = file.display();
    format!("echo $$ > {file}.part; mv {file}.part {file}")
}

async fn pid_in(file: &Path) -> String {
    assert!(comes_true(|| file.exists()).await, "the program began");
    std::fs::read_to_string(file)
        .expect("the file is whole when it has its name")
        .trim()
        .to_owned()
}

/// A process that was killed and not reaped is still listed.
async fn assert_gone(pid: &str) {
    let process = Path::new("/proc").join(pid);
    assert!(
        comes_true(|| !process.exists()).await,
        "process {pid} is still there"
    );
}

fn in_dir(dir: &TempDir, name: &str) -> std::path::PathBuf {
    dir.path().join(name)
}

#[tokio::test]
async fn the_request_says_what_the_task_is() {
    let agent = sh(r#"IFS= read -r line; printf '{"result": %s}\n' "$line""#);
    let payload = json!({"text": "two\nlines \"quoted\" ä", "n": [1, null]});
    let task = task()
        .id("the-id")
        .payload(payload.clone())
        .metadata("colour", "red")
        .deadline_in(Duration::from_secs(60));
    let mut request = run_task(agent, task).await.into_result().unwrap();
    let left = request["deadline_ms"].take().as_u64().unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
    assert_eq!(
        request,
        json!({
            "task": "the-id", "type": "t", "attempt": 1, "payload": payload,
            "deadline_ms": null, "metadata": {"colour": "red"},
        })
    );
}

#[tokio::test]
async fn stdin_ends_after_the_request_and_no_deadline_is_null() {
    let agent = sh(r#"request=$(cat); printf '{"result": %s}\n' "$request""#);
    let request = run(agent).await.into_result().unwrap();
    assert_eq!(request["deadline_ms"], Value::Null);
    assert_eq!(request["metadata"], json!({}));
}

#[tokio::test]
async fn a_request_larger_than_a_pipe_is_written_whole_or_not_read_at_all() {
    let large = || task().payload("x".repeat(500_000));
    let count = sh(r#"printf '{"result": %d}' "$(wc -c)""#);
    let outcome = run_task(count, large()).await;
    assert!(outcome.result().as_u64().unwrap() > 500_000, "{outcome:?}");
    let deaf = sh(r#"exec <&-; echo '{"result": "unread"}'"#);
    assert_eq!(run_task(deaf, large()).await.result(), "unread");
}

#[tokio::test]
async fn progress_is_told_before_the_result() {
    let dir = TempDir::new().unwrap();
    let go = in_dir(&dir, "go");
    let script = r#"until [ -e "$GO" ]; do sleep 0.01; done
        echo '{"progress": 0.5}'; echo '{"progress": {"page": 2}}'; echo '{"result": 3}'"#;
    let orchestrator = orchestrator_with(sh(script).env("GO", &go), 1).await;
    let handle = orchestrator.submit_task(task()).await.unwrap();
    let mut progress = handle.progress();
    std::fs::write(&go, "").unwrap();
    let mut seen = Vec::new();
    while let Some(value) = progress.next().await {
        seen.push(Value::clone(&value));
    }
    assert_eq!(seen, [json!(0.5), json!({"page": 2})]);
    assert_eq!(handle.outcome().await.unwrap().result(), 3);
}

#[tokio::test]
async fn a_result_counts_whatever_follows_it() {
    let long = "x".repeat(5000);
    let script = format!(
        r#"echo '{{"result": 1}}'; echo '{{"result": 2}}'; echo junk; echo {long}; echo '{{"error": {{"message": "no"}}}}'; exit 3"#
    );
    let outcome = run(sh(&script).line_bytes_max(100)).await;
    assert_eq!(outcome.into_result(), Ok(json!(1)));
}

#[tokio::test]
async fn a_process_that_goes_on_after_its_result_is_killed() {
    let dir = TempDir::new().unwrap();
    let file = in_dir(&dir, "pid");
    let script = format!(r#"echo '{{"result": 1}}'; {}"#, writes_pid_and_waits(&file));
    let outcome = run(sh(&script)).await;
    assert_eq!(outcome.result(), 1);
    assert_gone(&pid_in(&file).await).await;
}

#[tokio::test]
async fn what_a_process_leaves_behind_does_not_hold_the_task() {
    // Each `sleep` inherits the pipes and outlives the program.
    let outcome = run(sh(r#"sleep 25 & echo '{"result": 1}'"#)).await;
    assert_eq!(outcome.result(), 1);
    check_permanent(sh("sleep 25 & exit 3"), &["exit status: 3"]).await;
}

#[tokio::test]
async fn an_error_is_retried_when_it_says_so() {
    let script = r#"case $(cat) in
        *'"attempt":1,'*) echo '{"error": {"message": "busy", "retryable": true}}' ;;
        *) echo '{"result": "second"}' ;;
    esac"#;
    let outcome = run_task(sh(script), task().retry(RetryPolicy::immediate(3))).await;
    assert_eq!(
        (outcome.attempts(), outcome.result()),
        (2, &json!("second"))
    );
    let never = r#"echo '{"error": {"message": "no such page", "retryable": false}}'; exit 75"#;
    check_permanent(sh(never), &["no such page"]).await;
}

#[tokio::test]
async fn a_line_that_is_not_of_the_protocol_is_quoted() {
    check_permanent(
        sh("echo hello; exec sleep 30"),
        &["program `sh` failed", "`hello`", "stderr"],
    )
    .await;
    check_permanent(sh("echo; exec sleep 30"), &["``"]).await;
    let outcome = run(sh(&format!("echo {}", "Y".repeat(5000)))).await;
    let (_, message) = failure(&outcome);
    assert_eq!(message.matches('Y').count(), 200, "{message}");
}

#[tokio::test]
async fn an_end_without_a_result_is_told_apart() {
    check_permanent(sh("exit 0"), &["without a result", r#"{"result": …}"#]).await;
    check_permanent(
        sh("echo first >&2; echo second >&2; exit 3"),
        &["exit status: 3", "first\nsecond"],
    )
    .await;
    check_permanent(sh("kill -9 $$"), &["signal: 9"]).await;
    check_permanent(sh("exec >&-; exec sleep 30"), &["closed stdout"]).await;
}

#[tokio::test]
async fn exit_codes_are_retried_as_configured() {
    check_retried(sh("exit 75")).await;
    check_retried(sh("exit 3").retry_exit_codes([2, 3])).await;
    check_retried(sh("kill -9 $$").retry_exit_codes([137])).await;
    check_permanent(sh("exit 75").retry_exit_codes([3]), &["exit status: 75"]).await;
    check_permanent(sh("exit 0").retry_exit_codes([0]), &["without a result"]).await;
}

#[tokio::test]
async fn a_line_may_be_as_long_as_the_limit() {
    let line = r#"{"result": 12345}"#;
    let prints = format!("echo '{line}'; exec sleep 30");
    let soon = Duration::from_millis(50);
    let outcome = run(sh(&prints).line_bytes_max(line.len()).kill_after(soon)).await;
    assert_eq!(outcome.result(), 12345);
    let limit = format!("more than {} bytes", line.len() - 1);
    check_permanent(
        sh(&prints).line_bytes_max(line.len() - 1),
        &[&limit, "line_bytes_max"],
    )
    .await;
    check_permanent(sh("exec cat /dev/zero"), &["more than 1048576 bytes"]).await;
}

#[tokio::test]
async fn stderr_never_blocks_the_program_and_its_end_is_kept() {
    let flood = "head -c 1000000 /dev/zero | tr '\\0' 'e' >&2; echo >&2; echo last words >&2";
    let outcome = run(sh(&format!(r#"{flood}; echo '{{"result": 1}}'"#))).await;
    assert_eq!(outcome.result(), 1);
    let outcome = run(sh(&format!("{flood}; exit 3"))).await;
    let (_, message) = failure(&outcome);
    assert!(message.ends_with("last words"), "{message}");
    assert!(message.len() < 4096 + 200, "{}", message.len());
}

#[tokio::test]
async fn a_timed_out_attempt_kills_its_process() {
    let dir = TempDir::new().unwrap();
    let file = in_dir(&dir, "pid");
    let agent = sh(&writes_pid_and_waits(&file)).kill_after(Duration::from_millis(20));
    let orchestrator = orchestrator_with_long_grace(agent).await;
    let task = task().attempt_timeout(Duration::from_millis(800));
    let outcome = orchestrator.execute(task).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::AttemptTimeout));
    assert_gone(&pid_in(&file).await).await;
}

#[tokio::test]
async fn dropping_the_attempt_kills_its_process() {
    let dir = TempDir::new().unwrap();
    let file = in_dir(&dir, "pid");
    let mut config = OrchestratorConfig::default();
    config.tasks.cancel_grace_ms = 20;
    let agent = sh(&writes_pid_and_waits(&file)).kill_after(Duration::MAX);
    let orchestrator = orchestrator_of(config, agent, 1).await;
    let task = task().attempt_timeout(Duration::from_millis(800));
    let outcome = orchestrator.execute(task).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::AttemptTimeout));
    assert_gone(&pid_in(&file).await).await;
}

#[tokio::test]
async fn a_cancelled_task_kills_its_process_and_frees_the_slot() {
    let dir = TempDir::new().unwrap();
    let file = in_dir(&dir, "pid");
    let script = format!(
        r#"case $(cat) in *'"payload":"quick"'*) echo '{{"result": 1}}'; exit ;; esac; {}"#,
        writes_pid_and_waits(&file)
    );
    let agent = sh(&script).kill_after(Duration::from_millis(20));
    let orchestrator = orchestrator_with_long_grace(agent).await;
    let handle = orchestrator.submit_task(task()).await.unwrap();
    let pid = pid_in(&file).await;
    assert!(Path::new("/proc").join(&pid).exists());
    assert!(handle.cancel());
    assert_eq!(
        handle.outcome().await.unwrap().state(),
        TaskState::Cancelled
    );
    assert_gone(&pid).await;
    let next = orchestrator.execute(task().payload("quick")).await.unwrap();
    assert_eq!(next.result(), 1);
}

#[tokio::test]
async fn a_cancelled_process_may_end_by_itself() {
    let dir = TempDir::new().unwrap();
    let (begun, ended) = (in_dir(&dir, "begun"), in_dir(&dir, "ended"));
    let script =
        r#"touch "$BEGUN"; until [ -e "$CANCELLED" ]; do sleep 0.01; done; touch "$ENDED""#;
    let cancelled = in_dir(&dir, "cancelled");
    let agent = sh(script)
        .env("BEGUN", &begun)
        .env("CANCELLED", &cancelled)
        .env("ENDED", &ended);
    let orchestrator = orchestrator_with(agent, 1).await;
    let handle = orchestrator.submit_task(task()).await.unwrap();
    assert!(comes_true(|| begun.exists()).await);
    assert!(handle.cancel());
    std::fs::write(&cancelled, "").unwrap();
    assert!(comes_true(|| ended.exists()).await);
}

#[tokio::test]
async fn a_charge_is_spent_and_a_refused_one_kills_the_process() {
    let charge = r#"echo '{"charge": {"tokens": 7, "money": "1.5"}}'"#;
    let limited = || task().budget(Limits::unlimited().with_tokens(10));
    let outcome = run_task(
        sh(&format!(r#"{charge}; echo '{{"result": 1}}'"#)),
        limited(),
    )
    .await;
    let spent = outcome.cost();
    assert_eq!(
        (spent.tokens, spent.money.to_string()),
        (7, "1.5".to_owned())
    );
    assert_eq!(outcome.result(), 1);

    let dir = TempDir::new().unwrap();
    let file = in_dir(&dir, "pid");
    let begin = writes_pid(&file);
    let script = format!("{begin}; {charge}; {charge}; exec sleep 30");
    let agent = sh(&script).kill_after(Duration::MAX);
    let outcome = run_task(agent, limited()).await;
    assert_eq!(outcome.failure_kind(), Some(FailureKind::OverBudget));
    assert_eq!(outcome.cost().tokens, 7);
    assert_gone(&pid_in(&file).await).await;
}

#[tokio::test]
async fn a_program_that_cannot_start_is_named() {
    check_permanent(
        SubprocessAgent::new("no-such-program-here"),
        &["`no-such-program-here`", "was not found"],
    )
    .await;
    check_permanent(
        sh("exit 0").current_dir("/no/such/directory"),
        &["/no/such/directory"],
    )
    .await;
    check_permanent(SubprocessAgent::new("/"), &["`/`", "could not be started"]).await;
}

#[tokio::test]
async fn environment_and_directory_are_the_agents_own() {
    let dir = TempDir::new().unwrap();
    let script =
        r#"echo "{\"result\": [\"$COLOUR\", \"${CARGO_MANIFEST_DIR-none}\", \"$(pwd -P)\"]}""#;
    let own = SubprocessAgent::new("/bin/sh")
        .args(["-c", script])
        .env("COLOUR", "red")
        .env_clear()
        .current_dir(dir.path());
    let path = dir.path().canonicalize().unwrap();
    assert_eq!(run(own).await.result(), &json!(["red", "none", path]));
    let inherits = run(sh(script)).await;
    let ours = std::env::var("CARGO_MANIFEST_DIR").unwrap_or("none".to_owned());
    assert_eq!(inherits.result()[1], ours);
}

#[tokio::test]
async fn the_process_leads_a_group_of_its_own() {
    let script = r#"read -r _ _ _ _ group _ < /proc/$$/stat; echo "{\"result\": [$$, $group]}""#;
    let outcome = run(sh(script)).await;
    assert!(outcome.result()[0].is_u64(), "{outcome:?}");
    assert_eq!(outcome.result()[0], outcome.result()[1]);
}

#[tokio::test]
async fn ten_processes_run_at_once() {
    let dir = TempDir::new().unwrap();
    // Each waits until all ten have begun.
    let script = r#"touch "$$"; until [ "$(ls | wc -l)" -ge 10 ]; do sleep 0.02; done; echo "{\"result\": $$}""#;
    let orchestrator = orchestrator_with(sh(script).current_dir(dir.path()), 10).await;
    let running = (0..10).map(|_| orchestrator.execute(task()));
    let all = futures::future::join_all(running);
    let outcomes = tokio::time::timeout(HANGS, all).await.unwrap();
    let mut pids: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap().into_result().unwrap().as_u64())
        .collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 10);
}
