//! How things end: shutdown, agents that leave, runtimes that are gone, and what plugins see and do on the way.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{
    Hooked, Log, aid, echo, external, manifest, ms, observe_point, plain, point_name, secs, settle,
    sleeper, stuck, task, tid, with_config, with_plugins, worker,
};
use futures::FutureExt;
use serde_json::{Value, json};
use universal_orchestrator::plugin::{
    GuardCall, HealthStatus, HookPoint, HookSet, Plugin, PluginError, PluginHealth, Verdict,
};
use universal_orchestrator::{
    Agent, AgentError, Availability, FailureKind, OrchestratorConfig, Refusal, RetryPolicy,
    StartError, TaskContext, TaskHandle, TaskState, UniversalOrchestrator, Veto, agent_fn,
};

mod common;

/// Counts seconds for ever.
fn ticking(ticks: &Arc<AtomicUsize>) -> impl Agent {
    let ticks = Arc::clone(ticks);
    agent_fn(move |_: Value, _: TaskContext| {
        let ticks = Arc::clone(&ticks);
        async move {
            loop {
                tokio::time::sleep(secs(1)).await;
                ticks.fetch_add(1, Ordering::SeqCst);
            }
            #[expect(unreachable_code, reason = "it gives the future its type")]
            Ok::<_, AgentError>(())
        }
    })
}

