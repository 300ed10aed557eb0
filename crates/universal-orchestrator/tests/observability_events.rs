//! What is told: each event for its cause, and what a slow listener loses.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails it as the test itself does"
)]

mod common;

use common::{
    Hooked, aid, echo, external, flaky, manifest, ms, plain, secs, settle, task, tid, with_config,
    with_plugins, worker,
};
use serde_json::{Value, json};
use universal_orchestrator::plugin::{GuardCall, HookPoint, HookSet, Observed, Verdict};
use universal_orchestrator::{EventStream, RetryPolicy, Task, TaskFailure, Veto};

/// What was told since the last look, as JSON, without its number in the order.
fn told(events: &mut EventStream) -> Vec<Value> {
    std::iter::from_fn(|| events.try_next())
        .map(|record| {
            let mut value = serde_json::to_value(record).unwrap();
            assert!(value["sequence"].is_u64(), "{value}");
            value.as_object_mut().unwrap().remove("sequence");
            value
        })
        .collect()
}

fn finished(task: &str, state: &str) -> Value {
    json!({"event": "task_finished", "task": task, "state": state})
}

fn accepted(task: &str) -> Value {
    json!({"event": "task_accepted", "task": task})
}

fn delegated(task: &str, agent: &str, attempt: u32) -> Value {
    json!({"event": "task_delegated", "task": task, "agent": agent, "attempt": attempt})
}

