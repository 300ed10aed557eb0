//! Conditions and loops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use universal_orchestrator::{Amount, Limits};
use universal_orchestrator_patterns::{
    Join, OrchestrationContext, Specialist, StepContext, StepFailure, StepOnFailure, ValueType,
    Workflow, WorkflowStep,
};

use crate::common::{context, orchestrator, with_budget};
use crate::{built, constant, data, fails, status};

fn scored() -> ValueType {
    ValueType::record([("score", ValueType::Number)])
}

/// A function whose score grows with each call.
fn grows(name: &str) -> Specialist<Value, Value> {
    let calls = Arc::new(AtomicU64::new(0));
    Specialist::function(name, move |input: Value, _: StepContext| {
        let score = calls.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok::<_, StepFailure>(json!({ "score": score, "was": input })) }
    })
}

#[tokio::test(start_paused = true)]
async fn until_runs_again_with_what_it_gave_before() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("w")
            .step(constant("goal", json!(2.5)).gives(ValueType::Number))
            .step(
                WorkflowStep::run("improve", grows("improve"))
                    .gives(scored())
                    .input("last", "last.score")
                    .input("iteration", "iteration")
                    .until("last.score >= steps.goal"),
            ),
    );
    let report = workflow.report(&context(&o), Value::Null).await;
    assert_eq!(
        data(&report, "improve"),
        json!({"score": 3, "was": {"last": 2, "iteration": 3}})
    );
    assert_eq!(report.step("improve").unwrap().attempts(), 3);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn while_is_asked_before_each_iteration() {
    let o = orchestrator().await;
    let run = |condition: &str, max: u32| {
        built(
            Workflow::builder("w").step(
                WorkflowStep::run("again", grows("again"))
                    .gives(scored())
                    .repeat_while(condition)
                    .iterations_max(max),
            ),
        )
    };
    let report = run("iteration <= 4", 4)
        .report(&context(&o), Value::Null)
        .await;
    assert_eq!(data(&report, "again")["score"], 4);
    let report = run("input == 1", 4).report(&context(&o), Value::Null).await;
    assert_eq!(status(&report, "again"), "skipped: its condition was false");
    let report = run("iteration == 1 || last.score < 9.0", 5)
        .report(&context(&o), Value::Null)
        .await;
    let failure = report
        .step("again")
        .and_then(|r| r.failure())
        .expect("it failed");
    assert_eq!(
        failure.message(),
        "again ran 5 times, and while iteration == 1 || last.score < 9.0 did not end it"
    );
    assert_eq!(
        failure.partial().map(|last| &last["score"]),
        Some(&json!(5))
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_loop_ends_with_its_bound_its_step_its_budget_and_its_deadline() {
    let o = orchestrator().await;
    let never = |work: Specialist<Value, Value>| {
        let step = WorkflowStep::run("again", work).until("last == 'never'");
        built(Workflow::builder("w").step(step))
    };
    let report = never(grows("again"))
        .report(&context(&o), Value::Null)
        .await;
    assert_eq!(
        status(&report, "again"),
        "work: again ran 100 times, and until last == 'never' did not end it"
    );
    let report = never(fails("again"))
        .report(&context(&o), Value::Null)
        .await;
    assert_eq!(status(&report, "again"), "work: told to fail");
    let buys = Specialist::function("again", |_: Value, step: StepContext| async move {
        step.charge(Amount::tokens(10))?;
        Ok::<_, StepFailure>(json!("bought"))
    });
    let budget = with_budget(&o, Limits::unlimited().with_tokens(25));
    let report = never(buys.estimate(Amount::tokens(10)))
        .report(&budget, Value::Null)
        .await;
    let failure = report
        .step("again")
        .and_then(|r| r.failure())
        .expect("it failed");
    assert!(failure.is_budget(), "{failure}");
    assert_eq!(failure.partial(), Some(&json!("bought")));
    assert_eq!(report.cost().tokens, 20);
    let slow = crate::gives("again", 400, json!(1));
    let soon = OrchestrationContext::builder(&o)
        .deadline_in(Duration::from_secs(1))
        .build()
        .expect("the parts are valid");
    let report = never(slow).report(&soon, Value::Null).await;
    assert!(
        status(&report, "again").starts_with("timeout: "),
        "{report:?}"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn conditions_read_data_status_and_the_input() {
    let o = orchestrator().await;
    let findings = ValueType::list(ValueType::record([
        ("severity", ValueType::Text),
        ("count", ValueType::Integer),
    ]));
    let when = |name: &str, expression: &str| {
        WorkflowStep::collect(name)
            .when(expression)
            .join(Join::Done)
    };
    let workflow = built(
        Workflow::builder("w")
            .takes(ValueType::record([("deep", ValueType::Boolean)]))
            .step(
                constant(
                    "scan",
                    json!({"findings": [{"severity": "high", "count": 2}, {"severity": "low", "count": 9}]}),
                )
                .gives(ValueType::record([("findings", findings)])),
            )
            .step(WorkflowStep::run("soft", fails("soft")).on_failure(StepOnFailure::Continue))
            .step(constant("whole", json!(2)).gives(ValueType::Number))
            .step(when("yes_number", "steps.whole + 0.5 > 2.0"))
            .step(when("yes_exists", "steps.scan.findings.exists(f, f.severity == 'high' && f.count > 1)"))
            .step(when("yes_size", "size(steps.scan.findings.filter(f, f.count > 5)) == 1"))
            .step(when("yes_map", "9 in steps.scan.findings.map(f, f.count)"))
            .step(when("yes_status", "status.soft == 'failure' && !has(steps.soft)"))
            .step(when("yes_input", "input.deep ? true : false"))
            .step(when("no_all", "steps.scan.findings.all(f, f.severity == 'high')"))
            .step(when("no_text", "steps.scan.findings[0].severity.startsWith('l')"))
            .step(when("bad_index", "steps.scan.findings[7].count == 1"))
            .step(when("bad_null", "steps.soft.missing == 1")),
    );
    let report = workflow.report(&context(&o), json!({"deep": true})).await;
    for (step, status) in crate::statuses(&report).into_iter().skip(3) {
        let expected = match step.split('_').next() {
            Some("yes") => "success",
            Some("no") => "skipped: its condition was false",
            _ => "invalid: the expression cannot be evaluated: ",
        };
        assert!(status.starts_with(expected), "{step}: {status}");
    }
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_evaluation_that_would_take_long_is_refused() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("w")
            .step(WorkflowStep::collect("square").when("input.all(a, input.all(b, a == b))"))
            .step(WorkflowStep::collect("line").when("input.all(a, a == 1)")),
    );
    let small = workflow.report(&context(&o), json!(vec![1; 100])).await;
    assert!(small.is_success());
    let large = workflow.report(&context(&o), json!(vec![1; 5_000])).await;
    let said = status(&large, "square");
    assert!(
        said.starts_with("invalid: the expression may have to look at "),
        "{said}"
    );
    assert_eq!(status(&large, "line"), "success");
    let huge = workflow.report(&context(&o), json!(vec![1; 200_000])).await;
    assert_eq!(
        status(&huge, "line"),
        "invalid: the expression reads more than 100000 values; compute what it needs in a step"
    );
    o.shutdown().await;
}
