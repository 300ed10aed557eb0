//! Agents rest, change, leave, fall silent or panic, and what becomes of their work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use universal_orchestrator::{
    AgentCallError, AgentChange, AgentError, Availability, CapabilitySet, FailureKind, Refusal,
    ReportError, RetryPolicy, TaskContext, TaskState, agent_fn,
};

use crate::assert_idle;
use crate::common::*;

#[tokio::test(start_paused = true)]
async fn sleep_drain_and_quarantine_keep_new_work_away_and_let_old_work_finish() {
    for how in ["sleep", "drain", "quarantine"] {
        let o = plain().await;
        let a = o
            .register_agent(worker("a", &["x"], sleeper()).concurrency(2))
            .await
            .unwrap();
        let running = o.submit_task(task("x").payload(100)).await.unwrap();
        settle().await;
        let expected = match how {
            "sleep" => {
                o.sleep_agent(&a).await.unwrap();
                Availability::Sleeping
            }
            "drain" => {
                o.drain_agent(&a).await.unwrap();
                Availability::Draining
            }
            _ => {
                o.quarantine_agent(&a, "odd results").await.unwrap();
                Availability::Quarantined
            }
        };
        let view = o.agent(&a).unwrap();
        assert_eq!((view.availability, view.in_flight), (expected, 1));
        let reason = (how == "quarantine").then(|| "odd results".to_owned());
        assert_eq!(view.quarantine_reason, reason);
        let refused = o.delegate_task(task("x").payload(1)).await.unwrap_err();
        assert!(matches!(
            refused.reason(),
            Refusal::AllUnavailable { capable: 1, .. }
        ));
        let waits = o.submit_task(task("x").payload(1)).await.unwrap();
        assert!(running.outcome().await.unwrap().is_success());
        tokio::time::sleep(secs(600)).await;
        assert_eq!(waits.view().unwrap().state, TaskState::Queued, "{how}");
        match how {
            "quarantine" => o.release_agent(&a).await.unwrap(),
            _ => o.wake_agent(&a).await.unwrap(),
        }
        assert!(waits.outcome().await.unwrap().is_success());
        assert_idle(&o).await;
    }
}

#[tokio::test(start_paused = true)]
async fn changed_capabilities_take_queued_work_and_leave_running_work_alone() {
    let o = plain().await;
    let a = o
        .register_agent(worker("a", &["x"], sleeper()))
        .await
        .unwrap();
    o.register_agent(external("never_asks", &["y"]))
        .await
        .unwrap();
    let x = o.submit_task(task("x").payload(50)).await.unwrap();
    let more_x = o.submit_task(task("x").payload(1)).await.unwrap();
    let y = o.submit_task(task("y").payload(1)).await.unwrap();
    settle().await;
    let set = CapabilitySet::new(["y"]).unwrap();
    o.update_agent(&a, AgentChange::new().capabilities(set))
        .await
        .unwrap();
    assert!(x.outcome().await.unwrap().is_success(), "it had begun");
    assert_eq!(y.outcome().await.unwrap().agent(), Some(&a));
    assert_eq!(more_x.view().unwrap().state, TaskState::Queued);
    assert_eq!(o.status().queue.unroutable, 1);
    assert_eq!(o.status().capabilities_index.get("x"), None);
    let outcome = more_x.outcome().await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Unroutable));
    assert_idle(&o).await;
}

#[tokio::test(start_paused = true)]
async fn more_slots_take_queued_work_and_fewer_let_it_finish() {
    let o = plain().await;
    let a = o
        .register_agent(worker("a", &["x"], sleeper()))
        .await
        .unwrap();
    for _ in 0..4 {
        o.submit_task(task("x").payload(100)).await.unwrap();
    }
    settle().await;
    assert_eq!(o.status().tasks.running, 1);
    o.update_agent(&a, AgentChange::new().concurrency(3).metadata(json!("big")))
        .await
        .unwrap();
    settle().await;
    assert_eq!(o.status().tasks.running, 3);
    o.update_agent(&a, AgentChange::new().concurrency(1))
        .await
        .unwrap();
    assert_eq!(o.agent(&a).unwrap().in_flight, 3);
    o.submit_task(task("x").payload(100)).await.unwrap();
    tokio::time::sleep(ms(101)).await;
    assert_eq!(o.status().tasks.running, 1);
    tokio::time::sleep(ms(250)).await;
    assert_eq!(o.status().tasks.succeeded, 5);
    assert_eq!(o.agent(&a).unwrap().metadata, json!("big"));
    assert_idle(&o).await;
}

#[tokio::test(start_paused = true)]
async fn a_deregistered_agent_loses_its_attempts_and_others_go_on() {
    let o = plain().await;
    let dropped = Arc::new(AtomicBool::new(false));
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let flag = Arc::clone(&dropped);
    let agent = agent_fn(move |_: (), _: TaskContext| {
        let held = Flag(Arc::clone(&flag));
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<_, AgentError>(())
        }
    });
    let a = o.register_agent(worker("a", &["x"], agent)).await.unwrap();
    let queued = o.submit_task(task("x")).await.unwrap();
    settle().await;
    assert_eq!(queued.view().unwrap().state, TaskState::Running);
    o.register_agent(worker("b", &["x"], echo())).await.unwrap();
    o.deregister_agent(&a).await.unwrap();
    let outcome = queued.outcome().await.unwrap();
    assert_eq!(
        (outcome.is_success(), outcome.attempts(), outcome.agent()),
        (true, 2, Some(&aid("b")))
    );
    tokio::time::sleep(secs(2)).await;
    assert!(
        dropped.load(Ordering::SeqCst),
        "the lost future was dropped"
    );
    assert!(o.agent(&a).is_none());
    assert!(matches!(
        o.deregister_agent(&a).await.unwrap_err(),
        AgentCallError::Unknown { .. }
    ));
    assert_idle(&o).await;
}

