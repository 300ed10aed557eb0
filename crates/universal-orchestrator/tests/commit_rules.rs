//! What is checked again when hooks have run, and what a decision leaves behind when something in it goes wrong.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use universal_orchestrator::plugin::{HookPoint, HookSet, Verdict};
use universal_orchestrator::{
    AccountId, AgentChange, AgentFigures, Capability, CapabilitySet, Limits, OrchestratorConfig,
    Refusal, ReportError, RoutingPolicy, Task, TaskState, UniversalOrchestrator,
};

use common::{
    Hooked, aid, check_conservation, external, manifest, ms, secs, settle, task, tid, with_plugins,
    worker,
};

/// An orchestrator whose guard of a point takes 50 ms to allow.
async fn with_slow_guard(point: HookPoint) -> UniversalOrchestrator {
    let guard = Hooked::new().guard(|_, _| {
        Verdict::later(async {
            tokio::time::sleep(ms(50)).await;
            Ok(())
        })
    });
    let manifest = manifest("slow", HookSet::none().guard(point));
    with_plugins(|_| {}, vec![(manifest, guard)]).await
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_lost_the_capability_while_hooks_ran_is_not_bound() {
    let o = with_slow_guard(HookPoint::Delegate).await;
    o.register_agent(external("a", &["x"])).await.unwrap();
    let change = async {
        tokio::time::sleep(ms(10)).await;
        let y = CapabilitySet::new(["y"]).unwrap();
        o.update_agent(&aid("a"), AgentChange::new().capabilities(y))
            .await
    };
    let (refused, changed) = tokio::join!(o.delegate_task(task("x")), change);
    changed.unwrap();
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused.reason(), Refusal::NoCapableAgent { .. }),
        "{refused}"
    );
    assert_eq!(o.agent(&aid("a")).unwrap().in_flight, 0);
    check_conservation(&o);
}

