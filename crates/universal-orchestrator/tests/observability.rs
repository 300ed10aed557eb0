//! The status document, and the report of a shutdown: every figure is true in a scenario that can be counted by hand.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails it as the test itself does"
)]

mod common;

use std::time::Duration;

use common::{
    Hooked, aid, check_conservation, echo, external, flaky, manifest, ms, plain, secs, settle,
    sleeper, stuck, task, tid, with_config, with_plugins, worker,
};
use serde_json::{Value, json};
use universal_orchestrator::plugin::{HookPoint, HookSet, Observed, PluginHealth};
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, Capability, FailureKind, HealthStatus, Limits, Priority,
    Refusal, RetryPolicy, RunId, ShutdownReport, Task, TaskContext, TaskFailure, TaskState,
    UniversalOrchestrator, agent_fn,
};

fn document(o: &UniversalOrchestrator) -> Value {
    serde_json::to_value(o.status()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_status_has_every_key_of_the_original() {
    let o = with_config(|c| {
        c.breaker.enabled = true;
        c.breaker.minimum_calls = 1;
    })
    .await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    let d = o.delegate_task(task("a")).await.unwrap();
    o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap();
    let status = document(&o);
    for (path, is) in [
        ("/orchestrator_id", "string"),
        ("/mode", "string"),
        ("/uptime_seconds", "number"),
        ("/health_status", "string"),
        ("/health_issues", "array"),
        ("/agents/total", "number"),
        ("/agents/active", "number"),
        ("/agents/busy", "number"),
        ("/agents/by_role/worker", "number"),
        ("/tasks/active", "number"),
        ("/tasks/completed_total", "number"),
        ("/tasks/error_total", "number"),
        ("/performance/average_task_duration_ms", "number"),
        ("/performance/error_rate_percent", "number"),
        ("/performance/cpu_usage_percent", "null"),
        ("/performance/memory_usage_percent", "null"),
        ("/circuit_breakers/e/state", "string"),
        ("/capabilities_index/a", "number"),
        ("/critical_alerts", "number"),
        ("/timestamp_ms", "number"),
    ] {
        let found = match status.pointer(path) {
            None => "absent",
            Some(Value::Null) => "null",
            Some(Value::Bool(_)) => "bool",
            Some(Value::Number(_)) => "number",
            Some(Value::String(_)) => "string",
            Some(Value::Array(_)) => "array",
            Some(Value::Object(_)) => "object",
        };
        assert_eq!(found, is, "{path} in {status:#}");
    }
    assert_eq!(status["circuit_breakers"]["e"]["state"], "open");
    assert_eq!(status["health_status"], "degraded");
}

/// Six agents and twelve tasks, in as many states as there can be at once.
async fn scenario(o: &UniversalOrchestrator) {
    for spec in [
        worker("sleeper", &["sleep"], sleeper()).concurrency(2),
        worker("flaky", &["flaky", "sleepy"], flaky()),
        external("e", &["out"]),
        external("asleep", &["out"]),
        external("drains", &["out"]),
        AgentSpec::new("boss", AgentRole::Coordinator).capabilities(["out"]),
    ] {
        o.register_agent(spec).await.unwrap();
    }
    o.sleep_agent(&aid("asleep")).await.unwrap();
    o.drain_agent(&aid("drains")).await.unwrap();
    o.quarantine_agent(&aid("boss"), "why").await.unwrap();
    // Two succeed, after 100 and 0 ms, one of them at its second attempt.
    assert!(
        o.execute(task("sleep").payload(100))
            .await
            .unwrap()
            .is_success()
    );
    let retried = task("flaky").payload(1).retry(RetryPolicy::immediate(2));
    assert!(o.execute(retried).await.unwrap().is_success());
    // One fails, one times out, one is cancelled while it waits; two are refused; one report is refused.
    let d = o.delegate_task(task("out")).await.unwrap();
    tokio::time::sleep(ms(300)).await;
    o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap();
    o.complete_task(&d, 1).await.unwrap_err();
    let late = o
        .submit_task(task("out").deadline_in(ms(50)))
        .await
        .unwrap();
    drop(late.outcome().await.unwrap());
    assert!(o.submit_task(task("out")).await.unwrap().cancel());
    o.delegate_task(task("nobody has this")).await.unwrap_err();
    o.submit_task(Task::new("\n")).await.unwrap_err();
    // One assigned, one running, and queued: one ready, one delayed, one blocked, one behind its key, one paused.
    let d = o.delegate_task(task("out").id("assigned")).await.unwrap();
    assert_eq!(d.agent(), &aid("e"));
    let keyed = || task("sleep").payload(3_600_000).concurrency_key("k");
    o.submit_task(keyed().id("running")).await.unwrap();
    o.submit_task(keyed().id("keyed")).await.unwrap();
    o.submit_task(task("out").id("ready").priority(Priority::High))
        .await
        .unwrap();
    o.submit_task(task("out").id("delayed").delay(secs(3_600)))
        .await
        .unwrap();
    o.submit_task(task("out").id("blocked").after(tid("ready")))
        .await
        .unwrap();
    o.pause_capability(&Capability::new("sleepy").unwrap());
    o.submit_task(task("sleepy").payload(0).id("paused"))
        .await
        .unwrap();
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn every_figure_of_the_status_is_true() {
    let o = plain().await;
    let run = RunId::new("r").unwrap();
    o.open_run(&run, Limits::unlimited().with_calls(7)).unwrap();
    scenario(&o).await;
    check_conservation(&o);
    let status = document(&o);
    assert_eq!(
        status["agents"],
        json!({
            "total": 6, "active": 3, "busy": 2, "by_role": {"worker": 5, "coordinator": 1},
            "sleeping": 1, "draining": 1, "quarantined": 1, "unreachable": 0, "breaker_open": 0, "over_budget": 0, "zombies": 0,
        })
    );
    assert_eq!(
        status["tasks"],
        json!({
            "active": 7, "completed_total": 2, "error_total": 2, "accepted": 12, "refused": 2,
            "queued": 5, "assigned": 1, "running": 1, "succeeded": 2, "failed": 1, "timed_out": 1,
            "cancelled": 1, "rejected": 0, "retries": 1, "reports_refused": 1, "retained": 5, "dead_letters": 2,
        })
    );
    assert_eq!(
        status["queue"],
        json!({
            "depth": 5, "max": 100_000, "ready": 2, "delayed": 1, "blocked": 1, "key_limited": 1, "budget_limited": 0, "unroutable": 0,
            "by_priority": {"critical": 0, "high": 1, "medium": 1, "low": 0},
            "intake_paused": false, "queue_paused": false, "paused_capabilities": ["sleepy"],
        })
    );
    assert_eq!(
        status["capabilities_index"],
        json!({"sleep": 1, "flaky": 1, "sleepy": 1, "out": 4})
    );
    assert_eq!(status["capabilities_total"], 4);
    let performance = &status["performance"];
    assert_eq!(performance["error_rate_percent"], 50.0, "two of four");
    let mean = performance["average_task_duration_ms"].as_f64().unwrap();
    let of_those_that_an_agent_had = (100.0 + 0.0 + 300.0) / 3.0;
    assert!((mean - of_those_that_an_agent_had).abs() < 0.001, "{mean}");
    assert_eq!(performance["targets_exceeded"], json!({}));
    assert_eq!(status["uptime_seconds"], 0.45);
    assert_eq!(
        status["health_status"], "healthy",
        "{}",
        status["health_issues"]
    );
    let mut accounts = status["budget"].as_array().unwrap().iter();
    let run = accounts.find(|a| a["account"]["run"] == "r").unwrap();
    assert_eq!(run["limits"]["calls"], 7);
    // Rates are those of the window; counts are for good.
    tokio::time::sleep(secs(120)).await;
    let later = document(&o);
    assert_eq!(later["performance"]["error_rate_percent"], 0.0);
    assert_eq!(later["performance"]["throughput_per_second"], 0.0);
    assert_eq!(later["tasks"], status["tasks"]);
    o.shutdown_within(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn times_and_rates_are_those_of_the_window() {
    let o = with_config(|c| c.status.window_ms = 10_000).await;
    o.register_agent(worker("w", &["a"], sleeper()))
        .await
        .unwrap();
    for millis in [100, 300] {
        drop(o.execute(task("a").payload(millis)).await.unwrap());
    }
    let performance = o.status().performance;
    assert_eq!(performance.average_task_duration_ms, 200.0);
    assert_eq!(performance.error_rate_percent, 0.0);
    assert!(performance.throughput_per_second > 0.0);
    tokio::time::sleep(secs(11)).await;
    drop(o.execute(task("a").payload(500)).await.unwrap());
    assert_eq!(o.status().performance.average_task_duration_ms, 500.0);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_and_the_worst_of_it_is_the_health() {
    let sick = Hooked::new().with_health(PluginHealth::of(HealthStatus::Unhealthy, "disk full"));
    let o = with_plugins(|_| {}, vec![(manifest("p", HookSet::none()), sick)]).await;
    let beating = external("e", &["a"]).heartbeat_every(secs(1));
    o.register_agent(beating).await.unwrap();
    assert_eq!(o.status().health_status, HealthStatus::Unhealthy);
    o.disable_plugin("p").unwrap();
    assert_eq!(o.status().health_status, HealthStatus::Healthy);
    tokio::time::sleep(secs(10)).await;
    let status = o.status();
    assert_eq!(status.health_issues, ["1 agents are unreachable"]);
    assert_eq!(status.health_status, HealthStatus::Degraded);
    o.submit_task(task("a").id("t")).await.unwrap();
    let status = o.status();
    assert_eq!(status.health_status, HealthStatus::Critical);
    assert!(
        status
            .health_issues
            .iter()
            .any(|i| i.contains("1 tasks are ready"))
    );
    o.cancel_task(&tid("t")).await.unwrap();
    assert_eq!(o.status().health_status, HealthStatus::Degraded);
}

#[tokio::test(start_paused = true)]
async fn the_status_is_as_large_with_a_thousand_agents_as_with_ten() {
    async fn size(agents: usize) -> usize {
        let o = with_config(|c| {
            c.max_agents = agents;
            c.status.list_max = 5;
            c.breaker.enabled = true;
            c.breaker.minimum_calls = 1;
        })
        .await;
        for i in 0..agents {
            let (id, own) = (format!("e{i:04}"), format!("c{i:04}"));
            o.register_agent(external(&id, &[&own])).await.unwrap();
            let d = o.delegate_task(task(&own)).await.unwrap();
            o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap();
            o.open_run(&RunId::new(&id).unwrap(), Limits::unlimited())
                .unwrap();
        }
        let status = o.status();
        assert_eq!(status.agents.total, agents);
        assert_eq!(status.capabilities_total, agents);
        assert_eq!(status.capabilities_index.len(), 5);
        assert_eq!(status.circuit_breakers.len(), 5);
        assert_eq!(status.budget.len(), 5);
        serde_json::to_string(&status).unwrap().len()
    }
    // Figures may have more digits.
    assert!(size(1_000).await < size(10).await + 150);
}

/// One that ends while it drains, one that is cancelled, one that is abandoned, one that waits, one outside.
async fn at_work(o: &UniversalOrchestrator) {
    let obedient = agent_fn(|_: Value, context: TaskContext| async move {
        context.cancellation().cancelled().await;
        Err::<(), _>(AgentError::permanent("stopped"))
    });
    let stubborn = agent_fn(|_: Value, _: TaskContext| async move {
        let never = tokio::task::spawn_blocking(|| ());
        never
            .await
            .map_err(|e| AgentError::permanent("no").with_source(e))?;
        std::future::pending::<()>().await;
        Ok::<_, AgentError>(())
    });
    for spec in [
        worker("quick", &["quick"], sleeper()),
        worker("obedient", &["obedient"], obedient),
        worker("stubborn", &["stubborn"], stubborn),
        external("e", &["out"]),
    ] {
        o.register_agent(spec).await.unwrap();
    }
    for id in ["quick", "obedient", "stubborn"] {
        o.submit_task(task(id).payload(1_000).id(id)).await.unwrap();
    }
    let retry = RetryPolicy::exponential(5, secs(1), secs(9));
    let outside = task("out").id("outside").retry(retry).tenant("t");
    let named = o.as_principal("caller").unwrap();
    named.delegate_task(outside.payload("kept")).await.unwrap();
    o.submit_task(task("out").id("waits").after(tid("outside")))
        .await
        .unwrap();
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn the_report_of_a_shutdown_counts_what_ended_and_names_what_did_not() {
    let o = plain().await;
    at_work(&o).await;
    let begun = tokio::time::Instant::now();
    let report = o.shutdown_within(secs(2)).await;
    assert_eq!(report.drained, 1, "quick");
    let unfinished: Vec<_> = report
        .unfinished
        .iter()
        .map(|u| (u.task.id.to_string(), u.principal.to_string(), u.attempts))
        .collect();
    let anonymous = o.principal().to_string();
    let expected = [
        ("obedient", anonymous.as_str(), 1),
        ("stubborn", &anonymous, 1),
        ("outside", "caller", 1),
        ("waits", &anonymous, 0),
    ];
    assert_eq!(
        unfinished,
        expected.map(|(id, p, n)| (id.to_owned(), p.to_owned(), n))
    );
    assert_eq!(report.unfinished[2].task.payload, "kept");
    // The future of the stubborn one is dropped when the grace is over.
    assert_eq!(report.zombies, 0);
    assert!(report.stuck_plugins.is_empty());
    assert_eq!(report.took, begun.elapsed());
    assert!(report.took >= secs(2), "{:?}", report.took);
    let status = o.status();
    assert_eq!(
        (
            status.tasks.active,
            status.tasks.succeeded,
            status.tasks.cancelled
        ),
        (0, 1, 4)
    );
    check_conservation(&o);
    let outcome = o.wait_task(&tid("outside")).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Shutdown));
    let refused = o.submit_task(task("quick")).await.unwrap_err();
    assert_eq!(refused.reason(), &Refusal::ShuttingDown);
}

#[tokio::test(start_paused = true)]
async fn a_report_goes_through_json_into_the_next_orchestrator() {
    let o = plain().await;
    at_work(&o).await;
    let report = o.shutdown_within(Duration::ZERO).await;
    assert_eq!((report.drained, report.unfinished.len()), (0, 5));
    let text = serde_json::to_string(&report).unwrap();
    let report: ShutdownReport = serde_json::from_str(&text).unwrap();

    let o = plain().await;
    let all = ["quick", "obedient", "stubborn", "out"];
    o.register_agent(worker("w", &all, echo())).await.unwrap();
    let handles = o.resume(report).await;
    assert_eq!(handles.len(), 5);
    for handle in handles {
        let outcome = handle.unwrap().outcome().await.unwrap();
        assert!(outcome.is_success(), "{outcome:?}");
    }
    let outside = o.wait_task(&tid("outside")).await.unwrap();
    assert_eq!(outside.result(), "kept");
    assert_eq!(o.status().tasks.succeeded, 5);
}

#[tokio::test(start_paused = true)]
async fn every_further_call_waits_for_the_first_and_returns_its_report() {
    let o = plain().await;
    o.register_agent(worker("w", &["a"], sleeper()))
        .await
        .unwrap();
    o.register_agent(worker("s", &["s"], stuck()))
        .await
        .unwrap();
    o.submit_task(task("a").payload(1_000)).await.unwrap();
    o.submit_task(task("s").id("stays")).await.unwrap();
    settle().await;
    let other = o.clone();
    let (first, second) = tokio::join!(o.shutdown_within(secs(5)), async {
        settle().await;
        // A later end does not put it off; a nearer one would bring it forward.
        other.shutdown_within(secs(60)).await
    });
    let third = o.shutdown().await;
    assert_eq!(first.drained, 1);
    assert_eq!(first.unfinished.len(), 1);
    let text = |report| serde_json::to_value::<ShutdownReport>(report).unwrap();
    let first = text(first);
    assert_eq!(text(second), first);
    assert_eq!(text(third), first);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_was_given_up_can_be_ended() {
    let log = common::Log::default();
    let seen = log.clone();
    let plugin = Hooked::new()
        .on_stop(&log, "p", ms(0))
        .observe(move |_, what| {
            if matches!(what, Observed::Shutdown) {
                seen.push("shutdown");
            }
        });
    let hooks = HookSet::none().observe(HookPoint::Shutdown);
    let o = with_plugins(|_| {}, vec![(manifest("p", hooks), plugin)]).await;
    o.register_agent(worker("w", &["a"], sleeper()))
        .await
        .unwrap();
    o.submit_task(task("a").payload(10_000).id("t"))
        .await
        .unwrap();
    settle().await;
    let given_up = tokio::time::timeout(secs(1), o.shutdown_within(secs(60))).await;
    assert!(given_up.is_err());
    assert_eq!(
        o.task(&tid("t")).unwrap().view().unwrap().state,
        TaskState::Running
    );
    let report = o.shutdown_within(secs(60)).await;
    assert_eq!((report.drained, report.unfinished.len()), (1, 0));
    assert_eq!(log.lines().last().unwrap(), "stop p");
}
