//! Which task goes first, which agent gets it, and why one waits or is refused.

#![expect(
    clippy::disallowed_methods,
    reason = "a test is not the orchestrator: it spawns what calls it"
)]

mod common;

use common::*;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use universal_orchestrator::config::{KeyLimit, QueueOrder, RoutingPolicyName};
use universal_orchestrator::{
    AfterFailure, Agent, AgentError, AgentFigures, AgentRole, AgentSpec, CandidateVerdict,
    Capability, FailureKind, OrchestratorConfig, Priority, Refusal, RetryPolicy, RoutingPolicy,
    Task, TaskContext, TaskFailure, TaskHandle, TaskState, UniversalOrchestrator, agent_fn,
};

/// Writes the payloads down in the order in which it gets them; each takes 10 ms.
fn scribe(seen: &Log) -> impl Agent + use<> {
    let seen = seen.clone();
    agent_fn(move |value: Value, _: TaskContext| {
        seen.push(value.as_str().unwrap_or_default());
        async move {
            tokio::time::sleep(ms(10)).await;
            Ok::<_, AgentError>(value)
        }
    })
}

/// A paused queue in front of one scribe with one slot.
async fn lab(change: impl FnOnce(&mut OrchestratorConfig)) -> (UniversalOrchestrator, Log) {
    let o = with_config(change).await;
    let log = Log::default();
    o.register_agent(worker("w", &["x"], scribe(&log)))
        .await
        .expect("a new agent");
    o.pause_queue();
    (o, log)
}

async fn run(o: &UniversalOrchestrator, log: &Log) -> Vec<String> {
    o.resume_queue();
    tokio::time::sleep(secs(5)).await;
    log.take()
}

fn named(name: &str) -> Task {
    task("x").id(name).payload(name)
}