#[tokio::test(start_paused = true)]
async fn a_capability_paused_while_hooks_ran_holds_the_task_back() {
    let o = with_slow_guard(HookPoint::Delegate).await;
    o.register_agent(worker("a", &["x"], common::echo()))
        .await
        .unwrap();
    let handle = o.submit_task(task("x")).await.unwrap();
    tokio::time::sleep(ms(10)).await;
    let x = Capability::new("x").unwrap();
    o.pause_capability(&x);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(handle.view().unwrap().state, TaskState::Queued);
    assert_eq!(o.agent(&aid("a")).unwrap().in_flight, 0);
    o.resume_capability(&x);
    assert!(handle.outcome().await.unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn a_delegation_that_is_dropped_while_hooks_run_leaves_no_account() {
    let o = with_slow_guard(HookPoint::Delegate).await;
    o.register_agent(external("a", &["x"])).await.unwrap();
    let budgeted = task("x").id("T").budget(Limits::unlimited().with_calls(3));
    let dropped = tokio::time::timeout(ms(10), o.delegate_task(budgeted)).await;
    assert!(dropped.is_err(), "its hooks take longer");
    assert!(o.account(&AccountId::Task(tid("T"))).is_none());
    assert_eq!(o.agent(&aid("a")).unwrap().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn the_timer_of_an_undone_binding_does_not_shorten_the_next_attempt() {
    let o = with_slow_guard(HookPoint::Start).await;
    o.register_agent(external("a", &["x"])).await.unwrap();
    let handle = o
        .submit_task(task("x").attempt_timeout(secs(10)))
        .await
        .unwrap();
    let dropped = tokio::time::timeout(ms(20), o.next_task(&aid("a"), secs(60))).await;
    assert!(dropped.is_err(), "its hooks take longer");
    tokio::time::sleep(ms(9_500)).await;
    let begun = tokio::time::Instant::now();
    let pulled = o.next_task(&aid("a"), secs(60)).await.unwrap();
    assert!(pulled.is_some());
    assert_eq!(handle.outcome().await.unwrap().state(), TaskState::TimedOut);
    assert!(begun.elapsed() >= secs(10), "{:?}", begun.elapsed());
}

/// Real time: the agent blocks a thread of the runtime until it is let go.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_agent_that_blocks_at_once_is_timed_too() {
    let (let_go, gate) = std::sync::mpsc::channel::<()>();
    let gate = parking_lot::Mutex::new(gate);
    let o = common::plain().await;
    let blocks = universal_orchestrator::agent_fn(move |_: serde_json::Value, _| {
        let blocked = gate.lock().recv();
        async move { Ok::<_, universal_orchestrator::AgentError>(blocked.is_ok()) }
    });
    o.register_agent(worker("a", &["x"], blocks)).await.unwrap();
    let handle = o
        .submit_task(task("x").attempt_timeout(ms(50)))
        .await
        .unwrap();
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(outcome.state(), TaskState::TimedOut);
    assert_eq!(o.agent(&aid("a")).unwrap().zombies, 1);
    let_go.send(()).unwrap();
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_vetoed_start_is_told_to_the_agent() {
    let veto = Hooked::new().guard(|_, _| Verdict::veto("not_now", "not now"));
    let manifest = manifest("no", HookSet::none().guard(HookPoint::Start));
    let o = with_plugins(|_| {}, vec![(manifest, veto)]).await;
    o.register_agent(external("a", &["x"])).await.unwrap();
    let delegation = o.delegate_task(task("x")).await.unwrap();
    let error = o.start_task(&delegation).await.unwrap_err();
    assert!(matches!(&error, ReportError::Vetoed { .. }), "{error}");
    assert!(error.to_string().contains("not now"), "{error}");
}

/// Panics when it is asked for the third time.
struct Panics(AtomicUsize);

impl RoutingPolicy for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn rank(&self, _: &AgentFigures) -> u64 {
        assert_ne!(self.0.fetch_add(1, Ordering::SeqCst), 2, "told to panic");
        0
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_panics_leaves_no_half_made_decision() {
    let o = UniversalOrchestrator::builder()
        .config(OrchestratorConfig::default())
        .without_linked_plugins()
        .routing_policy(Panics(AtomicUsize::new(0)))
        .start()
        .await
        .unwrap();
    o.register_agent(external("a", &["x"]).concurrency(3))
        .await
        .unwrap();
    let mut delegations = Vec::new();
    for _ in 0..3 {
        delegations.push(o.delegate_task(task("x")).await.unwrap());
    }
    assert_eq!(o.agent(&aid("a")).unwrap().in_flight, 3);
    for delegation in delegations {
        o.complete_task(&delegation, json!(null)).await.unwrap();
    }
    check_conservation(&o);
}

#[tokio::test(start_paused = true)]
async fn one_timer_serves_all_that_wait_for_a_rate() {
    let o = common::with_config(|c| {
        let mut limit = universal_orchestrator::config::KeyLimit::default();
        limit.rate_per_second = Some(10.0);
        c.concurrency_keys.keys.insert("k".into(), limit);
    })
    .await;
    o.register_agent(worker("a", &["x"], common::echo()).concurrency(100))
        .await
        .unwrap();
    let begun = tokio::time::Instant::now();
    let mut handles = Vec::new();
    for _ in 0..31 {
        let limited = Task::new("t").requires(["x"]).concurrency_key("k");
        handles.push(o.submit_task(limited).await.unwrap());
    }
    settle().await;
    for handle in handles {
        assert!(handle.outcome().await.unwrap().is_success());
    }
    let took = begun.elapsed();
    assert!(took >= secs(3) && took < ms(3_100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_what_holds_a_task_back() {
    let o = common::plain().await;
    o.register_agent(external("a", &["x"])).await.unwrap();
    let free = o.explain_routing(&task("x"));
    assert_eq!((free.chosen, free.held_back), (Some(aid("a")), None));
    o.pause_capability(&Capability::new("x").unwrap());
    let held = o.explain_routing(&task("x"));
    assert_eq!(held.chosen, None);
    let refused = o.delegate_task(task("x")).await.unwrap_err();
    assert_eq!(held.held_back, Some(refused.reason().to_string()));
}