fn availability(agent: &str, availability: &str) -> Value {
    json!({"event": "agent_availability", "agent": agent, "availability": availability})
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_an_agent_is_told() {
    let o = plain().await;
    let mut events = o.events();
    let e = external("e", &["a"]).heartbeat_every(secs(1));
    let e = o.register_agent(e).await.unwrap();
    assert_eq!(
        told(&mut events),
        [json!({"event": "agent_registered", "agent": "e"})]
    );
    o.sleep_agent(&e).await.unwrap();
    o.sleep_agent(&e).await.unwrap();
    o.wake_agent(&e).await.unwrap();
    o.drain_agent(&e).await.unwrap();
    o.wake_agent(&e).await.unwrap();
    o.quarantine_agent(&e, "why").await.unwrap();
    o.release_agent(&e).await.unwrap();
    let changes = [
        "sleeping",
        "available",
        "draining",
        "available",
        "quarantined",
        "available",
    ];
    assert_eq!(told(&mut events), changes.map(|to| availability("e", to)));
    tokio::time::sleep(secs(4)).await;
    assert_eq!(told(&mut events), [availability("e", "unreachable")]);
    o.heartbeat(&e).await.unwrap();
    assert_eq!(told(&mut events), [availability("e", "available")]);
    o.deregister_agent(&e).await.unwrap();
    let last = told(&mut events).pop();
    assert_eq!(
        last,
        Some(json!({"event": "agent_deregistered", "agent": "e"}))
    );
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_a_task_is_told() {
    let o = with_plugins(|_| {}, vec![(manifest("p", start_guard()), bouncer())]).await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    o.register_agent(worker("w", &["b"], flaky()))
        .await
        .unwrap();
    let mut events = o.events();

    let d = o.delegate_task(task("a").id("done")).await.unwrap();
    o.report_progress(&d, json!({"percent": 50})).await.unwrap();
    o.complete_task(&d, "x").await.unwrap();
    o.complete_task(&d, "again").await.unwrap_err();
    let progress = json!({"event": "task_progress", "task": "done", "progress": {"percent": 50}});
    let refused = json!({"event": "report_refused", "task": "done"});
    let all = [
        accepted("done"),
        delegated("done", "e", 1),
        progress,
        finished("done", "succeeded"),
        refused,
    ];
    assert_eq!(told(&mut events), all);

    let d = o.delegate_task(task("a").id("fails")).await.unwrap();
    o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap();
    assert_eq!(told(&mut events)[2..], [finished("fails", "failed")]);

    let mut retry = RetryPolicy::exponential(2, ms(250), ms(250));
    retry.jitter = 0.0;
    let retried = task("b").id("retried").payload(1).retry(retry);
    assert!(o.execute(retried).await.unwrap().is_success());
    let retrying = json!({
        "event": "task_retrying", "task": "retried", "attempt": 1,
        "failure": "retryable", "delay": {"secs": 0, "nanos": 250_000_000},
    });
    let all = [
        accepted("retried"),
        delegated("retried", "w", 1),
        retrying,
        delegated("retried", "w", 2),
        finished("retried", "succeeded"),
    ];
    assert_eq!(told(&mut events), all);

    let late = task("a").id("late").deadline_in(secs(1));
    let late = o.submit_task(late).await.unwrap();
    drop(late.outcome().await.unwrap());
    assert_eq!(
        told(&mut events),
        [accepted("late"), finished("late", "timed_out")]
    );

    let unwanted = o.submit_task(task("a").id("unwanted")).await.unwrap();
    assert!(unwanted.cancel());
    assert_eq!(told(&mut events)[1..], [finished("unwanted", "cancelled")]);

    let banned = Task::new("banned").requires(["b"]).id("banned");
    drop(o.execute(banned).await.unwrap());
    let last = told(&mut events).pop();
    assert_eq!(last, Some(finished("banned", "rejected")));

    o.submit_task(task("a").id("alone")).await.unwrap();
    o.deregister_agent(&aid("e")).await.unwrap();
    let unroutable = json!({"event": "task_unroutable", "task": "alone"});
    assert_eq!(
        told(&mut events)
            .iter()
            .filter(|e| **e == unroutable)
            .count(),
        1
    );
    assert!(o.task(&tid("alone")).unwrap().cancel());
}

fn start_guard() -> HookSet {
    HookSet::none().guard(HookPoint::Start)
}

/// Refuses to start what is banned.
fn bouncer() -> Hooked {
    Hooked::new().guard(|_, call| match call {
        GuardCall::Start { task, .. } if task.task().task_type().unwrap().as_str() == "banned" => {
            Verdict::Veto(Veto::new("banned", "not here"))
        }
        _ => Verdict::Allow,
    })
}

#[tokio::test(start_paused = true)]
async fn faults_alerts_and_the_end_are_told() {
    let plugin = Hooked::new().observe(|context, what| match what {
        Observed::Tick => panic!("hit"),
        Observed::Registered { agent, .. } => context
            .control
            .notify("p", format!("{agent} came"))
            .unwrap(),
        _ => {}
    });
    let hooks = HookSet::none()
        .observe(HookPoint::Tick)
        .observe(HookPoint::Register);
    let o = with_plugins(|_| {}, vec![(manifest("p", hooks), plugin)]).await;
    let mut events = o.events();
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    settle().await;
    let alert = json!({"event": "alert", "source": "p", "text": "w came"});
    assert_eq!(told(&mut events)[1..], [alert]);
    assert_eq!(o.status().alerts[0].text, "w came");
    tokio::time::sleep(ms(1_001)).await;
    let fault = json!({"event": "plugin_fault", "plugin": "p", "fault": "panicked: hit"});
    assert_eq!(told(&mut events), [fault]);
    o.shutdown().await;
    assert_eq!(told(&mut events), [json!({"event": "shutdown_started"})]);
    assert!(events.next().await.is_none(), "nothing follows the end");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_exceeded_raises_one_alert_and_counts_every_time() {
    let slow = Hooked::new().guard(|_, _| {
        Verdict::Later(Box::pin(async {
            tokio::time::sleep(ms(50)).await;
            Ok(())
        }))
    });
    let hooks = HookSet::none().guard(HookPoint::Register);
    let strict = |c: &mut universal_orchestrator::OrchestratorConfig| {
        c.max_agent_registration_ms = 49;
    };
    let o = with_plugins(strict, vec![(manifest("slow", hooks), slow)]).await;
    let mut events = o.events();
    for id in ["a", "b", "c"] {
        o.register_agent(external(id, &[])).await.unwrap();
    }
    let alerts: Vec<_> = told(&mut events)
        .into_iter()
        .filter(|e| e["event"] == "alert")
        .collect();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["source"], "target");
    let text = alerts[0]["text"].as_str().unwrap();
    assert!(
        text.contains("max_agent_registration_ms is 49 ms"),
        "{text}"
    );
    let exceeded = o.status().performance.targets_exceeded;
    assert_eq!(exceeded["max_agent_registration_ms"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_slow_listener_loses_the_oldest_and_can_tell() {
    let o = with_config(|c| c.events.capacity = 8).await;
    let mut slow = o.events();
    let mut quick = o.events();
    for n in 0..20 {
        o.register_agent(external(&format!("e{n}"), &[]))
            .await
            .unwrap();
        assert_eq!(told(&mut quick).len(), 1);
    }
    assert_eq!(
        o.status().events_lagged,
        0,
        "nobody has missed anything yet"
    );
    let kept: Vec<u64> = std::iter::from_fn(|| slow.try_next())
        .map(|record| record.sequence)
        .collect();
    assert_eq!(
        kept,
        (13..=20).collect::<Vec<_>>(),
        "the gap tells how many"
    );
    assert_eq!(o.status().events_lagged, 12);
    o.sleep_agent(&aid("e0")).await.unwrap();
    assert_eq!(slow.try_next().unwrap().sequence, 21);
    assert_eq!(told(&mut quick).len(), 1);
    assert_eq!(o.status().events_lagged, 12, "who keeps up loses nothing");
}
