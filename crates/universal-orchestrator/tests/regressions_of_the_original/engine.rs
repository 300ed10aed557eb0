//! Defects in tasks, threads, the shutdown, the breaker and the counts: D7, D10 and D16 to D18.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;
use universal_orchestrator::plugin::{GuardCall, HookPoint, HookSet, Verdict};
use universal_orchestrator::{
    BreakerState, FailureKind, HealthStatus, Refusal, ReportError, RetryPolicy, TaskFailure,
    TaskState, UniversalOrchestrator,
};

use crate::common::*;

/// In the original a second task of the same id overwrote the first, whose agent stayed busy for ever and whose completion was refused.
#[tokio::test(start_paused = true)]
async fn d7_a_duplicate_id_is_refused_and_the_first_task_is_untouched() {
    let o = plain().await;
    for id in ["a", "b"] {
        o.register_agent(external(id, &["x"])).await.unwrap();
    }
    let first = o.delegate_task(task("x").id("t")).await.unwrap();
    for refused in [
        o.delegate_task(task("x").id("t")).await.unwrap_err(),
        o.submit_task(task("x").id("t")).await.unwrap_err(),
        o.execute(task("x").id("t")).await.unwrap_err(),
    ] {
        let Refusal::Duplicate { state, .. } = refused.reason() else {
            unreachable!("{refused}")
        };
        assert_eq!(*state, TaskState::Assigned);
    }
    assert_eq!(o.status().agents.busy, 1);
    o.complete_task(&first, 1).await.unwrap();
    assert_eq!(o.status().agents.busy, 0);
}

/// The original held a thread lock across awaits: no exclusion between coroutines and a deadlock between threads.
#[test]
fn d10_calls_from_many_threads_neither_block_nor_break_each_other() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let o = runtime.block_on(async {
        let o = plain().await;
        for n in 0..4 {
            o.register_agent(external(&format!("a{n}"), &["x"]).concurrency(2))
                .await
                .unwrap();
        }
        o
    });
    let most = AtomicUsize::new(0);
    let in_flight = AtomicUsize::new(0);
    let completed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let Ok(d) = runtime.block_on(o.delegate_task(task("x"))) else {
                        thread::yield_now();
                        continue;
                    };
                    let now = in_flight.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    in_flight.fetch_sub(1, Ordering::SeqCst);
                    runtime.block_on(o.complete_task(&d, 1)).unwrap();
                    completed.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    let status = o.status();
    assert!(most.load(Ordering::SeqCst) <= 8);
    assert_eq!(
        status.tasks.completed_total,
        completed.load(Ordering::SeqCst) as u64
    );
    assert_eq!((status.agents.busy, status.tasks.active), (0, 0));
    check_conservation(&o);
    runtime.block_on(o.shutdown());
}

/// After the original's `shutdown()` the process did not exit in four of four runs: its monitors were cancelled, never awaited, and swallowed the cancellation.
#[test]
fn d16_nothing_runs_on_after_shutdown_or_drop() {
    for shut_down in [true, false] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let log = Log::default();
            let o = with_plugins(
                |_| {},
                vec![(manifest("p", all_hooks()), Hooked::logging(&log, "p"))],
            )
            .await;
            o.register_agent(worker("w", &["x"], stuck()))
                .await
                .unwrap();
            o.register_agent(external("e", &["y"])).await.unwrap();
            let handle = o.submit_task(task("x")).await.unwrap();
            let waiting = tokio::spawn({
                let o = o.clone();
                async move { o.next_task(&aid("e"), secs(9_999)).await.map(|_| ()) }
            });
            settle().await;
            if shut_down {
                let report = o.shutdown().await;
                assert_eq!((report.unfinished.len(), report.zombies), (1, 0));
                assert!(
                    waiting.await.unwrap().is_err(),
                    "told that there is no more"
                );
                drop(o);
            } else {
                waiting.abort();
                assert!(waiting.await.is_err());
                drop(o);
            }
            settle().await;
            let outcome = handle.outcome().await.unwrap();
            assert_eq!(outcome.failure_kind(), Some(FailureKind::Shutdown));
            if !shut_down {
                // The grace of the cancelled attempt is over when nobody is left to count it.
                drop(handle);
                tokio::time::sleep(secs(5)).await;
            }
            settle().await;
            let before = log.lines().len();
            tokio::time::sleep(secs(3_600)).await;
            assert_eq!(log.lines().len(), before, "no hook fires after the end");
            assert_eq!(
                tokio::runtime::Handle::current()
                    .metrics()
                    .num_alive_tasks(),
                0,
                "shut down: {shut_down}"
            );
        });
    }
}

