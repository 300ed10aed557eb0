//! What a failure, a budget, a deadline and a cancellation mean for the other steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use universal_orchestrator::{Amount, Limits, RetryPolicy};
use universal_orchestrator_patterns::{
    ErrorCategory, Join, OrchestrationContext, Specialist, Step, StepContext, StepFailure,
    StepOnFailure, StopReason, Workflow, WorkflowStep,
};

use crate::common::{context, orchestrator, with_budget};
use crate::{built, constant, data, fails, gives, status};

#[tokio::test(start_paused = true)]
async fn a_failed_step_stops_only_what_depends_on_it() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("w")
            .step(WorkflowStep::run("bad", fails("bad")))
            .step(WorkflowStep::collect("child").needs(["bad"]))
            .step(WorkflowStep::collect("grandchild").needs(["child"]))
            .step(WorkflowStep::run("other", gives("other", 50, json!(1))))
            .step(WorkflowStep::collect("after").needs(["other"])),
    );
    let report = workflow.report(&context(&o), Value::Null).await;
    assert!(!report.is_success());
    assert_eq!(status(&report, "bad"), "work: told to fail");
    assert_eq!(
        status(&report, "child"),
        "skipped: step bad, which it needs, failed"
    );
    assert_eq!(
        status(&report, "grandchild"),
        "skipped: step child, which it needs, was skipped"
    );
    assert_eq!(status(&report, "after"), "success");
    assert!(report.run().stopped().is_none());
    let failure = report
        .into_step()
        .failure()
        .cloned()
        .expect("it did not succeed");
    assert_eq!(failure.category(), ErrorCategory::Work);
    assert_eq!(
        failure.message(),
        "2 of 5 steps of w succeeded; bad: work: told to fail"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_tolerated_failure_lets_the_rest_go_on() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("w")
            .step(WorkflowStep::run("soft", fails("soft")).on_failure(StepOnFailure::Continue))
            .step(WorkflowStep::run("backed", fails("backed")).fallback(json!({"n": 0})))
            .step(
                WorkflowStep::collect("after")
                    .input("soft", "steps.soft")
                    .input("backed", "steps.backed.n"),
            ),
    );
    let report = workflow.report(&context(&o), Value::Null).await;
    assert!(report.is_success());
    assert_eq!(report.tolerated(), ["soft", "backed"]);
    assert_eq!(data(&report, "after"), json!({"soft": null, "backed": 0}));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_join_says_what_is_enough() {
    let o = orchestrator().await;
    let join = |name: &str, join: Join, needs: [&str; 2]| {
        WorkflowStep::collect(name).join(join).needs(needs)
    };
    let workflow = built(
        Workflow::builder("w")
            .step(WorkflowStep::run("bad", fails("bad")))
            .step(constant("good", json!(1)))
            .step(WorkflowStep::run("worse", fails("worse")))
            .step(join("all", Join::All, ["bad", "good"]))
            .step(join("any", Join::Any, ["bad", "good"]))
            .step(join("none", Join::Any, ["bad", "worse"]))
            .step(join("done", Join::Done, ["bad", "worse"])),
    );
    let report = workflow.report(&context(&o), Value::Null).await;
    assert_eq!(
        status(&report, "all"),
        "skipped: step bad, which it needs, failed"
    );
    assert_eq!(status(&report, "any"), "success");
    assert_eq!(
        status(&report, "none"),
        "skipped: step bad, which it needs, failed"
    );
    assert_eq!(status(&report, "done"), "success");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn failing_fast_drops_what_runs_and_begins_nothing() {
    let o = orchestrator().await;
    let ended = Arc::new(AtomicU32::new(0));
    for fast in [true, false] {
        let counter = Arc::clone(&ended);
        let slow = Specialist::function("slow", move |_: Value, _: StepContext| {
            let counter = Arc::clone(&counter);
            async move {
                tokio::time::sleep(Duration::from_secs(60)).await;
                counter.fetch_add(1, Ordering::SeqCst);
                Ok::<_, StepFailure>(json!(1))
            }
        });
        let bad = WorkflowStep::run("bad", fails("bad"));
        let bad = match fast {
            true => bad,
            false => bad.on_failure(StepOnFailure::Stop),
        };
        let workflow = built(
            Workflow::builder("w")
                .fail_fast(fast)
                .step(WorkflowStep::run("slow", slow))
                .step(bad)
                .step(WorkflowStep::collect("after").needs(["slow"])),
        );
        let context = context(&o);
        let began = tokio::time::Instant::now();
        let report = workflow.report(&context, Value::Null).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(status(&report, "slow"), "cancelled: slow was cancelled");
        assert_eq!(
            report.run().stopped(),
            Some(&StopReason::FailedFast {
                step: "bad".to_owned()
            })
        );
        assert!(
            !context.is_cancelled(),
            "the caller's context is left alone"
        );
    }
    assert_eq!(ended.load(Ordering::SeqCst), 0);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_budget_stop_keeps_what_was_found_and_says_so_of_the_rest() {
    let o = orchestrator().await;
    let buys = |name: &'static str| {
        let work = |_: Value, step: StepContext| async move {
            step.charge(Amount::tokens(40))?;
            Ok::<_, StepFailure>(json!(1))
        };
        WorkflowStep::run(
            name,
            Specialist::function(name, work).estimate(Amount::tokens(40)),
        )
    };
    let workflow = built(
        Workflow::builder("w")
            .step(buys("a"))
            .step(buys("b").needs(["a"]))
            .step(buys("c").needs(["b"]))
            .step(WorkflowStep::collect("d").needs(["c"])),
    );
    let context = with_budget(&o, Limits::unlimited().with_tokens(100));
    let report = workflow.report(&context, Value::Null).await;
    assert_eq!(status(&report, "b"), "success");
    for step in ["c", "d"] {
        assert!(
            status(&report, step).starts_with("skipped: budget: "),
            "{step}"
        );
    }
    assert!(matches!(
        report.run().stopped(),
        Some(StopReason::Budget { .. })
    ));
    assert_eq!(report.cost().tokens, 80);
    let failure = report
        .into_step()
        .failure()
        .cloned()
        .expect("it did not succeed");
    assert!(failure.is_budget());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_it_in_time_and_a_cancellation_at_once() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("w")
            .step(WorkflowStep::run("slow", gives("slow", 60_000, json!(1))))
            .step(
                WorkflowStep::collect("after")
                    .needs(["slow"])
                    .join(Join::Done),
            )
            .step(constant("quick", json!(1))),
    );
    let context = OrchestrationContext::builder(&o)
        .deadline_in(Duration::from_secs(5))
        .build()
        .expect("the parts are valid");
    let began = tokio::time::Instant::now();
    let report = workflow.report(&context, Value::Null).await;
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    assert_eq!(status(&report, "after"), "skipped: the deadline had passed");
    assert_eq!(status(&report, "quick"), "success");
    assert_eq!(report.run().stopped(), Some(&StopReason::Deadline));

    let context = crate::common::context(&o);
    let other = context.clone();
    let later = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        other.cancel();
    });
    let began = tokio::time::Instant::now();
    let report = workflow.report(&context, Value::Null).await;
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(
        status(&report, "after"),
        "skipped: the context was cancelled"
    );
    assert_eq!(report.run().stopped(), Some(&StopReason::Cancelled));
    later.await.expect("it ended");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_step_is_retried_and_its_attempts_are_timed() {
    let o = orchestrator().await;
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let flaps = Specialist::function("flaps", move |_: Value, _: StepContext| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            match call {
                0 => Err(StepFailure::retryable("again")),
                1 => std::future::pending().await,
                _ => Ok(json!("done")),
            }
        }
    });
    let workflow = built(
        Workflow::builder("w").step(
            WorkflowStep::run("flaps", flaps)
                .timeout(Duration::from_secs(3))
                .retry(RetryPolicy::immediate(3)),
        ),
    );
    let began = tokio::time::Instant::now();
    let report = workflow.report(&context(&o), Value::Null).await;
    assert_eq!(data(&report, "flaps"), json!("done"));
    assert_eq!(report.step("flaps").unwrap().attempts(), 3);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn items_fail_one_by_one() {
    let o = orchestrator().await;
    let odd = || {
        Specialist::function("odd", |n: u64, _: StepContext| async move {
            match n % 2 {
                1 => Ok(n),
                _ => Err(StepFailure::permanent("even")),
            }
        })
    };
    let each = |required: Option<usize>| {
        let step = WorkflowStep::run("each", odd())
            .for_each("input")
            .input_whole("item");
        let step = match required {
            Some(items) => step.items_required(items),
            None => step,
        };
        built(Workflow::builder("w").step(step))
    };
    let report = each(None).report(&context(&o), json!([1, 2, 3, 4])).await;
    let failure = report
        .step("each")
        .and_then(|r| r.failure())
        .expect("it failed");
    assert_eq!(
        failure.message(),
        "2 of 4 items of each succeeded; item 1: work: even; item 3: work: even"
    );
    assert_eq!(failure.partial(), Some(&json!([1, null, 3, null])));
    assert!(report.items("each")[0].is_success());
    assert!(report.items("each")[1].failure().is_some());
    let costs = report.costs();
    let rows = costs.steps().iter().map(|row| (&*row.name, &*row.status));
    let expected = [
        ("each[0]", "success"),
        ("each[1]", "failure"),
        ("each[2]", "success"),
        ("each[3]", "failure"),
    ];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
    let report = each(Some(2))
        .report(&context(&o), json!([1, 2, 3, 4]))
        .await;
    assert_eq!(data(&report, "each"), json!([1, null, 3, null]));
    let report = each(Some(9)).report(&context(&o), json!([])).await;
    assert_eq!(data(&report, "each"), json!([]));
    let report = each(None).report(&context(&o), json!("no list")).await;
    assert_eq!(
        status(&report, "each"),
        "invalid: for_each of each over a value that is no list"
    );
    let report = each(None)
        .report(&context(&o), json!(vec![1; 10_001]))
        .await;
    assert_eq!(
        status(&report, "each"),
        "invalid: 10001 items for each, and 10000 is the most; split the list"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_stays_in_its_step() {
    let o = orchestrator().await;
    struct Panics;
    #[async_trait::async_trait]
    impl Step<Value, Value> for Panics {
        fn name(&self) -> &str {
            "panics"
        }
        async fn run(
            &self,
            _: &OrchestrationContext,
            _: Value,
        ) -> universal_orchestrator_patterns::StepResult {
            panic!("told to panic")
        }
    }
    let workflow = built(
        Workflow::builder("w")
            .step(WorkflowStep::run("panics", Panics))
            .step(constant("other", json!(1))),
    );
    let report = workflow.report(&context(&o), Value::Null).await;
    assert_eq!(
        status(&report, "panics"),
        "panicked: panics panicked: told to panic"
    );
    assert_eq!(status(&report, "other"), "success");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_leaves_nothing_running() {
    let o = orchestrator().await;
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let hangs = Specialist::function("hangs", move |_: Value, _: StepContext| {
        let held = Arc::clone(&held);
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<_, StepFailure>(json!(1))
        }
    });
    let workflow = built(
        Workflow::builder("w")
            .step(WorkflowStep::run("hangs", hangs))
            .step(WorkflowStep::gate("gate", "go on?")),
    );
    let context = context(&o);
    let run = workflow.report(&context, Value::Null);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), run)
            .await
            .is_err()
    );
    // The workflow's own function holds one, and no call does.
    assert_eq!(Arc::strong_count(&alive), 2);
    assert!(workflow.gates().pending().is_empty());
    o.shutdown().await;
}
