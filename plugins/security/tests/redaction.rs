//! Secrets that were planted come out nowhere: not in the log, not in a refusal, not in an alert.

mod common;

use std::fs;
use std::time::Duration;

use common::*;
use universal_orchestrator::{Mode, Task, TaskFailure, json};

/// Shapes that the redactor knows, all with the same secret part.
const SECRETS: [&str; 4] = [
    "password=hunter2hunter2",
    "Bearer hunter2hunter2",
    "https://ann:hunter2hunter2@host",
    "sk-hunter2hunter2",
];

#[tokio::test(start_paused = true)]
async fn planted_secrets_come_out_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "[[rules]]\nname = \"r\"\nevent = \"grant_refused\"\ncount = 1\n";
    let fleet = FLEET.replace("[roles.workers]", "[roles.workers]\nact_as = [\"*\"]");
    let section = format!("{KEY}{fleet}{rules}{}", audit_in(folder.path()));
    let f = start(Mode::Production, &section).await;
    f.register_pool_agent().await;
    let ci = f.as_identity("ci");
    let issued = f.service.issue("ci", HOUR).unwrap();
    let token = issued.token.expose().to_owned();
    let mut shown = String::new();
    for secret in SECRETS.into_iter().chain([&*token]) {
        // As type, id, payload, metadata, error text, agent id, capability, principal.
        let task = Task::new(secret).requires(["rust"]).id(secret);
        shown.push_str(&ci.submit_task(task).await.unwrap_err().reason().to_string());
        let task = build()
            .payload(json!({"a": secret}))
            .metadata("note", secret);
        let delegation = ci.delegate_task(task).await.unwrap();
        let failure = TaskFailure::permanent(format!("could not connect: {secret}"));
        f.orchestrator
            .fail_task(&delegation, failure)
            .await
            .unwrap();
        let other = f.service.issue("pool", HOUR).unwrap();
        let other = f.with_token(secret, other.token);
        for agent in [worker(secret, &["rust"]), worker("pool-2", &[secret])] {
            let refused = other.register_agent(agent).await.unwrap_err();
            shown.push_str(&refused.reason().to_string());
        }
        f.service.block("ann", HOUR, secret).unwrap();
        shown.push_str(&format!("{:?}", f.service.blocked()));
        f.service.unblock("ann").unwrap();
    }
    universal_orchestrator_testkit::settle().await;
    f.service.flush_audit().await.unwrap();
    let status = f.orchestrator.status();
    assert!(
        status.alerts.len() >= SECRETS.len(),
        "the rule fired for them"
    );
    shown.push_str(&format!("{:?} {:?}", status.alerts, status.plugins));
    f.orchestrator.shutdown().await;
    let log = fs::read_to_string(folder.path().join("audit-00000001.jsonl")).unwrap();
    let (_, secret_part) = token.split_once('.').unwrap();
    for text in [&shown, &log] {
        assert!(text.contains("[redacted]"));
        for secret in ["hunter2", secret_part] {
            let at = text.find(secret);
            let around = at.map(|at| &text[at.saturating_sub(80)..at + 10]);
            assert_eq!(around, None);
        }
    }
    let report = format!("{:?} {:?}", f.service.tokens(), issued.token);
    assert!(!report.contains(secret_part));
}

#[tokio::test(start_paused = true)]
async fn patterns_of_the_configuration_are_taken_out_and_long_texts_are_cut_after_that() {
    let folder = tempfile::tempdir().unwrap();
    let section = format!(
        "redact_patterns = [\"CASE-[0-9]+\"]\n{}text_bytes_max = 64\n",
        audit_in(folder.path())
    );
    let f = start(Mode::Testing, &section).await;
    assert_eq!(f.service.redact_text("see CASE-17"), "see [redacted]");
    assert_eq!(
        f.service.redact_json(&json!({"a": "CASE-17"})),
        json!({"a": "[redacted]"})
    );
    let who = format!("{} password=hunter2", "x".repeat(47));
    f.service
        .block("ann", Duration::from_secs(1), &format!("CASE-17 {who}"))
        .unwrap();
    f.orchestrator.shutdown().await;
    let log = fs::read_to_string(folder.path().join("audit-00000001.jsonl")).unwrap();
    assert!(log.contains("[redacted] xxx") && log.contains("…"), "{log}");
    assert!(!log.contains("hun") && !log.contains("CASE"), "{log}");
}