/// The original's half-open breaker let everything through, and its timeout wrapped at a day.
#[tokio::test(start_paused = true)]
async fn d17_a_half_open_breaker_lets_only_its_probes_through_and_a_day_does_not_wrap() {
    let day_and_a_bit = 86_400_000 + 10_000;
    let o = with_config(|c| {
        c.breaker.enabled = true;
        c.breaker.minimum_calls = 2;
        c.breaker.open_ms = day_and_a_bit;
        c.breaker.half_open_probes = 2;
    })
    .await;
    o.register_agent(external("a", &["x"]).concurrency(10))
        .await
        .unwrap();
    for _ in 0..2 {
        let d = o.delegate_task(task("x")).await.unwrap();
        o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap();
    }
    let state = |o: &UniversalOrchestrator| {
        o.status()
            .circuit_breakers
            .get("a")
            .map(|breaker| breaker.state)
    };
    assert_eq!(state(&o), Some(BreakerState::Open));
    assert_eq!(o.status().health_status, HealthStatus::Degraded);
    let open = o.delegate_task(task("x")).await.unwrap_err();
    assert!(matches!(open.reason(), Refusal::AllUnavailable { .. }));
    // Ten seconds past a day the original would have seen ten seconds.
    tokio::time::sleep(secs(86_400) + secs(5)).await;
    assert!(
        o.delegate_task(task("x")).await.is_err(),
        "still open after a day"
    );
    tokio::time::sleep(ms(5_001)).await;
    let probes = [
        o.delegate_task(task("x")).await.unwrap(),
        o.delegate_task(task("x")).await.unwrap(),
    ];
    let third = o.delegate_task(task("x")).await.unwrap_err();
    let Refusal::AllUnavailable { counts, .. } = third.reason() else {
        unreachable!("{third}")
    };
    assert_eq!(counts.breaker_open, 1);
    for probe in &probes {
        o.complete_task(probe, 1).await.unwrap();
    }
    assert_eq!(state(&o), None, "closed again");
    o.delegate_task(task("x")).await.unwrap();
    assert_eq!(o.status().health_status, HealthStatus::Healthy);
}

/// D17 again: a probe that was refused, cancelled or never began must not be counted as one that is still out.
#[tokio::test(start_paused = true)]
async fn d17_a_probe_that_does_not_take_place_is_given_back() {
    for how in [
        "vetoed at delegate",
        "vetoed at start",
        "cancelled",
        "allowed",
    ] {
        let plugin = Hooked::new().guard(move |_, call| match (how, call) {
            ("vetoed at delegate", GuardCall::Delegate { task, .. })
            | ("vetoed at start", GuardCall::Start { task, .. })
                if task.task().payload_value() == &json!("no") =>
            {
                Verdict::veto("no", "no")
            }
            _ => Verdict::Allow,
        });
        let hooks = HookSet::none()
            .guard(HookPoint::Delegate)
            .guard(HookPoint::Start);
        let o = with_plugins(
            |c| {
                c.breaker.enabled = true;
                c.breaker.minimum_calls = 1;
                c.breaker.open_ms = 1_000;
                c.agents.lease_ms = 5_000;
            },
            vec![(manifest("p", hooks), plugin)],
        )
        .await;
        o.register_agent(external("a", &["x"])).await.unwrap();
        let d = o.delegate_task(task("x")).await.unwrap();
        o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap();
        tokio::time::sleep(ms(1_001)).await;
        match o
            .delegate_task(task("x").payload("no").retry(RetryPolicy::never()))
            .await
        {
            Err(refused) => {
                assert_eq!(how, "vetoed at delegate");
                assert!(matches!(refused.reason(), Refusal::Vetoed(_)), "{refused}");
            }
            Ok(probe) if how == "vetoed at start" => {
                let told = o.start_task(&probe).await.unwrap_err();
                assert!(matches!(told, ReportError::Vetoed { .. }), "{told}");
            }
            Ok(probe) if how == "cancelled" => {
                o.cancel_task(probe.task()).await.unwrap();
                // An external agent keeps the slot until its lease is over.
                tokio::time::sleep(secs(6)).await;
            }
            Ok(probe) => o.complete_task(&probe, 1).await.unwrap(),
        }
        let again = o.delegate_task(task("x")).await;
        assert!(again.is_ok(), "{how}: the agent never came back: {again:?}");
        assert_eq!(o.status().agents.total, 1);
        o.complete_task(&again.unwrap(), 1).await.unwrap();
        let status = o.status();
        assert_eq!(
            (status.agents.active, status.agents.breaker_open),
            (1, 0),
            "{how}"
        );
    }
}

/// The original's metrics reported the number of active tasks as that of completed ones.
#[tokio::test(start_paused = true)]
async fn d18_completed_is_not_active_in_status_and_metrics() {
    let recorder = metrics_util::debugging::DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let o = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .metrics_recorder(recorder)
        .start()
        .await
        .unwrap();
    o.register_agent(external("a", &["x"]).concurrency(9))
        .await
        .unwrap();
    let mut delegations = Vec::new();
    for _ in 0..5 {
        delegations.push(o.delegate_task(task("x")).await.unwrap());
    }
    for d in &delegations[..2] {
        o.complete_task(d, 1).await.unwrap();
    }
    o.fail_task(&delegations[2], TaskFailure::permanent("no"))
        .await
        .unwrap();
    let tasks = o.status().tasks;
    assert_eq!(
        (tasks.active, tasks.completed_total, tasks.error_total),
        (2, 2, 1)
    );
    tokio::time::sleep(ms(1_001)).await;
    let mut finished = 0;
    let mut in_flight = -1.0;
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        use metrics_util::debugging::DebugValue;
        let key = key.key();
        match (key.name(), value) {
            ("orchestrator_tasks_finished_total", DebugValue::Counter(n))
                if key.labels().any(|l| l.value() == "succeeded") =>
            {
                finished = n;
            }
            ("orchestrator_tasks_in_flight", DebugValue::Gauge(n)) => in_flight = n.0,
            _ => {}
        }
    }
    assert_eq!((finished, in_flight), (2, 2.0));
    o.complete_task(&delegations[3], 1).await.unwrap();
    let tasks = o.status().tasks;
    assert_eq!((tasks.active, tasks.completed_total), (1, 3), "told apart");
}
