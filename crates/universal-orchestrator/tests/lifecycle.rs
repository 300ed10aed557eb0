//! Agents come, change, fall silent and go; tasks end, time out, are cancelled, have children and are kept.

#![expect(
    clippy::disallowed_methods,
    reason = "a test is not the orchestrator: it spawns what calls it"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::*;
use serde_json::{Value, json};
use universal_orchestrator::{
    AgentCallError, AgentChange, AgentError, AgentFilter, Availability, CapabilitySet, Event,
    FailureKind, OrchestratorConfig, Refusal, ReportError, RetryPolicy, Task, TaskContext,
    TaskFailure, TaskFault, TaskFilter, TaskState, Tenant, UniversalOrchestrator, agent_fn,
};

async fn assert_idle(o: &UniversalOrchestrator) {
    let status = o.status();
    assert_eq!((status.agents.busy, status.agents.zombies), (0, 0));
    assert_eq!(status.tasks.active, 0);
    check_conservation(o);
}

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

/// An agent that runs one child as its payload says and returns what came of it.
fn parent_of(
    o_child: impl Fn() -> Task + Send + Sync + 'static,
) -> impl universal_orchestrator::Agent {
    agent_fn(move |_: Value, context: TaskContext| {
        let child = o_child();
        async move {
            let outcome = context.execute_child(child).await?;
            Ok::<_, AgentError>(json!([
                outcome.state().as_str(),
                outcome.failure_kind().map(FailureKind::as_str),
                outcome.result()
            ]))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_child_inherits_deadline_tenant_run_and_principal() {
    let o = plain().await;
    let run = universal_orchestrator::RunId::new("r").unwrap();
    o.open_run(&run, universal_orchestrator::Limits::unlimited())
        .unwrap();
    let child = agent_fn(|_: (), context: TaskContext| async move {
        let left = context.deadline().map(|at| {
            at.saturating_duration_since(tokio::time::Instant::now())
                .as_secs()
        });
        let t = context.task();
        Ok::<_, AgentError>(json!([
            left,
            t.tenant_name().map(Tenant::as_str),
            t.run_id().map(|r| r.as_str()),
            t.parent().map(ToString::to_string),
            t.depth(),
            context.principal().as_str()
        ]))
    });
    o.register_agent(worker("c", &["child"], child))
        .await
        .unwrap();
    let wants_more = || task("child").deadline_in(secs(9_999)).tenant("thief");
    o.register_agent(worker("p", &["parent"], parent_of(wants_more)))
        .await
        .unwrap();
    let outcome = o
        .as_principal("ann")
        .unwrap()
        .execute(
            task("parent")
                .id("p1")
                .deadline_in(secs(60))
                .tenant("shop")
                .run("r"),
        )
        .await
        .unwrap();
    assert_eq!(
        outcome.result(),
        &json!(["succeeded", null, [60, "shop", "r", "p1", 1, "ann"]])
    );
}

#[tokio::test(start_paused = true)]
async fn the_parents_end_cancels_its_children() {
    for how in ["cancel", "timeout", "early return"] {
        let o = plain().await;
        o.register_agent(worker("c", &["child"], stuck()))
            .await
            .unwrap();
        let agent = agent_fn(move |_: (), context: TaskContext| async move {
            let child = context.execute_child(task("child").id("kid"));
            if how == "early return" {
                assert!(tokio::time::timeout(secs(5), child).await.is_err());
            } else {
                drop(child.await?);
            }
            Ok::<_, AgentError>(())
        });
        o.register_agent(worker("p", &["parent"], agent))
            .await
            .unwrap();
        let parent = o
            .submit_task(task("parent").attempt_timeout(secs(10)))
            .await
            .unwrap();
        settle().await;
        let kid = o.task(&tid("kid")).unwrap();
        assert_eq!(kid.view().unwrap().state, TaskState::Running);
        if how == "cancel" {
            parent.cancel();
        }
        let expected = match how {
            "cancel" => TaskState::Cancelled,
            "timeout" => TaskState::TimedOut,
            _ => TaskState::Succeeded,
        };
        assert_eq!(parent.outcome().await.unwrap().state(), expected);
        assert_eq!(kid.outcome().await.unwrap().state(), TaskState::Cancelled);
        tokio::time::sleep(secs(3)).await;
        assert_idle(&o).await;
    }
}

#[tokio::test(start_paused = true)]
async fn children_are_limited_in_depth_and_number_and_a_deadlock_is_refused() {
    let o = with_config(|c| {
        c.tasks.child_depth_max = 3;
        c.tasks.children_max = 2;
    })
    .await;
    let nest = agent_fn(|_: (), context: TaskContext| async move {
        match context.execute_child(task("nest")).await {
            Ok(outcome) => Ok(outcome.result().clone()),
            Err(refused) => Ok::<_, AgentError>(json!([
                context.task().depth(),
                refused.reason().as_str(),
                refused.to_string()
            ])),
        }
    });
    o.register_agent(worker("n", &["nest"], nest).concurrency(9))
        .await
        .unwrap();
    let outcome = o.execute(task("nest")).await.unwrap();
    assert_eq!(outcome.result()[0], json!(3));
    assert!(
        outcome.result()[2]
            .as_str()
            .unwrap()
            .contains("tasks.child_depth_max")
    );

    o.register_agent(worker("s", &["slow"], sleeper()).concurrency(9))
        .await
        .unwrap();
    let many = agent_fn(|_: (), context: TaskContext| async move {
        let children = (0..3).map(|_| context.execute_child(task("slow").payload(10)));
        let refused = futures::future::join_all(children)
            .await
            .into_iter()
            .filter_map(Result::err)
            .map(|r| r.to_string())
            .collect::<Vec<_>>();
        let after = context
            .execute_child(task("slow").payload(10))
            .await
            .is_ok();
        Ok::<_, AgentError>(json!([refused.len(), refused[0], after]))
    });
    o.register_agent(worker("m", &["many"], many))
        .await
        .unwrap();
    let outcome = o.execute(task("many")).await.unwrap();
    let (count, text) = (&outcome.result()[0], outcome.result()[1].as_str().unwrap());
    assert_eq!(count, &json!(1));
    assert!(text.contains("tasks.children_max"), "{text}");
    assert_eq!(
        outcome.result()[2],
        json!(true),
        "those that ended make room"
    );

    let alone = agent_fn(|_: (), context: TaskContext| async move {
        let refused = context.execute_child(task("alone")).await.err();
        Ok::<_, AgentError>(refused.map(|r| r.reason().as_str()))
    });
    o.register_agent(worker("a", &["alone"], alone))
        .await
        .unwrap();
    let outcome = o.execute(task("alone")).await.unwrap();
    assert_eq!(outcome.result(), &json!("would_deadlock"));
    assert_idle(&o).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_child_hands_its_category_on() {
    let o = plain().await;
    let fails =
        agent_fn(
            |_: (), _: TaskContext| async move { Err::<(), _>(AgentError::permanent("broken")) },
        );
    o.register_agent(worker("c", &["child"], fails))
        .await
        .unwrap();
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        let outcome = context.execute_child(task("child")).await?;
        Ok::<_, AgentError>(outcome.into_result()?)
    });
    o.register_agent(worker("p", &["parent"], agent))
        .await
        .unwrap();
    let outcome = o.execute(task("parent")).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Permanent));
    assert_eq!(outcome.failure().unwrap().message(), "broken");
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_kept_listed_and_replayed_once() {
    let o = with_config(|c| c.tasks.dead_letters_max = 2).await;
    let broken = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&broken);
    let agent = agent_fn(move |value: Value, _: TaskContext| {
        let broken = flag.load(Ordering::SeqCst);
        async move {
            if broken {
                return Err(AgentError::permanent("broken"));
            }
            Ok(value)
        }
    });
    o.register_agent(worker("a", &["x"], agent)).await.unwrap();
    let ann = o.as_principal("ann").unwrap();
    for n in 0..3 {
        let given = task("x").id(format!("t{n}").as_str()).payload(n);
        drop(ann.execute(given).await.unwrap());
    }
    let letters = o.dead_letters();
    let ids: Vec<String> = letters.iter().map(|l| l.task.id.to_string()).collect();
    assert_eq!(ids, ["t1", "t2"], "the oldest made room");
    assert_eq!(letters[0].principal.as_str(), "ann");
    assert_eq!(
        letters[0].outcome.failure_kind(),
        Some(FailureKind::Permanent)
    );
    assert_eq!(letters[0].task.payload, json!(1));
    broken.store(false, Ordering::SeqCst);
    let replay = o.replay_dead_letter(&tid("t1")).await.unwrap();
    assert_ne!(replay.id(), &tid("t1"), "a new task");
    assert_eq!(replay.outcome().await.unwrap().result(), &json!(1));
    assert_eq!(replay.view().unwrap().replay_of, Some(tid("t1")));
    assert_eq!(o.dead_letters().len(), 1);
    let again = o.replay_dead_letter(&tid("t1")).await.unwrap_err();
    assert!(matches!(
        again.reason(),
        Refusal::Invalid(TaskFault::UnknownDeadLetter { .. })
    ));
    o.deregister_agent(&aid("a")).await.unwrap();
    assert!(o.replay_dead_letter(&tid("t2")).await.is_err());
    assert_eq!(
        o.dead_letters().len(),
        1,
        "a refused replay keeps the letter"
    );
}

#[tokio::test(start_paused = true)]
async fn submit_or_get_returns_the_first_or_a_conflict() {
    let o = plain().await;
    o.register_agent(external("e", &["x", "y"])).await.unwrap();
    let asked = || task("x").id("t").payload(json!({"n": 1}));
    let first = o.submit_or_get(asked()).await.unwrap();
    let second = o.submit_or_get(asked()).await.unwrap();
    assert_eq!(first.id(), second.id());
    assert_eq!(o.status().tasks.accepted, 1);
    for other in [
        asked().payload(json!({"n": 2})),
        asked().requires(["y"]),
        Task::new("other")
            .id("t")
            .requires(["x"])
            .payload(json!({"n": 1})),
    ] {
        let refused = o.submit_or_get(other).await.unwrap_err();
        assert!(
            matches!(refused.reason(), Refusal::Conflict { .. }),
            "{refused}"
        );
    }
    let pulled = o.next_task(&aid("e"), ms(0)).await.unwrap().unwrap();
    o.complete_task(pulled.delegation(), 5).await.unwrap();
    let late = o.submit_or_get(asked()).await.unwrap();
    assert_eq!(
        late.outcome().await.unwrap().result(),
        &json!(5),
        "retained"
    );
    assert_eq!(o.status().tasks.accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn results_are_retained_as_long_and_as_many_as_configured() {
    let o = with_config(|c| {
        c.tasks.retained_results_max = 2;
        c.tasks.result_retention_ms = 10_000;
        c.cleanup_interval_ms = 1_000;
    })
    .await;
    o.register_agent(worker("a", &["x"], echo())).await.unwrap();
    for n in 0..3 {
        let given = task("x").id(format!("t{n}").as_str()).payload(n);
        drop(o.execute(given).await.unwrap());
    }
    assert!(o.task(&tid("t0")).is_none(), "the oldest went");
    let handle = o.task(&tid("t2")).unwrap();
    assert_eq!(o.wait_task(&tid("t1")).await.unwrap().result(), &json!(1));
    assert!(
        o.execute(task("x").id("t1").payload(0)).await.is_err(),
        "its id is taken"
    );
    tokio::time::sleep(ms(11_001)).await;
    assert!(handle.outcome().await.is_err());
    assert!(handle.view().is_none());
    assert_eq!(o.status().tasks.retained, 0);
    drop(o.execute(task("x").id("t1").payload(0)).await.unwrap());

    let o = with_config(|c| c.tasks.retained_results_max = 0).await;
    o.register_agent(worker("a", &["x"], sleeper()))
        .await
        .unwrap();
    assert_eq!(
        o.execute(task("x").payload(1)).await.unwrap().result(),
        &json!(1)
    );
    let handle = o.submit_task(task("x").id("t").payload(5)).await.unwrap();
    let waiting = {
        let handle = handle.clone();
        tokio::spawn(async move { handle.outcome().await })
    };
    settle().await;
    assert_eq!(
        waiting.await.unwrap().unwrap().result(),
        &json!(5),
        "who waits already gets it"
    );
    let error = handle.outcome().await.unwrap_err();
    assert_eq!(error.task, tid("t"));
    assert_eq!(o.status().tasks.retained, 0);
    check_conservation(&o);
}

#[tokio::test(start_paused = true)]
async fn progress_reaches_two_listeners_and_ends_with_the_task() {
    let o = with_config(|c| c.tasks.progress_buffer = 3).await;
    let agent = agent_fn(|count: u64, context: TaskContext| async move {
        tokio::time::sleep(ms(1)).await;
        for n in 0..count {
            context.progress(n);
        }
        Ok::<_, AgentError>("done")
    });
    o.register_agent(worker("a", &["x"], agent)).await.unwrap();
    let handle = o.submit_task(task("x").payload(2)).await.unwrap();
    let mut streams = [handle.progress(), handle.progress()];
    for stream in &mut streams {
        assert_eq!(*stream.next().await.unwrap(), json!(0));
        assert_eq!(*stream.next().await.unwrap(), json!(1));
        assert!(stream.next().await.is_none());
        assert_eq!(stream.lost(), 0);
    }
    assert!(handle.progress().next().await.is_none(), "over already");
    let handle = o.submit_task(task("x").payload(10)).await.unwrap();
    let mut slow = handle.progress();
    drop(handle.outcome().await.unwrap());
    let mut got = Vec::new();
    while let Some(value) = slow.next().await {
        got.push(value.as_u64().unwrap());
    }
    assert_eq!(got.last(), Some(&9), "the newest are kept");
    assert_eq!(slow.lost() + got.len() as u64, 10);
    assert!(got.len() < 10);
}

#[tokio::test(start_paused = true)]
async fn events_tell_a_task_from_beginning_to_end_and_lag_is_counted() {
    let o = with_config(|c| c.events.capacity = 8).await;
    let mut events = o.events();
    o.register_agent(external("e", &["x"])).await.unwrap();
    let d = o.delegate_task(task("x")).await.unwrap();
    o.report_progress(&d, 1).await.unwrap();
    o.complete_task(&d, 1).await.unwrap();
    assert!(o.complete_task(&d, 1).await.is_err());
    let mut names = Vec::new();
    let mut expected = 1;
    while let Some(record) = events.try_next() {
        assert_eq!(record.sequence, expected);
        expected += 1;
        let json = serde_json::to_value(&record).unwrap();
        names.push(json["event"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        names,
        [
            "agent_registered",
            "task_accepted",
            "task_delegated",
            "task_progress",
            "task_finished",
            "report_refused"
        ]
    );
    assert_eq!(o.status().events_lagged, 0);
    for _ in 0..10 {
        o.sleep_agent(&aid("e")).await.unwrap();
        o.wake_agent(&aid("e")).await.unwrap();
    }
    let mut kept = 0;
    while events.try_next().is_some() {
        kept += 1;
    }
    assert_eq!((kept, o.status().events_lagged), (8, 12));
    o.shutdown().await;
    let mut ends = 0;
    while let Some(record) = events.try_next() {
        ends += usize::from(matches!(record.event, Event::ShutdownStarted));
    }
    assert_eq!(ends, 1, "said once");
}

#[tokio::test(start_paused = true)]
async fn shutdown_refuses_drains_cancels_and_what_is_left_is_resumed() {
    let o = plain().await;
    o.register_agent(worker("a", &["x"], sleeper()))
        .await
        .unwrap();
    o.register_agent(external("e", &["y"])).await.unwrap();
    let ann = o.as_principal("ann").unwrap();
    let quick = o.submit_task(task("x").payload(100)).await.unwrap();
    let keep = [
        ann.submit_task(
            task("y")
                .id("first")
                .payload("p")
                .deadline_in(secs(600))
                .metadata("k", "v"),
        )
        .await
        .unwrap(),
        ann.submit_task(task("y").id("second").after(tid("first")))
            .await
            .unwrap(),
        ann.submit_task(task("y").id("third").delay(secs(300)))
            .await
            .unwrap(),
    ];
    let d = o.delegate_task(task("y").id("with_e")).await.unwrap();
    let ending = {
        let o = o.clone();
        tokio::spawn(async move { o.shutdown_within(secs(30)).await })
    };
    tokio::time::sleep(secs(1)).await;
    for refused in [
        o.submit_task(task("x")).await.unwrap_err(),
        o.delegate_task(task("x")).await.unwrap_err(),
        o.execute(task("x")).await.unwrap_err(),
    ] {
        assert_eq!(refused.reason(), &Refusal::ShuttingDown);
    }
    assert!(o.register_agent(external("late", &[])).await.is_err());
    assert_eq!(
        o.next_task(&aid("e"), secs(9)).await.unwrap_err(),
        AgentCallError::ShuttingDown
    );
    o.complete_task(&d, 1).await.unwrap();
    let report = ending.await.unwrap();
    assert!(quick.outcome().await.unwrap().is_success());
    assert_eq!(report.took, secs(1), "it ended when nothing was at work");
    let ids: Vec<String> = report
        .unfinished
        .iter()
        .map(|u| u.task.id.to_string())
        .collect();
    assert_eq!(ids, ["first", "second", "third"]);
    assert_eq!((report.drained, report.zombies), (2, 0));
    for handle in &keep {
        let outcome = handle.outcome().await.unwrap();
        assert_eq!(outcome.failure_kind(), Some(FailureKind::Shutdown));
    }
    check_conservation(&o);
    let text = serde_json::to_string(&report).unwrap();
    let next = plain().await;
    next.register_agent(external("e", &["y"])).await.unwrap();
    for handle in next.resume(serde_json::from_str(&text).unwrap()).await {
        handle.unwrap();
    }
    let pulled = next.next_task(&aid("e"), ms(0)).await.unwrap().unwrap();
    assert_eq!(
        (pulled.id(), pulled.payload()),
        (&tid("first"), &json!("p"))
    );
    assert_eq!(pulled.task().metadata_value("k"), Some("v"));
    let second = next.task(&tid("second")).unwrap().view().unwrap();
    assert_eq!(
        second.waiting_for.as_deref(),
        Some("1 tasks that it comes after")
    );
    assert_eq!(second.principal.as_str(), "ann");
    assert_eq!(next.status().queue.delayed, 1, "the delay goes on");
    let outcome = next.wait_task(&tid("first")).await.unwrap();
    assert_eq!(
        outcome.state(),
        TaskState::TimedOut,
        "the rest of its deadline went on"
    );
}

#[tokio::test(start_paused = true)]
async fn lists_filter_and_page() {
    let o = plain().await;
    for n in 0..5 {
        o.register_agent(external(&format!("a{n}"), &[if n < 3 { "x" } else { "y" }]))
            .await
            .unwrap();
    }
    o.sleep_agent(&aid("a1")).await.unwrap();
    let ids = |filter: AgentFilter| -> Vec<String> {
        o.agents(&filter).iter().map(|a| a.id.to_string()).collect()
    };
    assert_eq!(ids(AgentFilter::all().capability("x")), ["a0", "a1", "a2"]);
    assert_eq!(
        ids(AgentFilter::all().availability(Availability::Sleeping)),
        ["a1"]
    );
    assert_eq!(
        ids(AgentFilter::all().after(aid("a1")).limit(2)),
        ["a2", "a3"]
    );
    for n in 0..5 {
        let tenant = if n % 2 == 0 { "even" } else { "odd" };
        o.submit_task(task("x").id(format!("t{n}").as_str()).tenant(tenant))
            .await
            .unwrap();
    }
    o.cancel_task(&tid("t4")).await.unwrap();
    let ids = |filter: TaskFilter| -> Vec<String> {
        o.tasks(&filter).iter().map(|t| t.id.to_string()).collect()
    };
    assert_eq!(ids(TaskFilter::all()), ["t0", "t1", "t2", "t3", "t4"]);
    assert_eq!(ids(TaskFilter::all().state(TaskState::Cancelled)), ["t4"]);
    assert_eq!(
        ids(TaskFilter::all().tenant(Tenant::new("odd").unwrap())),
        ["t1", "t3"]
    );
    assert_eq!(
        ids(TaskFilter::all().after(tid("t1")).limit(2)),
        ["t2", "t3"]
    );
    assert!(ids(TaskFilter::all().agent(aid("a0"))).is_empty());
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

#[tokio::test(start_paused = true)]
async fn next_task_waits_is_woken_and_loses_nothing_when_dropped() {
    let o = plain().await;
    let a = o.register_agent(external("a", &["x"])).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert!(o.next_task(&a, secs(5)).await.unwrap().is_none());
    assert_eq!(begun.elapsed(), secs(5));
    let waiting = {
        let (o, a) = (o.clone(), a.clone());
        tokio::spawn(async move { o.next_task(&a, secs(60)).await })
    };
    settle().await;
    let handle = o.submit_task(task("x")).await.unwrap();
    let pulled = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!(begun.elapsed(), secs(5), "told at once");
    o.complete_task(pulled.delegation(), 1).await.unwrap();
    assert!(handle.outcome().await.unwrap().is_success());
    let mut dropped = Box::pin(o.next_task(&a, secs(60)));
    tokio::select! {
        biased;
        early = &mut dropped => unreachable!("{early:?}"),
        () = settle() => {}
    }
    let handle = o.submit_task(task("x")).await.unwrap();
    drop(dropped);
    assert_eq!(handle.view().unwrap().state, TaskState::Queued);
    let pulled = o.next_task(&a, ms(0)).await.unwrap().unwrap();
    assert_eq!(
        pulled.delegation().attempt(),
        1,
        "what never began does not count"
    );
    let left = {
        let (o, a) = (o.clone(), a.clone());
        tokio::spawn(async move { o.next_task(&a, secs(60)).await })
    };
    settle().await;
    o.deregister_agent(&a).await.unwrap();
    assert!(matches!(
        left.await.unwrap().unwrap_err(),
        AgentCallError::Unknown { .. }
    ));
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

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_ends_everything() {
    let handle;
    {
        let o = plain().await;
        o.register_agent(worker("a", &["x"], stuck()))
            .await
            .unwrap();
        handle = o.submit_task(task("x")).await.unwrap();
        settle().await;
        let other = o.clone();
        drop(o);
        assert_eq!(
            handle.view().unwrap().state,
            TaskState::Running,
            "a clone is left"
        );
        drop(other);
    }
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(
        (outcome.state(), outcome.failure_kind()),
        (TaskState::Cancelled, Some(FailureKind::Shutdown))
    );
}

#[tokio::test(start_paused = true)]
async fn an_orchestrator_for_tests_says_when_it_is_dropped_with_live_tasks() {
    let dropped = tokio::spawn(async {
        let o = UniversalOrchestrator::builder()
            .without_linked_plugins()
            .config(OrchestratorConfig::default())
            .panic_when_dropped_with_live_tasks()
            .start()
            .await
            .unwrap();
        o.register_agent(external("e", &["x"])).await.unwrap();
        o.submit_task(task("x")).await.unwrap();
    });
    assert!(dropped.await.unwrap_err().is_panic());
}
