//! The workflow of the example: with nobody at its gate, and with somebody.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_examples::log_triage;
use universal_orchestrator_patterns::{OrchestrationContext, Workflow, WorkflowReport};

async fn run(log: &str, decision: Option<&'static str>) -> (WorkflowReport, Duration) {
    let workflow = Workflow::from_toml(log_triage::WORKFLOW, &log_triage::library());
    let workflow = workflow.unwrap();
    let builder = UniversalOrchestrator::builder().without_linked_plugins();
    let orchestrator = builder.start().await.unwrap();
    log_triage::register(&orchestrator).await.unwrap();
    let context = OrchestrationContext::builder(&orchestrator)
        .build()
        .unwrap();
    let gates = workflow.gates().clone();
    let decider = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        for (gate, choice) in gates.pending().iter().zip(decision) {
            gates.decide(gate.id, choice, "ada", "").unwrap();
        }
    });
    let began = Instant::now();
    let report = workflow.report(&context, json!({ "log": log })).await;
    let took = began.elapsed();
    decider.await.unwrap();
    drop(context);
    orchestrator.shutdown().await;
    (report, took)
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_and_the_default_is_taken() {
    let (report, took) = run(log_triage::LOG, None).await;
    assert!(report.is_success());
    assert_eq!(
        report.outputs()["summary"],
        "payment has 6 errors, 86 % of all; 3 of them within 2 min; decided: hold"
    );
    assert!(took >= Duration::from_millis(1_500));
    assert_eq!(report.items("per_service").len(), 3);
    assert_eq!(report.costs().agents()[0].name, "error-counter");
}

#[tokio::test(start_paused = true)]
async fn somebody_decides_and_it_is_done() {
    let (report, _) = run(log_triage::LOG, Some("restart")).await;
    let summary = report.outputs()["summary"].as_str().unwrap();
    assert!(
        summary.ends_with("; payment restarted for ada"),
        "{summary}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_without_errors_asks_nobody() {
    let (report, took) = run("1 cart INFO ready\n", None).await;
    assert!(report.is_success());
    assert_eq!(
        report.outputs()["summary"],
        "cart has 0 errors, 0 % of all; nothing to decide"
    );
    assert!(took < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_none_fails_with_its_line() {
    let (report, _) = run("ready\n", None).await;
    assert!(!report.is_success());
    let failure = report.step("parse").unwrap().failure().unwrap();
    assert_eq!(failure.message(), "line 1 is not MINUTE SERVICE LEVEL TEXT");
}
