//! Decisions that a run waits for.

use std::time::Duration;

use serde_json::{Value, json};
use universal_orchestrator_patterns::{
    DecideError, GateId, Gates, OrchestrationContext, Workflow, WorkflowStep,
};

use crate::common::{context, orchestrator};
use crate::{built, constant, data, status};

fn gated() -> Workflow {
    built(
        Workflow::builder("change")
            .step(constant("plan", json!({"risk": "high"})))
            .step(
                WorkflowStep::gate("approve", "Restart the database?")
                    .input("risk", "steps.plan.risk")
                    .decides_after(Duration::from_secs(60), "reject"),
            )
            .step(
                constant("restart", json!("restarted"))
                    .when("steps.approve.decision == \"approve\""),
            )
            .step(
                constant("keep", json!("kept"))
                    .when("steps.approve.decision != 'approve' && steps.approve.defaulted"),
            ),
    )
}

#[tokio::test(start_paused = true)]
async fn a_decision_is_given_once_and_steers_what_follows() {
    let o = orchestrator().await;
    let workflow = gated();
    let (gates, context) = (workflow.gates().clone(), context(&o));
    let runner = workflow.clone();
    let run = tokio::spawn(async move { runner.report(&context, Value::Null).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let pending = gates.pending();
    let [gate] = &pending[..] else {
        panic!("one gate waits")
    };
    assert_eq!(
        (&*gate.step, &*gate.question),
        ("approve", "Restart the database?")
    );
    assert_eq!((&*gate.workflow, &*gate.request), ("change", "test"));
    assert_eq!(gate.input, json!({"risk": "high"}));
    let id = gate.id;
    let wrong = gates.decide(id, "maybe", "ada", "").unwrap_err();
    assert_eq!(
        wrong.to_string(),
        format!("\"maybe\" is no choice at {id}; write one of approve, reject")
    );
    let long = gates
        .decide(id, "approve", "ada", "x".repeat(5_000))
        .unwrap_err();
    assert!(matches!(
        long,
        DecideError::TooLong {
            bytes: 5_003,
            max: 4_096,
            ..
        }
    ));
    gates
        .decide(id, "approve", "ada", "it is quiet")
        .expect("it waits");
    let second = gates.decide(id, "reject", "bob", "").unwrap_err();
    assert_eq!(
        second.to_string(),
        format!("{id} was decided as \"approve\" by \"ada\"; the first decision stands")
    );
    let report = run.await.expect("it ended");
    let decided =
        json!({"decision": "approve", "by": "ada", "comment": "it is quiet", "defaulted": false});
    assert_eq!(data(&report, "approve"), decided);
    assert_eq!(status(&report, "restart"), "success");
    assert_eq!(status(&report, "keep"), "skipped: its condition was false");
    assert!(gates.pending().is_empty());
    let unknown: GateId = "gate-99".parse().expect("it is an id");
    let unknown = gates.decide(unknown, "approve", "ada", "").unwrap_err();
    assert!(matches!(unknown, DecideError::Unknown { .. }));
    assert!("17".parse::<GateId>().is_err());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_default_is_taken_at_the_deadline() {
    let o = orchestrator().await;
    let workflow = gated();
    let began = tokio::time::Instant::now();
    let report = workflow.report(&context(&o), Value::Null).await;
    assert_eq!(began.elapsed(), Duration::from_secs(60));
    assert_eq!(data(&report, "approve")["defaulted"], true);
    assert_eq!(
        status(&report, "restart"),
        "skipped: its condition was false"
    );
    assert_eq!(status(&report, "keep"), "success");
    let first: GateId = "gate-1".parse().expect("it is an id");
    let late = workflow
        .gates()
        .decide(first, "approve", "ada", "")
        .unwrap_err();
    assert!(matches!(late, DecideError::Decided { .. }), "{late}");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_default_it_fails_at_its_deadline_and_before_at_that_of_the_context() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("w")
            .step(WorkflowStep::gate("gate", "Go on?").waits(Duration::from_secs(30)))
            .step(WorkflowStep::collect("after").needs(["gate"])),
    );
    let report = workflow.report(&context(&o), Value::Null).await;
    assert_eq!(
        status(&report, "gate"),
        "timeout: nobody decided at gate in time"
    );
    assert_eq!(
        status(&report, "after"),
        "skipped: step gate, which it needs, failed"
    );
    let context = OrchestrationContext::builder(&o)
        .deadline_in(Duration::from_secs(5))
        .build()
        .expect("the parts are valid");
    let began = tokio::time::Instant::now();
    // A default is no answer to a run whose time is over.
    let report = gated().report(&context, Value::Null).await;
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    assert_eq!(
        status(&report, "approve"),
        "timeout: nobody decided at approve in time"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_gate_of_a_run_that_ended_is_over_and_takes_no_place_of_a_step() {
    let o = orchestrator().await;
    let shared = Gates::new();
    let workflow = built(
        Workflow::builder("w")
            .at_most(1)
            .step(WorkflowStep::gate("one", "?"))
            .step(WorkflowStep::gate("two", "?").choices(["yes"]))
            .step(constant("work", json!(1))),
    );
    let context = OrchestrationContext::builder(&o)
        .with(shared.clone())
        .build()
        .expect("the parts are valid");
    let other = context.clone();
    let run = tokio::spawn(async move { workflow.report(&other, Value::Null).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let pending = shared.pending();
    assert_eq!(
        pending.iter().map(|g| &*g.step).collect::<Vec<_>>(),
        ["one", "two"]
    );
    context.cancel();
    let report = run.await.expect("it ended");
    assert_eq!(status(&report, "work"), "success");
    assert_eq!(
        status(&report, "one"),
        "cancelled: one was cancelled before a decision"
    );
    let over = shared
        .decide(pending[0].id, "approve", "ada", "")
        .unwrap_err();
    assert!(matches!(over, DecideError::Over { .. }), "{over}");
    o.shutdown().await;
}
