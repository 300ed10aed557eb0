//! How a task ends: cancelled, out of time, or by the first report.

use serde_json::{Value, json};
use universal_orchestrator::{
    AgentError, FailureKind, Refusal, ReportError, RetryPolicy, TaskContext, TaskFailure,
    TaskFault, TaskState, agent_fn,
};

use crate::assert_idle;
use crate::common::*;

#[tokio::test(start_paused = true)]
async fn an_agent_that_ignores_its_cancellation_is_a_zombie_until_the_grace_is_over() {
    let o = with_config(|c| c.tasks.cancel_grace_ms = 3_000).await;
    o.register_agent(worker("a", &["x"], stuck()))
        .await
        .unwrap();
    let handle = o.submit_task(task("x")).await.unwrap();
    settle().await;
    o.cancel_task(handle.id()).await.unwrap();
    assert_eq!(handle.try_outcome().unwrap().state(), TaskState::Cancelled);
    let status = o.status();
    assert_eq!((status.agents.zombies, status.tasks.active), (1, 0));
    assert!(matches!(
        o.delegate_task(task("x")).await.unwrap_err().reason(),
        Refusal::AllBusy { .. }
    ));
    tokio::time::sleep(ms(2_998)).await;
    assert_eq!(o.status().agents.zombies, 1);
    tokio::time::sleep(ms(4)).await;
    assert_idle(&o).await;
    o.delegate_task(task("x")).await.unwrap();
    assert!(matches!(
        o.cancel_task(handle.id()).await.unwrap_err(),
        ReportError::AlreadyOver { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_listens_stops_at_once_and_its_answer_is_not_taken() {
    let o = plain().await;
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        assert!(!context.is_cancelled());
        context.cancellation().cancelled().await;
        assert!(context.is_cancelled());
        Ok::<_, AgentError>("too late")
    });
    o.register_agent(worker("a", &["x"], agent)).await.unwrap();
    let handle = o.submit_task(task("x")).await.unwrap();
    settle().await;
    assert!(handle.cancel());
    settle().await;
    assert_idle(&o).await;
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(
        (outcome.state(), outcome.result()),
        (TaskState::Cancelled, &Value::Null)
    );
    assert!(!handle.cancel(), "it is over");
}

#[tokio::test(start_paused = true)]
async fn an_external_zombie_keeps_its_slot_until_the_lease_ends_or_it_reports() {
    for reports in [false, true] {
        let o = with_config(|c| c.agents.lease_ms = 20_000).await;
        let a = o.register_agent(external("a", &["x"])).await.unwrap();
        let d = o.delegate_task(task("x")).await.unwrap();
        o.cancel_task(d.task()).await.unwrap();
        assert_eq!(o.agent(&a).unwrap().zombies, 1);
        assert!(o.delegate_task(task("x")).await.is_err());
        if reports {
            tokio::time::sleep(secs(5)).await;
            let late = o.complete_task(&d, 1).await.unwrap_err();
            assert!(matches!(late, ReportError::AlreadyOver { .. }));
            assert!(
                o.complete_task(&d, 1).await.is_err(),
                "a second one frees nothing more"
            );
        } else {
            tokio::time::sleep(ms(19_998)).await;
            assert_eq!(o.agent(&a).unwrap().zombies, 1);
            tokio::time::sleep(ms(4)).await;
        }
        assert_idle(&o).await;
        let outcome = o.wait_task(d.task()).await.unwrap();
        assert_eq!(outcome.state(), TaskState::Cancelled);
        o.delegate_task(task("x")).await.unwrap();
        assert!(matches!(
            o.delegate_task(task("x")).await.unwrap_err().reason(),
            Refusal::AllBusy { .. }
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn deadline_attempt_and_idle_timeouts_fire_wherever_the_task_stands() {
    let o = plain().await;
    o.register_agent(worker("a", &["x"], stuck()))
        .await
        .unwrap();
    o.register_agent(external("e", &["y"]).concurrency(9))
        .await
        .unwrap();
    let begun = tokio::time::Instant::now();
    let running = o.submit_task(task("x").deadline_in(secs(3))).await.unwrap();
    let queued = o.submit_task(task("x").deadline_in(secs(2))).await.unwrap();
    let delayed = o
        .submit_task(task("x").delay(secs(9)).deadline_in(secs(1)))
        .await
        .unwrap();
    let absolute = o
        .delegate_task(task("y").deadline(begun + secs(4)))
        .await
        .unwrap();
    for (handle, after) in [(delayed, 1), (queued, 2), (running, 3)] {
        let outcome = handle.outcome().await.unwrap();
        assert_eq!(outcome.state(), TaskState::TimedOut);
        assert_eq!(outcome.failure_kind(), Some(FailureKind::DeadlineExceeded));
        assert_eq!(begun.elapsed(), secs(after));
    }
    let outcome = o.wait_task(absolute.task()).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::DeadlineExceeded));
    assert_eq!(begun.elapsed(), secs(4));
    let d = o
        .delegate_task(task("y").attempt_timeout(secs(5)).idle_timeout(secs(2)))
        .await
        .unwrap();
    tokio::time::sleep(ms(1_500)).await;
    o.report_progress(&d, "half").await.unwrap();
    tokio::time::sleep(ms(1_999)).await;
    assert_eq!(
        o.status().tasks.active,
        1,
        "progress restarted the idle timeout"
    );
    let outcome = o.wait_task(d.task()).await.unwrap();
    assert_eq!(
        (outcome.failure_kind(), outcome.partial()),
        (Some(FailureKind::IdleTimeout), Some(&json!("half")))
    );
    let d = o
        .delegate_task(task("y").attempt_timeout(secs(5)))
        .await
        .unwrap();
    tokio::time::sleep(secs(4)).await;
    o.report_progress(&d, "half").await.unwrap();
    let outcome = o.wait_task(d.task()).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::AttemptTimeout));
    assert_eq!(outcome.run_time(), secs(5));
    let passed = o.submit_task(task("x").deadline(begun)).await.unwrap_err();
    assert!(matches!(
        passed.reason(),
        Refusal::Invalid(TaskFault::DeadlinePassed { .. })
    ));
    assert_eq!(o.status().tasks.timed_out, 6);
    assert_eq!(o.dead_letters().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn no_retry_follows_that_could_not_begin_before_the_deadline() {
    let o = plain().await;
    o.register_agent(worker("a", &["x"], flaky()))
        .await
        .unwrap();
    let policy = RetryPolicy {
        jitter: 0.0,
        ..RetryPolicy::exponential(5, secs(2), secs(60))
    };
    let task = task("x").payload(4).retry(policy).deadline_in(secs(5));
    let outcome = o.execute(task).await.unwrap();
    assert_eq!(
        outcome.attempts(),
        2,
        "at 0 s and 2 s; the third would be at 6 s"
    );
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Retryable));
}

#[tokio::test(start_paused = true)]
async fn execute_dropped_cancels_its_task() {
    let o = plain().await;
    o.register_agent(worker("a", &["x"], stuck()))
        .await
        .unwrap();
    for id in ["running", "queued"] {
        let execute = o.execute(task("x").id(id));
        assert!(tokio::time::timeout(ms(10), execute).await.is_err());
        let outcome = o.wait_task(&tid(id)).await.unwrap();
        assert_eq!(outcome.state(), TaskState::Cancelled, "{id}");
    }
    tokio::time::sleep(secs(2)).await;
    assert_idle(&o).await;
    let handle = o.submit_task(task("x")).await.unwrap();
    drop(handle.outcome());
    drop(handle);
    settle().await;
    assert_eq!(
        o.status().tasks.running,
        1,
        "a dropped handle cancels nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_of_two_reports_wins_and_strangers_change_nothing() {
    let o = plain().await;
    for id in ["a", "b"] {
        o.register_agent(external(id, &["x"])).await.unwrap();
    }
    let d = o.delegate_task(task("x")).await.unwrap();
    let other = if d.agent() == &aid("a") { "b" } else { "a" };
    let strangers =
        universal_orchestrator::Delegation::new(d.task().clone(), aid(other), d.attempt());
    let refused = o.complete_task(&strangers, 0).await.unwrap_err();
    assert!(matches!(refused, ReportError::NotYours { .. }));
    let future = universal_orchestrator::Delegation::new(d.task().clone(), d.agent().clone(), 2);
    let refused = o
        .fail_task(&future, TaskFailure::permanent("x"))
        .await
        .unwrap_err();
    assert!(matches!(refused, ReportError::Stale { .. }));
    let sent: universal_orchestrator::Delegation =
        serde_json::from_str(&serde_json::to_string(&d).unwrap()).unwrap();
    o.complete_task(&sent, 1).await.unwrap();
    assert!(o.fail_task(&d, TaskFailure::permanent("x")).await.is_err());
    let outcome = o.wait_task(d.task()).await.unwrap();
    assert_eq!((outcome.is_success(), outcome.result()), (true, &json!(1)));
    assert_eq!(o.status().tasks.reports_refused, 3);
}