#[tokio::test(start_paused = true)]
async fn priorities_then_first_in_first_out() {
    let (o, log) = lab(|c| c.queue.ageing_ms = 0).await;
    for (name, priority) in [
        ("low", Priority::Low),
        ("medium 1", Priority::Medium),
        ("high", Priority::High),
        ("medium 2", Priority::Medium),
        ("critical", Priority::Critical),
        ("medium 3", Priority::Medium),
    ] {
        o.submit_task(named(name).priority(priority)).await.unwrap();
    }
    let by = o.status().queue.by_priority;
    assert_eq!((by["critical"], by["medium"], by["low"]), (1, 3, 1));
    assert_eq!(
        run(&o, &log).await,
        [
            "critical", "high", "medium 1", "medium 2", "medium 3", "low"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn ageing_lifts_what_has_waited() {
    let (o, log) = lab(|c| c.queue.ageing_ms = 1_000).await;
    o.submit_task(named("low").priority(Priority::Low))
        .await
        .unwrap();
    tokio::time::sleep(ms(2_900)).await;
    o.submit_task(named("critical in time").priority(Priority::Critical))
        .await
        .unwrap();
    tokio::time::sleep(ms(200)).await;
    o.submit_task(named("critical too late").priority(Priority::Critical))
        .await
        .unwrap();
    assert_eq!(
        run(&o, &log).await,
        ["critical in time", "low", "critical too late"]
    );
}

#[tokio::test(start_paused = true)]
async fn earliest_deadline_first_is_an_option() {
    let (o, log) = lab(|c| c.queue.order = QueueOrder::EarliestDeadlineFirst).await;
    o.submit_task(named("none")).await.unwrap();
    o.submit_task(named("late").deadline_in(secs(90)))
        .await
        .unwrap();
    o.submit_task(named("soon").deadline_in(secs(50)))
        .await
        .unwrap();
    o.submit_task(named("low").priority(Priority::Low).deadline_in(secs(40)))
        .await
        .unwrap();
    assert_eq!(run(&o, &log).await, ["soon", "late", "none", "low"]);
}

#[tokio::test(start_paused = true)]
async fn tenants_share_fairly_and_by_weight() {
    let (o, log) = lab(|c| {
        c.queue.tenant_weights = [("big".to_owned(), 3)].into();
    })
    .await;
    for n in 0..12 {
        o.submit_task(
            task("x")
                .payload("big")
                .tenant("big")
                .id(format!("b{n}").as_str()),
        )
        .await
        .unwrap();
    }
    for _ in 0..4 {
        o.submit_task(task("x").payload("small").tenant("small"))
            .await
            .unwrap();
    }
    let order = run(&o, &log).await;
    let small = order[..8].iter().filter(|n| *n == "small").count();
    assert_eq!((order.len(), small), (16, 2), "{order:?}");
    let (o, log) = lab(|_| {}).await;
    for _ in 0..20 {
        o.submit_task(task("x").payload("noisy").tenant("noisy"))
            .await
            .unwrap();
    }
    o.submit_task(task("x").payload("quiet").tenant("quiet"))
        .await
        .unwrap();
    let order = run(&o, &log).await;
    let place = order.iter().position(|n| n == "quiet").unwrap();
    assert!(place <= 1, "it is not behind the whole backlog: {place}");
}

fn keyed(name: &str, key: &str) -> Task {
    named(name).concurrency_key(key)
}

fn key_limits(
    c: &mut OrchestratorConfig,
    key: &str,
    max: Option<u32>,
    rate: Option<f64>,
    burst: Option<u32>,
) {
    let mut limit = KeyLimit::default();
    limit.max_in_flight = max;
    limit.rate_per_second = rate;
    limit.burst = burst;
    c.concurrency_keys.keys.insert(key.to_owned(), limit);
}

/// How many run at once, at most, of each payload.
fn counting(
    most: &Arc<Mutex<std::collections::BTreeMap<String, (i32, i32)>>>,
) -> impl Agent + use<> {
    let most = Arc::clone(most);
    agent_fn(move |name: String, _: TaskContext| {
        let most = Arc::clone(&most);
        async move {
            {
                let mut all = most.lock();
                let (now, peak) = all.entry(name.clone()).or_default();
                *now += 1;
                *peak = (*peak).max(*now);
            }
            tokio::time::sleep(ms(100)).await;
            most.lock().entry(name).or_default().0 -= 1;
            Ok::<_, AgentError>(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_key_limits_its_tasks_and_nobody_else() {
    let o = with_config(|c| {
        c.concurrency_keys.default_max_in_flight = 2;
        key_limits(c, "three", Some(3), None, None);
    })
    .await;
    let most = Arc::default();
    o.register_agent(worker("w", &["x"], counting(&most)).concurrency(20))
        .await
        .unwrap();
    for key in ["two", "three"] {
        for _ in 0..6 {
            o.submit_task(task("x").payload(key).concurrency_key(key))
                .await
                .unwrap();
        }
    }
    let free = o.submit_task(task("x").payload("free")).await.unwrap();
    settle().await;
    let status = o.status();
    assert_eq!((status.tasks.running, status.queue.key_limited), (6, 7));
    assert_eq!(free.view().unwrap().state, TaskState::Running);
    let refused = o
        .delegate_task(task("x").payload("two").concurrency_key("two"))
        .await
        .unwrap_err();
    assert!(
        matches!(refused.reason(), Refusal::KeyLimited { .. }),
        "{refused}"
    );
    tokio::time::sleep(ms(301)).await;
    assert_eq!(o.status().tasks.succeeded, 13);
    let peaks = most.lock().clone();
    assert_eq!((peaks["two"].1, peaks["three"].1), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_rate_spreads_starts_and_a_burst_lets_some_through() {
    let o = with_config(|c| key_limits(c, "k", Some(10), Some(2.0), Some(3))).await;
    o.register_agent(worker("w", &["x"], echo()).concurrency(20))
        .await
        .unwrap();
    for n in 0..7 {
        o.submit_task(keyed(&n.to_string(), "k")).await.unwrap();
    }
    settle().await;
    assert_eq!(o.status().tasks.succeeded, 3, "the burst");
    for expected in 4..=7 {
        tokio::time::sleep(ms(501)).await;
        assert_eq!(o.status().tasks.succeeded, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_alone_leaves_the_default_number_in_flight() {
    let o = with_config(|c| key_limits(c, "k", None, Some(1_000.0), Some(10))).await;
    o.register_agent(worker("w", &["x"], sleeper()).concurrency(20))
        .await
        .unwrap();
    for _ in 0..3 {
        o.submit_task(task("x").payload(100).concurrency_key("k"))
            .await
            .unwrap();
    }
    settle().await;
    assert_eq!(
        o.status().tasks.running,
        1,
        "concurrency_keys.default_max_in_flight"
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_behind_a_key_go_on_when_the_one_whose_turn_it_was_goes_away() {
    for how in ["cancel", "deadline"] {
        let o = plain().await;
        o.register_agent(worker("w", &["x"], sleeper()).concurrency(2))
            .await
            .unwrap();
        let keyed = |millis: u64| task("x").payload(millis).concurrency_key("k");
        let _first = o.submit_task(keyed(100)).await.unwrap();
        let second = if how == "cancel" {
            o.submit_task(keyed(1)).await.unwrap()
        } else {
            o.submit_task(keyed(1).deadline_in(ms(150))).await.unwrap()
        };
        let third = o.submit_task(keyed(1)).await.unwrap();
        for _ in 0..2 {
            // They take both slots while the key is free.
            o.submit_task(task("x").payload(300).priority(Priority::Critical))
                .await
                .unwrap();
        }
        tokio::time::sleep(ms(120)).await;
        if how == "cancel" {
            assert!(second.cancel());
        }
        tokio::time::sleep(secs(10)).await;
        assert!(second.try_outcome().is_some());
        assert!(
            third
                .try_outcome()
                .is_some_and(|outcome| outcome.is_success()),
            "{how}: {:?}",
            third.view()
        );
        check_conservation(&o);
    }
}

#[tokio::test(start_paused = true)]
async fn delays_hold_and_delegate_refuses_what_it_cannot_do_at_once() {
    let o = plain().await;
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    let begun = tokio::time::Instant::now();
    let delayed = o.submit_task(named("delay").delay(secs(5))).await.unwrap();
    let at = o
        .submit_task(named("not before").not_before(begun + secs(7)))
        .await
        .unwrap();
    assert_eq!(o.status().queue.delayed, 2);
    assert_eq!(
        delayed.view().unwrap().waiting_for.as_deref(),
        Some("its time, 5s from now")
    );
    assert_eq!(delayed.outcome().await.unwrap().queue_wait(), secs(5));
    assert_eq!(begun.elapsed(), secs(5));
    drop(at.outcome().await.unwrap());
    assert_eq!(begun.elapsed(), secs(7));
    for later in [
        named("a").delay(secs(1)),
        named("b").not_before(begun + secs(99)),
        named("c").after(tid("delay")),
    ] {
        let refused = o.delegate_task(later).await.unwrap_err();
        assert!(
            matches!(refused.reason(), Refusal::NotAtOnce { .. }),
            "{refused}"
        );
    }
    o.delegate_task(named("d").delay(ms(0)).not_before(begun))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_comes_after_others_and_their_failure_does_what_it_says() {
    let o = plain().await;
    o.register_agent(external("e", &["x"]).concurrency(9))
        .await
        .unwrap();
    let d = o.delegate_task(named("good")).await.unwrap();
    let bad = o.delegate_task(named("bad")).await.unwrap();
    let both = o
        .submit_task(
            named("both")
                .after(tid("good"))
                .after(tid("bad"))
                .after_failure(AfterFailure::Run),
        )
        .await
        .unwrap();
    let fails = o
        .submit_task(named("fails").after(tid("bad")))
        .await
        .unwrap();
    let chained = o
        .submit_task(named("chained").after(tid("fails")))
        .await
        .unwrap();
    let cancels = o
        .submit_task(
            named("cancels")
                .after(tid("bad"))
                .after_failure(AfterFailure::Cancel),
        )
        .await
        .unwrap();
    assert_eq!(
        both.view().unwrap().waiting_for.as_deref(),
        Some("2 tasks that it comes after")
    );
    assert_eq!(o.status().queue.blocked, 4);
    o.complete_task(&d, 1).await.unwrap();
    assert_eq!(
        both.view().unwrap().waiting_for.as_deref(),
        Some("1 tasks that it comes after")
    );
    o.fail_task(&bad, TaskFailure::permanent("no"))
        .await
        .unwrap();
    assert_eq!(both.view().unwrap().state, TaskState::Queued);
    assert_eq!(o.status().queue.ready, 1);
    for failed in [fails, chained] {
        assert_eq!(
            failed.try_outcome().unwrap().failure_kind(),
            Some(FailureKind::DependencyFailed)
        );
    }
    assert_eq!(cancels.try_outcome().unwrap().state(), TaskState::Cancelled);
    let late = o
        .submit_task(named("late").after(tid("good")))
        .await
        .unwrap();
    assert_eq!(late.view().unwrap().state, TaskState::Queued);
    assert_eq!(
        o.status().queue.ready,
        2,
        "what is over and retained blocks nothing"
    );
    let late = o
        .submit_task(named("late2").after(tid("bad")))
        .await
        .unwrap();
    assert!(late.try_outcome().is_some());
    for wrong in [named("w").after(tid("ghost")), named("w").after(tid("w"))] {
        let refused = o.submit_task(wrong).await.unwrap_err();
        assert!(matches!(refused.reason(), Refusal::Invalid(_)), "{refused}");
    }
    assert_eq!(o.status().queue.blocked, 0);
    check_conservation(&o);
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_five_thousand_needs_no_deep_stack() {
    for fails in [false, true] {
        let o = with_config(|c| c.tasks.retained_results_max = 10_000).await;
        o.register_agent(external("e", &["x"])).await.unwrap();
        o.register_agent(worker("w", &["y"], echo())).await.unwrap();
        let first = o.delegate_task(named("t0")).await.unwrap();
        let mut last = None;
        for n in 1..=5_000u32 {
            let next = Task::new("t")
                .requires(["y"])
                .id(format!("t{n}").as_str())
                .after(tid(&format!("t{}", n - 1)));
            last = Some(o.submit_task(next).await.unwrap());
        }
        let last = last.unwrap();
        assert_eq!(o.status().queue.blocked, 5_000);
        if fails {
            o.fail_task(&first, TaskFailure::permanent("no"))
                .await
                .unwrap();
        } else {
            o.complete_task(&first, 1).await.unwrap();
        }
        let outcome = last.outcome().await.unwrap();
        assert_eq!(outcome.is_success(), !fails);
        assert_eq!(o.status().tasks.active, 0);
        check_conservation(&o);
    }
}

#[tokio::test(start_paused = true)]
async fn intake_queue_and_capability_are_paused_and_resumed() {
    let o = plain().await;
    o.register_agent(worker("w", &["x", "y"], sleeper()).concurrency(5))
        .await
        .unwrap();
    o.pause_intake();
    for refused in [
        o.submit_task(task("x").payload(1)).await.unwrap_err(),
        o.delegate_task(task("x").payload(1)).await.unwrap_err(),
        o.execute(task("x").payload(1)).await.unwrap_err(),
    ] {
        assert_eq!(refused.reason(), &Refusal::IntakePaused);
    }
    assert!(o.status().queue.intake_paused);
    o.resume_intake();
    o.pause_queue();
    let queued = o.submit_task(task("x").payload(1)).await.unwrap();
    o.delegate_task(task("x").payload(1)).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(
        queued.view().unwrap().waiting_for.as_deref(),
        Some("the queue, which is paused")
    );
    assert_eq!(o.status().tasks.succeeded, 1, "the delegated one");
    o.resume_queue();
    assert!(queued.outcome().await.unwrap().is_success());
    let y = Capability::new("y").unwrap();
    o.pause_capability(&y);
    let waits = o.submit_task(task("y").payload(1)).await.unwrap();
    let goes = o.submit_task(task("x").payload(1)).await.unwrap();
    assert!(goes.outcome().await.unwrap().is_success());
    assert_eq!(
        waits.view().unwrap().waiting_for.as_deref(),
        Some("capability y, which is paused")
    );
    assert!(matches!(
        o.delegate_task(task("y").payload(1))
            .await
            .unwrap_err()
            .reason(),
        Refusal::CapabilityPaused { .. }
    ));
    assert_eq!(o.status().queue.paused_capabilities, ["y"]);
    o.resume_capability(&y);
    assert!(waits.outcome().await.unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_those_who_wait_get_room_in_their_order() {
    let o = with_config(|c| c.queue.max_tasks = 1).await;
    o.register_agent(external("e", &["x"])).await.unwrap();
    let mut first = Some(o.submit_task(named("first")).await.unwrap());
    let refused = o.submit_task(named("refused")).await.unwrap_err();
    assert_eq!(refused.reason(), &Refusal::QueueFull { max: 1 });
    let log = Log::default();
    let wait = |name: &'static str| {
        let (o, log) = (o.clone(), log.clone());
        tokio::spawn(async move {
            let handle = o.submit_task_wait(named(name)).await;
            log.push(name);
            handle
        })
    };
    let mut waiting: Vec<_> = Vec::new();
    for name in ["a", "gone", "b"] {
        waiting.push(wait(name));
        settle().await;
    }
    waiting[1].abort();
    settle().await;
    assert!(log.lines().is_empty(), "nobody got in");
    let mut live: Option<TaskHandle> = first.take();
    for round in 0..3 {
        live.take().unwrap().cancel();
        if round == 0 {
            // A newcomer comes between the wake-up and the one that was woken.
            waiting.push(wait("newcomer"));
        }
        settle().await;
        let name = log.lines().last().unwrap().clone();
        live = o.task(&tid(&name));
        assert_eq!(o.status().queue.depth, 1);
    }
    assert_eq!(log.lines(), ["a", "b", "newcomer"]);
    assert!(o.task(&tid("gone")).is_none());
    let o = with_config(|c| c.queue.max_tasks = 0).await;
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    for refused in [
        o.submit_task(task("x")).await.unwrap_err(),
        o.submit_task_wait(task("x")).await.unwrap_err(),
        o.execute(task("x")).await.unwrap_err(),
    ] {
        assert_eq!(refused.reason(), &Refusal::QueueFull { max: 0 });
    }
    o.delegate_task(task("x")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_do_is_refused_or_queued_and_expires_after_its_time() {
    let o = plain().await;
    let refused = o.submit_task(task("x")).await.unwrap_err();
    assert!(matches!(refused.reason(), Refusal::NoCapableAgent { .. }));
    let o = with_config(|c| {
        c.queue.queue_unroutable = true;
        c.queue.unroutable_ttl_ms = 60_000;
    })
    .await;
    let handle = o.submit_task(task("x")).await.unwrap();
    let mut events = o.events();
    assert_eq!(
        handle.view().unwrap().waiting_for.as_deref(),
        Some("an agent with x: none is registered")
    );
    assert_eq!(o.status().queue.unroutable, 1);
    // Somebody could have done it for a while: the time begins anew.
    tokio::time::sleep(secs(30)).await;
    let e = o.register_agent(external("e", &["x"])).await.unwrap();
    tokio::time::sleep(secs(20)).await;
    o.deregister_agent(&e).await.unwrap();
    let begun = tokio::time::Instant::now();
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Unroutable));
    assert_eq!(
        begun.elapsed(),
        secs(60),
        "for the whole of queue.unroutable_ttl_ms"
    );
    let mut told = 0;
    while let Some(record) = events.try_next() {
        told += usize::from(matches!(
            record.event,
            universal_orchestrator::Event::TaskUnroutable { .. }
        ));
    }
    assert_eq!(told, 1);
    let o = with_config(|c| {
        c.queue.queue_unroutable = true;
        c.queue.unroutable_ttl_ms = 0;
    })
    .await;
    let handle = o.submit_task(task("x")).await.unwrap();
    tokio::time::sleep(secs(3 * 3_600)).await;
    assert_eq!(
        handle.view().unwrap().state,
        TaskState::Queued,
        "0 waits without limit"
    );
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    assert!(handle.outcome().await.unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn max_concurrent_tasks_holds_over_all_agents() {
    let o = with_config(|c| c.max_concurrent_tasks = 3).await;
    for n in 0..3 {
        o.register_agent(worker(&format!("w{n}"), &["x"], sleeper()).concurrency(4))
            .await
            .unwrap();
    }
    for _ in 0..9 {
        o.submit_task(task("x").payload(10)).await.unwrap();
    }
    settle().await;
    assert_eq!(o.status().tasks.running, 3);
    let refused = o.delegate_task(task("x").payload(1)).await.unwrap_err();
    assert_eq!(refused.reason(), &Refusal::TooManyInFlight { max: 3 });
    tokio::time::sleep(ms(31)).await;
    assert_eq!(o.status().tasks.succeeded, 9);
}

#[tokio::test(start_paused = true)]
async fn roles_and_labels_narrow_and_refusals_tell_why() {
    let o = plain().await;
    let eu = AgentSpec::new("eu", AgentRole::Specialist)
        .capabilities(["x"])
        .label("zone", "eu");
    o.register_agent(eu).await.unwrap();
    o.register_agent(external("plain", &["x"])).await.unwrap();
    let role = |role| task("x").role(role);
    let d = o.delegate_task(role(AgentRole::Specialist)).await.unwrap();
    assert_eq!(d.agent().as_str(), "eu");
    assert!(matches!(
        o.delegate_task(role(AgentRole::Specialist))
            .await
            .unwrap_err()
            .reason(),
        Refusal::AllBusy {
            capable: 1,
            busy: 1
        }
    ));
    assert!(matches!(
        o.delegate_task(role(AgentRole::Monitor))
            .await
            .unwrap_err()
            .reason(),
        Refusal::NoCapableAgent { .. }
    ));
    o.complete_task(&d, 1).await.unwrap();
    let d = o
        .delegate_task(task("x").require_label("zone", "eu"))
        .await
        .unwrap();
    assert_eq!(d.agent().as_str(), "eu");
    assert!(
        o.delegate_task(task("x").require_label("zone", "us"))
            .await
            .is_err()
    );
    let d = o.delegate_task(Task::new("anything")).await.unwrap();
    assert_eq!(d.agent().as_str(), "plain", "nothing required: anybody");
}

async fn three(policy: RoutingPolicyName) -> UniversalOrchestrator {
    let o = with_config(|c| c.routing.policy = policy).await;
    for (id, slots, cost) in [("a", 4, 30), ("b", 2, 10), ("c", 2, 20)] {
        o.register_agent(external(id, &["x"]).concurrency(slots).cost(cost))
            .await
            .expect("a new agent");
    }
    o
}

async fn choices(o: &UniversalOrchestrator, count: usize) -> String {
    let mut chosen = String::new();
    for _ in 0..count {
        let d = o.delegate_task(task("x")).await.expect("a slot is free");
        chosen.push_str(d.agent().as_str());
    }
    chosen
}

#[tokio::test(start_paused = true)]
async fn each_policy_chooses_as_it_says() {
    let o = three(RoutingPolicyName::LeastLoaded).await;
    // Ties: the least recently assigned, then the first registered.
    assert_eq!(choices(&o, 8).await, "abcabcaa");
    assert!(o.delegate_task(task("x")).await.is_err());
    let o = three(RoutingPolicyName::RoundRobin).await;
    assert_eq!(choices(&o, 8).await, "abcabcaa");
    let o = three(RoutingPolicyName::Cheapest).await;
    assert_eq!(choices(&o, 8).await, "bbccaaaa");
}

#[tokio::test(start_paused = true)]
async fn fastest_follows_the_recent_past_and_forgets_it() {
    let o = with_config(|c| {
        c.routing.policy = RoutingPolicyName::Fastest;
        c.routing.window_ms = 10_000;
    })
    .await;
    for id in ["slow", "quick"] {
        o.register_agent(external(id, &["x"]).concurrency(9))
            .await
            .unwrap();
    }
    for _ in 0..2 {
        let d = o.delegate_task(task("x")).await.unwrap();
        let takes = if d.agent().as_str() == "slow" {
            500
        } else {
            50
        };
        tokio::time::sleep(ms(takes)).await;
        o.complete_task(&d, 1).await.unwrap();
    }
    for _ in 0..5 {
        let d = o.delegate_task(task("x")).await.unwrap();
        assert_eq!(d.agent().as_str(), "quick");
    }
    tokio::time::sleep(secs(25)).await;
    let d = o.delegate_task(task("x")).await.unwrap();
    assert_eq!(
        d.agent().as_str(),
        "slow",
        "without a call in the window it is tried again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_the_users_own_is_asked() {
    struct Contrary;
    impl RoutingPolicy for Contrary {
        fn name(&self) -> &str {
            "contrary"
        }
        fn rank(&self, agent: &AgentFigures) -> u64 {
            u64::MAX - agent.cost
        }
    }
    let o = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .routing_policy(Contrary)
        .start()
        .await
        .unwrap();
    for (id, cost) in [("cheap", 1), ("dear", 9)] {
        o.register_agent(external(id, &["x"]).cost(cost))
            .await
            .unwrap();
    }
    assert_eq!(o.explain_routing(&task("x")).policy, "contrary");
    assert_eq!(
        o.delegate_task(task("x")).await.unwrap().agent().as_str(),
        "dear"
    );
}

#[tokio::test(start_paused = true)]
async fn affinity_sticks_and_spills() {
    let o = plain().await;
    for n in 0..8 {
        o.register_agent(external(&format!("a{n}"), &["x"]))
            .await
            .unwrap();
    }
    let sticky = || task("x").affinity_key("session-1");
    let home = o.explain_routing(&sticky()).chosen.unwrap();
    for _ in 0..4 {
        let d = o.delegate_task(sticky()).await.unwrap();
        assert_eq!(d.agent(), &home);
        o.complete_task(&d, 1).await.unwrap();
    }
    let first = o.delegate_task(sticky()).await.unwrap();
    let spilled = o.delegate_task(sticky()).await.unwrap();
    assert_ne!(spilled.agent(), &home, "it is busy");
    o.complete_task(&first, 1).await.unwrap();
    o.complete_task(&spilled, 1).await.unwrap();
    o.sleep_agent(&home).await.unwrap();
    let away = o.delegate_task(sticky()).await.unwrap();
    assert_eq!(
        away.agent(),
        spilled.agent(),
        "the second choice is stable too"
    );
    o.wake_agent(&home).await.unwrap();
    let d = o.delegate_task(sticky()).await.unwrap();
    assert_eq!(d.agent(), &home);
    o.deregister_agent(&aid("a7")).await.unwrap();
    let homes: std::collections::BTreeSet<_> = (0..64)
        .filter_map(|n| {
            o.explain_routing(&task("x").affinity_key(format!("k{n}")))
                .chosen
        })
        .collect();
    assert!(homes.len() > 3, "keys are spread: {homes:?}");
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_every_candidate_and_changes_nothing() {
    let o = plain().await;
    for id in [
        "busy",
        "chosen",
        "draining",
        "quarantined",
        "second",
        "sleeping",
    ] {
        o.register_agent(external(id, &["x"])).await.unwrap();
    }
    o.register_agent(external("silent", &["x"]).heartbeat_every(secs(1)))
        .await
        .unwrap();
    o.register_agent(external("other", &["y"])).await.unwrap();
    o.register_agent(AgentSpec::new("monitor", AgentRole::Monitor).capabilities(["x"]))
        .await
        .unwrap();
    tokio::time::sleep(secs(4)).await;
    let d = o.delegate_task(task("x")).await.unwrap();
    assert_eq!(d.agent().as_str(), "busy");
    o.drain_agent(&aid("draining")).await.unwrap();
    o.sleep_agent(&aid("sleeping")).await.unwrap();
    o.quarantine_agent(&aid("quarantined"), "odd")
        .await
        .unwrap();
    let before = serde_json::to_value(o.status().tasks).unwrap();
    let asked = task("x").role(AgentRole::Worker);
    let explanation = o.explain_routing(&asked);
    assert_eq!((explanation.agents, explanation.capable), (9, 7));
    assert_eq!(explanation.chosen, Some(aid("chosen")));
    assert_eq!(explanation.candidates[0].agent, aid("chosen"));
    let verdict = |id: &str| {
        explanation
            .candidates
            .iter()
            .find(|c| c.agent.as_str() == id)
            .map(|c| c.verdict.clone())
            .unwrap()
    };
    for (id, expected) in [
        ("chosen", CandidateVerdict::Chosen),
        ("second", CandidateVerdict::RanksLower),
        ("busy", CandidateVerdict::Busy),
        ("draining", CandidateVerdict::Draining),
        ("sleeping", CandidateVerdict::Sleeping),
        ("quarantined", CandidateVerdict::Quarantined),
        ("silent", CandidateVerdict::Unreachable),
        ("monitor", CandidateVerdict::OtherRole),
        (
            "other",
            CandidateVerdict::LacksCapability {
                capability: Capability::new("x").unwrap(),
            },
        ),
    ] {
        assert_eq!(verdict(id), expected, "{id}");
    }
    let labelled = o.explain_routing(&task("x").require_label("zone", "eu"));
    assert_eq!((labelled.chosen, labelled.capable), (None, 0));
    assert_eq!(serde_json::to_value(o.status().tasks).unwrap(), before);
    assert_eq!(
        o.delegate_task(asked).await.unwrap().agent().as_str(),
        "chosen"
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiting_task_says_what_it_waits_for() {
    let o = plain().await;
    let e = o.register_agent(external("e", &["x"])).await.unwrap();
    let first = o.submit_task(task("x")).await.unwrap();
    o.submit_task(task("x")).await.unwrap();
    let text = first.view().unwrap().waiting_for.unwrap();
    assert_eq!(
        text,
        "a capable agent to call next_task, with 1 other task that needs the same"
    );
    let pulled = o.next_task(&e, ms(0)).await.unwrap().unwrap();
    assert_eq!(first.view().unwrap().waiting_for, None, "it runs");
    o.fail_task(pulled.delegation(), TaskFailure::retryable("later"))
        .await
        .unwrap();
    let text = first.view().unwrap().waiting_for.unwrap();
    assert!(text.starts_with("its time, "), "{text}");
    o.register_agent(worker("w", &["k"], stuck()).concurrency(2))
        .await
        .unwrap();
    o.submit_task(task("k").concurrency_key("one"))
        .await
        .unwrap();
    let second = o
        .submit_task(task("k").concurrency_key("one"))
        .await
        .unwrap();
    assert_eq!(
        second.view().unwrap().waiting_for.as_deref(),
        Some("its concurrency key one")
    );
}

#[tokio::test(start_paused = true)]
async fn the_queue_never_rests_while_a_task_fits_a_free_agent() {
    let o = plain().await;
    o.register_agent(worker("xy", &["x", "y"], sleeper()).concurrency(2))
        .await
        .unwrap();
    o.register_agent(worker("x", &["x"], sleeper()))
        .await
        .unwrap();
    let mut handles = Vec::new();
    for n in 0..60u64 {
        let capability = if n % 3 == 0 { "y" } else { "x" };
        let priority = Priority::ALL[(n % 4) as usize];
        let given = task(capability)
            .payload(1 + n % 7)
            .priority(priority)
            .retry(RetryPolicy::never());
        handles.push(o.submit_task(given).await.unwrap());
        if n % 5 == 0 {
            tokio::time::sleep(ms(n % 4)).await;
        }
        let status = o.status();
        if status.queue.ready > 0 {
            let free = o
                .agents(&universal_orchestrator::AgentFilter::all())
                .iter()
                .filter(|a| a.in_flight < a.concurrency && a.id.as_str() == "xy")
                .count();
            assert_eq!(
                free, 0,
                "a free agent that can do everything beside {status:?}"
            );
        }
    }
    for handle in handles {
        assert!(handle.outcome().await.unwrap().is_success());
    }
    check_conservation(&o);
}

#[tokio::test(start_paused = true)]
async fn equal_runs_route_equally() {
    let mut runs = Vec::new();
    for _ in 0..3 {
        let o = with_config(|c| c.seed = Some(7)).await;
        for n in 0..5 {
            o.register_agent(worker(&format!("w{n}"), &["x"], flaky()).concurrency(2))
                .await
                .unwrap();
        }
        let mut handles = Vec::new();
        for n in 0..40u32 {
            handles.push(o.submit_task(task("x").payload(n % 3)).await.unwrap());
        }
        let mut routes = Vec::new();
        for handle in handles {
            let outcome = handle.outcome().await.unwrap();
            routes.push(json!([
                outcome.agent(),
                outcome.attempts(),
                outcome.queue_wait().as_millis() as u64
            ]));
        }
        runs.push(routes);
    }
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[1], runs[2]);
}