/// Says that it was dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Never returns, ignores its cancellation, and says when its future is dropped.
fn stuck_until_dropped(dropped: &Arc<AtomicBool>) -> impl Agent {
    let dropped = Arc::clone(dropped);
    agent_fn(move |_: Value, _: TaskContext| {
        let flag = Flag(Arc::clone(&dropped));
        async move {
            std::future::pending::<()>().await;
            drop(flag);
            Ok::<_, AgentError>(())
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_is_reported_unfinished_whose_completion_was_taken() {
    for _ in 0..30 {
        let o = with_config(|c| {
            c.max_concurrent_tasks = 10_000;
            c.agents.concurrency_max = 10_000;
        })
        .await;
        o.register_agent(external("a", &["x"]).concurrency(3_000))
            .await
            .unwrap();
        let mut delegations = Vec::new();
        for _ in 0..3_000 {
            delegations.push(o.delegate_task(task("x")).await.unwrap());
        }
        let (begun, wait) = std::sync::mpsc::channel();
        let other = o.clone();
        let completing = std::thread::spawn(move || {
            begun.send(()).unwrap();
            let mut completed = HashSet::new();
            for delegation in delegations {
                let report = other.complete_task(&delegation, json!(1));
                if report.now_or_never().unwrap().is_ok() {
                    completed.insert(delegation.task().clone());
                }
            }
            completed
        });
        wait.recv().unwrap();
        let report = o.shutdown_within(Duration::ZERO).await;
        let completed = completing.join().unwrap();
        let mut unfinished = report.unfinished.iter();
        assert!(unfinished.all(|u| !completed.contains(&u.task.id)));
        assert_eq!(completed.len() + report.unfinished.len(), 3_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_goes_on_when_its_caller_is_dropped_and_every_caller_gets_its_report() {
    let ticks = Arc::new(AtomicUsize::new(0));
    let o = with_config(|c| c.shutdown.drain_ms = 2_000).await;
    o.register_agent(worker("a", &["x"], ticking(&ticks)))
        .await
        .unwrap();
    let handle = o.submit_task(task("x")).await.unwrap();
    settle().await;
    // Dropped while it drains, and then while it waits for the agent to stop.
    for (wait, is_over) in [(1_500, false), (2_500, true)] {
        let dropped = tokio::time::timeout(ms(wait), o.shutdown()).await;
        assert!(dropped.is_err());
        assert_eq!(handle.try_outcome().is_some(), is_over);
    }
    let (one, other) = tokio::join!(o.shutdown(), o.shutdown_within(Duration::ZERO));
    for report in [&one, &other] {
        assert_eq!(report.unfinished.len(), 1);
        assert_eq!(&report.unfinished[0].task.id, handle.id());
        assert_eq!(report.zombies, 0);
    }
    let before = ticks.load(Ordering::SeqCst);
    tokio::time::sleep(secs(100)).await;
    assert_eq!(ticks.load(Ordering::SeqCst), before);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_was_given_up_drains_as_long_as_the_next_caller_says() {
    let o = with_config(|c| c.shutdown.drain_ms = 3_600_000).await;
    o.register_agent(worker("a", &["x"], stuck()))
        .await
        .unwrap();
    o.submit_task(task("x")).await.unwrap();
    let begun = tokio::time::Instant::now();
    let given_up = tokio::time::timeout(secs(1), o.shutdown()).await;
    assert!(given_up.is_err());
    let report = o.shutdown_within(secs(2)).await;
    assert!(begun.elapsed() < secs(60), "{:?}", begun.elapsed());
    assert_eq!(report.unfinished.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_during_a_shutdown_cancels_what_is_live() {
    let ticks = Arc::new(AtomicUsize::new(0));
    let o = with_config(|c| c.shutdown.drain_ms = 3_600_000).await;
    o.register_agent(worker("a", &["x"], ticking(&ticks)))
        .await
        .unwrap();
    let handle = o.submit_task(task("x")).await.unwrap();
    let dropped = tokio::time::timeout(secs(1), o.shutdown()).await;
    assert!(dropped.is_err());
    drop(o);
    assert_eq!(
        handle.outcome().await.unwrap().state(),
        TaskState::Cancelled
    );
    tokio::time::sleep(secs(60)).await;
    let before = ticks.load(Ordering::SeqCst);
    tokio::time::sleep(secs(100)).await;
    assert_eq!(ticks.load(Ordering::SeqCst), before);
}

#[tokio::test(start_paused = true)]
async fn work_of_an_agent_that_left_is_dropped_by_shutdown_and_by_the_last_handle() {
    for shut_down in [true, false] {
        let dropped = Arc::new(AtomicBool::new(false));
        let o = plain().await;
        o.register_agent(worker("a", &["x"], stuck_until_dropped(&dropped)))
            .await
            .unwrap();
        o.submit_task(task("x")).await.unwrap();
        settle().await;
        o.deregister_agent(&aid("a")).await.unwrap();
        if shut_down {
            assert_eq!(o.shutdown().await.zombies, 0);
            assert!(dropped.load(Ordering::SeqCst));
        } else {
            drop(o);
            tokio::time::sleep(secs(100)).await;
            assert!(dropped.load(Ordering::SeqCst));
        }
    }
}

/// Stops when asked to, and holds a flag as long as it is registered.
fn obedient(flag: Flag) -> impl Agent {
    agent_fn(move |_: Value, context: TaskContext| {
        let _held = &flag;
        async move {
            context.cancellation().cancelled().await;
            Ok::<_, AgentError>(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn nothing_of_an_orchestrator_stays_behind_whenever_a_task_was_cancelled() {
    for shut_down in [true, false] {
        let gone = Arc::new(AtomicBool::new(false));
        let o = plain().await;
        o.register_agent(worker("a", &["x"], obedient(Flag(Arc::clone(&gone)))))
            .await
            .unwrap();
        let handle = o.submit_task(task("x")).await.unwrap();
        settle().await;
        assert!(handle.cancel());
        settle().await;
        if shut_down {
            o.shutdown_within(Duration::from_millis(5)).await;
        }
        drop((handle, o));
        tokio::time::sleep(secs(100)).await;
        assert!(gone.load(Ordering::SeqCst), "shut down: {shut_down}");
    }
}

#[test]
fn limits_fire_while_every_blocking_thread_is_taken() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let blocking = tokio::task::spawn_blocking(move || held.recv());
        let o = with_config(|c| c.health_check_interval_ms = 10).await;
        o.register_agent(external("a", &["x"])).await.unwrap();
        let late = o.submit_task(task("x").deadline_in(ms(100))).await.unwrap();
        for _ in 0..20 {
            tokio::time::advance(ms(10)).await;
            settle().await;
        }
        assert_eq!(late.view().unwrap().state, TaskState::TimedOut);
        release.send(()).unwrap();
        blocking.await.unwrap().unwrap();
        o.shutdown().await;
    });
}

/// An orchestrator with an agent of each kind, on a runtime that has ended.
fn on_a_runtime_that_is_gone(work: &[u64]) -> (UniversalOrchestrator, Vec<TaskHandle>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (o, handles) = runtime.block_on(async {
        let o = plain().await;
        for spec in [worker("a", &["x"], sleeper()), external("e", &["y"])] {
            o.register_agent(spec).await.expect("they fit");
        }
        let mut handles = Vec::new();
        for millis in work {
            let task = task("x").payload(*millis).retry(RetryPolicy::immediate(9));
            handles.push(o.submit_task(task).await.expect("it fits"));
        }
        (o, handles)
    });
    drop(runtime);
    (o, handles)
}

#[tokio::test]
async fn a_runtime_that_is_gone_leaves_no_task_running_and_no_slot_taken() {
    let found = tokio::task::spawn_blocking(|| on_a_runtime_that_is_gone(&[])).await;
    let (o, _) = found.unwrap();
    match o.submit_task(task("x").payload(1)).await {
        Ok(handle) => {
            let outcome = handle.outcome().await.unwrap();
            assert_eq!(outcome.state(), TaskState::Cancelled);
            assert_eq!(outcome.failure_kind(), Some(FailureKind::Shutdown));
        }
        Err(refused) => assert!(matches!(refused.reason(), Refusal::ShuttingDown)),
    }
    assert_eq!(o.agent(&aid("a")).unwrap().in_flight, 0);
    let refused = o.execute(task("x").payload(1)).await.unwrap_err();
    assert!(matches!(refused.reason(), Refusal::ShuttingDown));
}

#[tokio::test]
async fn what_was_live_when_the_runtime_ended_is_in_the_report() {
    let work: Vec<u64> = std::iter::repeat_n(3_600_000, 2_000).collect();
    let found = tokio::task::spawn_blocking(move || on_a_runtime_that_is_gone(&work)).await;
    let (o, handles) = found.unwrap();
    // The outcomes that are retained.
    for handle in &handles[1_500..] {
        let outcome = handle.outcome().await.unwrap();
        assert_eq!(outcome.state(), TaskState::Cancelled);
    }
    assert_eq!(o.agent(&aid("a")).unwrap().in_flight, 0);
    assert_eq!(o.shutdown().await.unfinished.len(), 2_000);
}

/// Logs every observation as `point by principal`, but for those of time.
fn watching(log: &Log) -> Hooked {
    let log = log.clone();
    Hooked::new().observe(move |context, what| {
        let point = observe_point(what);
        if !matches!(point, HookPoint::Tick | HookPoint::Health) {
            log.push(format!("{} by {}", point_name(point), context.principal));
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_seen_registered_before_what_it_gets() {
    let log = Log::default();
    let plugin = (manifest("p", HookSet::none().observe_all()), watching(&log));
    let o = with_plugins(|c| c.queue.queue_unroutable = true, vec![plugin]).await;
    let handle = o.submit_task(task("x")).await.unwrap();
    o.register_agent(worker("a", &["x"], echo())).await.unwrap();
    let _ = handle.outcome().await.unwrap();
    let points = ["submit", "register", "delegate", "start", "complete"];
    assert_eq!(log.lines(), points.map(|p| format!("{p} by anonymous")));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn observers_see_who_cancelled_and_who_deregistered() {
    let log = Log::default();
    let plugin = (manifest("p", HookSet::none().observe_all()), watching(&log));
    let o = with_plugins(|_| {}, vec![plugin]).await;
    let (alice, bob) = ["alice", "bob"].map(|p| o.as_principal(p).unwrap()).into();
    alice.register_agent(external("a", &["x"])).await.unwrap();
    let delegation = alice.delegate_task(task("x")).await.unwrap();
    let queued = alice.submit_task(task("x")).await.unwrap();
    let own = alice.submit_task(task("x")).await.unwrap();
    log.take();
    bob.cancel_task(delegation.task()).await.unwrap();
    assert!(bob.task(queued.id()).unwrap().cancel());
    assert!(own.cancel());
    bob.deregister_agent(&aid("a")).await.unwrap();
    let seen = [
        "cancel by bob",
        "cancel by bob",
        "cancel by alice",
        "deregister by bob",
    ];
    assert_eq!(log.lines(), seen);
    o.shutdown().await;
}

/// Puts agent `a` to sleep whenever a delegation is asked about, and vetoes some.
fn sleepy_guard(veto: &'static str) -> Hooked {
    Hooked::new().guard(move |context, call| {
        context.control.sleep(&aid("a")).expect("room");
        let (GuardCall::Delegate { task, .. } | GuardCall::Start { task, .. }) = call else {
            return Verdict::Allow;
        };
        let refuse = *task.id() == tid(veto);
        Verdict::later(async move {
            tokio::time::sleep(ms(1)).await;
            if refuse {
                return Err(Veto::new("no", "not this one"));
            }
            Ok(())
        })
    })
}

#[tokio::test(start_paused = true)]
async fn what_a_deciding_hook_commands_happens_after_the_commit_and_not_after_a_veto() {
    for point in [HookPoint::Delegate, HookPoint::Start] {
        let hooks = HookSet::none().guard(point);
        let o = with_plugins(|_| {}, vec![(manifest("p", hooks), sleepy_guard("bad"))]).await;
        let spec = worker("a", &["x"], echo()).concurrency(2);
        o.register_agent(spec).await.unwrap();
        let availability = || o.agent(&aid("a")).unwrap().availability;
        let refused = o.execute(task("x").payload(1).id("bad")).await.unwrap();
        assert_eq!(refused.state(), TaskState::Rejected);
        settle().await;
        assert_eq!(availability(), Availability::Available, "{point:?}");
        let outcome = o.execute(task("x").payload(2).id("good")).await.unwrap();
        assert_eq!(outcome.attempts(), 1);
        assert!(outcome.is_success(), "{point:?}: {:?}", outcome.failure());
        settle().await;
        assert_eq!(availability(), Availability::Sleeping, "{point:?}");
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_puts_the_agent_to_sleep_lets_its_own_delegation_through() {
    let hooks = HookSet::none().guard(HookPoint::Delegate);
    let o = with_plugins(|_| {}, vec![(manifest("p", hooks), sleepy_guard("bad"))]).await;
    o.register_agent(external("a", &["x"])).await.unwrap();
    o.delegate_task(task("x").id("bad")).await.unwrap_err();
    let delegation = o.delegate_task(task("x")).await.unwrap();
    settle().await;
    assert_eq!(
        o.agent(&aid("a")).unwrap().availability,
        Availability::Sleeping
    );
    o.complete_task(&delegation, 1).await.unwrap();
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_does_not_start_in_time_is_named_and_those_before_it_are_stopped() {
    let log = Log::default();
    let mut config = OrchestratorConfig::default();
    config.hooks.start_timeout_ms = 5_000;
    let first = Hooked::new()
        .on_stop(&log, "first", ms(0))
        .start_takes(secs(4));
    let builder = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .config(config)
        .plugin(manifest("a-first", HookSet::none()), first)
        .plugin(
            manifest("b-stalls", HookSet::none()),
            Hooked::new().start_takes(secs(3_600)),
        );
    let begun = tokio::time::Instant::now();
    let error = builder.start().await.unwrap_err();
    assert_eq!(begun.elapsed(), secs(9));
    let StartError::Plugin { name, source, .. } = &error else {
        unreachable!("{error}");
    };
    assert_eq!(*name, "b-stalls");
    assert!(matches!(source, PluginError::TooSlow { limit } if *limit == secs(5)));
    assert!(
        source.to_string().contains("hooks.start_timeout_ms"),
        "{source}"
    );
    assert_eq!(log.lines(), ["stop first"]);
}

/// Takes real time to say how it is.
struct SlowHealth;

impl Plugin for SlowHealth {
    fn health(&self) -> PluginHealth {
        let until = std::time::Instant::now() + ms(20);
        while std::time::Instant::now() < until {}
        PluginHealth::healthy()
    }
}

#[tokio::test]
async fn a_plugin_that_is_slow_to_say_how_it_is_is_not_healthy() {
    let mut config = OrchestratorConfig::default();
    config.hooks.timeout_ms = 5;
    let o = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .config(config)
        .plugin(manifest("p", HookSet::none()), SlowHealth)
        .start()
        .await
        .unwrap();
    let health = o.status().plugins[0].health.clone();
    assert_eq!(health.status, HealthStatus::Degraded, "{health:?}");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn silent_work_in_this_process_is_not_taken_for_a_lost_agent() {
    let o = plain().await;
    let spec = worker("a", &["x"], sleeper()).heartbeat_every(secs(1));
    o.register_agent(spec).await.unwrap();
    let silent = task("x").payload(20_000).retry(RetryPolicy::never());
    let outcome = o.execute(silent).await.unwrap();
    assert!(outcome.is_success(), "{:?}", outcome.failure());
    tokio::time::sleep(secs(60)).await;
    assert_eq!(
        o.agent(&aid("a")).unwrap().availability,
        Availability::Available
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_is_asked_about_once_and_is_no_refusal() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let guard = Hooked::new().guard(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        Verdict::Allow
    });
    let hooks = HookSet::none().guard(HookPoint::Submit);
    let plugins = vec![(manifest("p", hooks), guard)];
    let o = with_plugins(|c| c.queue.max_tasks = 1, plugins).await;
    o.register_agent(worker("a", &["x"], sleeper()))
        .await
        .unwrap();
    let waiting = (0..50).map(|_| o.submit_task_wait(task("x").payload(10)));
    for handle in futures::future::join_all(waiting).await {
        handle.unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 50);
    assert_eq!(o.status().tasks.refused, 0);
    // Other refusals do not wait, and count.
    o.submit_task_wait(task("nobody has this"))
        .await
        .unwrap_err();
    assert_eq!(o.status().tasks.refused, 1);
    o.shutdown().await;
}