#[tokio::test(start_paused = true)]
async fn a_delegated_task_fails_with_its_agent_unless_its_own_policy_retries() {
    let o = plain().await;
    let a = o
        .register_agent(external("a", &["x"]).concurrency(2))
        .await
        .unwrap();
    let plain_one = o.delegate_task(task("x")).await.unwrap();
    let retried = o
        .delegate_task(task("x").retry(RetryPolicy::immediate(2)))
        .await
        .unwrap();
    o.register_agent(external("b", &["x"])).await.unwrap();
    o.deregister_agent(&a).await.unwrap();
    let outcome = o.wait_task(plain_one.task()).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::AgentLost));
    let again = o.next_task(&aid("b"), ms(0)).await.unwrap().unwrap();
    assert_eq!(again.id(), retried.task());
    let late = o.complete_task(&retried, 1).await.unwrap_err();
    assert!(
        matches!(late, ReportError::Stale { current: 2, .. }),
        "{late}"
    );
    o.complete_task(again.delegation(), 2).await.unwrap();
    assert_eq!(
        o.wait_task(again.id()).await.unwrap().result(),
        &json!(2),
        "the stale report changed nothing"
    );
    assert_idle(&o).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_agent_is_unreachable_and_any_call_brings_it_back() {
    let o = with_config(|c| c.agents.heartbeat_timeout_factor = 2).await;
    let a = o
        .register_agent(external("a", &["x"]).heartbeat_every(secs(10)))
        .await
        .unwrap();
    o.register_agent(external("quiet", &["y"])).await.unwrap();
    for _ in 0..5 {
        tokio::time::sleep(secs(15)).await;
        o.heartbeat(&a).await.unwrap();
        assert_eq!(o.agent(&a).unwrap().availability, Availability::Available);
    }
    let d = o.delegate_task(task("x")).await.unwrap();
    tokio::time::sleep(secs(19)).await;
    assert_eq!(o.agent(&a).unwrap().availability, Availability::Available);
    tokio::time::sleep(ms(1_002)).await;
    assert_eq!(o.agent(&a).unwrap().availability, Availability::Unreachable);
    let outcome = o.wait_task(d.task()).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::AgentLost));
    assert_eq!(o.status().agents.unreachable, 1);
    let refused = o.delegate_task(task("x")).await.unwrap_err();
    assert!(refused.to_string().contains("1 unreachable"), "{refused}");
    // A duplicate report changes nothing; the sign of life counts through a call about the agent itself.
    assert!(o.complete_task(&d, 1).await.is_err());
    o.heartbeat(&a).await.unwrap();
    assert_eq!(o.agent(&a).unwrap().availability, Availability::Available);
    o.delegate_task(task("x")).await.unwrap();
    tokio::time::sleep(secs(21)).await;
    assert_eq!(o.status().agents.unreachable, 1, "the watch goes on");
    let quiet = o.agent(&aid("quiet")).unwrap();
    assert_eq!(
        quiet.availability,
        Availability::Available,
        "it promised nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_by_heartbeat_and_progress_and_ends_without() {
    let o = with_config(|c| c.agents.lease_ms = 10_000).await;
    let a = o.register_agent(external("a", &["x"])).await.unwrap();
    o.submit_task(task("x").retry(RetryPolicy::immediate(2)))
        .await
        .unwrap();
    let first = o.next_task(&a, ms(0)).await.unwrap().unwrap();
    for beat in 0..6 {
        tokio::time::sleep(secs(8)).await;
        if beat % 2 == 0 {
            o.heartbeat(&a).await.unwrap();
        } else {
            o.report_progress(first.delegation(), beat).await.unwrap();
        }
    }
    assert_eq!(o.status().tasks.running, 1);
    tokio::time::sleep(ms(10_002)).await;
    let late = o.report_progress(first.delegation(), 9).await.unwrap_err();
    assert!(matches!(late, ReportError::NotYours { .. }), "{late}");
    let second = o.next_task(&a, ms(0)).await.unwrap().unwrap();
    assert_eq!(second.delegation().attempt(), 2);
    tokio::time::sleep(ms(10_002)).await;
    let outcome = o.wait_task(second.id()).await.unwrap();
    assert_eq!(
        (outcome.failure_kind(), outcome.partial()),
        (Some(FailureKind::AgentLost), Some(&json!(5)))
    );
    assert_idle(&o).await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_agent_harms_nobody_else() {
    let o = plain().await;
    let panics = agent_fn(|boom: bool, _: TaskContext| async move {
        tokio::task::yield_now().await;
        if boom {
            std::panic::panic_any("told to panic");
        }
        Ok::<_, AgentError>(1)
    });
    o.register_agent(worker("a", &["x"], panics).concurrency(2))
        .await
        .unwrap();
    let tries = Arc::new(AtomicUsize::new(0));
    for boom in [true, false, true] {
        let outcome = o.execute(task("x").payload(boom)).await.unwrap();
        tries.fetch_add(1, Ordering::SeqCst);
        assert_eq!(outcome.is_success(), !boom);
        if boom {
            assert_eq!(outcome.failure_kind(), Some(FailureKind::Panicked));
            assert!(
                outcome
                    .failure()
                    .unwrap()
                    .message()
                    .contains("told to panic")
            );
            assert_eq!(outcome.attempts(), 1, "a panic is not retried");
        }
    }
    assert_idle(&o).await;
    assert_eq!(o.agent(&aid("a")).unwrap().failed, 2);
}
