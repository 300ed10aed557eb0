//! What hooks see becomes percentiles, rates and rows of the status.

mod common;

use common::{Machine, agents, look, ms, pass, seconds, section, service, start, work};
use universal_orchestrator::{RetryPolicy, Task, TaskFailure, UniversalOrchestrator};
use universal_orchestrator_performance::{Direction, OTHER, Scope, Signal};
use universal_orchestrator_testkit::{PuppetAgent, ScriptedAgent};

fn close(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= expected * 0.01 + 0.001
}

fn details(o: &UniversalOrchestrator) -> universal_orchestrator::Value {
    o.status().plugins[0].health.details.clone()
}

#[tokio::test(start_paused = true)]
async fn percentiles_by_agent_type_and_capability_are_in_the_status() {
    let o = start(seconds(), &Machine::calm()).await;
    agents(&o, "fast", &["hare"]).await;
    agents(&o, "slow", &["snail"]).await;
    for n in 1..=50 {
        work(&o, Task::new("sprint").requires(["fast"]), ms(n)).await;
    }
    for _ in 0..2 {
        work(&o, Task::new("crawl").requires(["slow"]), ms(1_000)).await;
    }
    look(&o).await;
    let details = details(&o);
    for (list, name) in [
        ("agents", "hare"),
        ("task_types", "sprint"),
        ("capabilities", "fast"),
    ] {
        let row = &details[list][0];
        assert_eq!(row["name"], name, "{details:#}");
        assert_eq!(row["ended"], 50);
        for (key, expected) in [("p50_ms", 25.0), ("p95_ms", 48.0), ("p99_ms", 50.0)] {
            let value = row[key].as_f64().unwrap();
            assert!(close(value, expected), "{list} {key} is {value}");
        }
    }
    assert_eq!(details["agents"][1]["name"], "snail");
    let snapshot = service(&o).snapshot();
    let crawl = snapshot.figures(&Scope::TaskType("crawl".into())).unwrap();
    assert!(close(crawl.execution.p999_ms, 1_000.0), "{crawl:?}");
    assert!(close(crawl.execution.mean_ms, 1_000.0), "{crawl:?}");
    assert_eq!(snapshot.overall.succeeded, 52);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_queue_wait_and_the_calls_are_measured() {
    let o = start(seconds(), &Machine::calm()).await;
    let agent = PuppetAgent::new();
    agents(&o, "x", &["other"]).await;
    let spec =
        universal_orchestrator::AgentSpec::new("a", universal_orchestrator::AgentRole::Worker);
    o.register_agent(spec.capabilities(["y"]).in_process(agent.clone()))
        .await
        .unwrap();
    let first = o.submit_task(Task::new("t").requires(["y"])).await.unwrap();
    let second = o.submit_task(Task::new("t").requires(["y"])).await.unwrap();
    pass(ms(300)).await;
    assert!(agent.end(
        first.id(),
        1,
        universal_orchestrator_testkit::Ending::Succeed(1.into())
    ));
    pass(ms(1)).await;
    assert!(agent.end(
        second.id(),
        1,
        universal_orchestrator_testkit::Ending::Succeed(1.into())
    ));
    work(&o, Task::new("u").requires(["x"]), ms(1)).await;
    look(&o).await;
    let snapshot = service(&o).snapshot();
    let waits = snapshot
        .figures(&Scope::Capability("y".into()))
        .unwrap()
        .queue_wait;
    assert_eq!(waits.count, 2);
    assert!(
        close(waits.max_ms, 300.0) && waits.p50_ms < 1.0,
        "{waits:?}"
    );
    assert_eq!(snapshot.registration.count, 2);
    assert_eq!(snapshot.delegation.count, 1, "of delegate_task alone");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn error_rates_are_of_the_window_and_attempts_count_too() {
    let o = start(seconds(), &Machine::calm()).await;
    let flaky = ScriptedAgent::fails_then_succeeds(2, "done");
    let spec = |name: &str, capability: &str| {
        universal_orchestrator::AgentSpec::new(name, universal_orchestrator::AgentRole::Worker)
            .capabilities([capability])
    };
    o.register_agent(spec("flaky", "f").in_process(flaky))
        .await
        .unwrap();
    o.register_agent(spec("outside", "o")).await.unwrap();
    let retried = Task::new("retried")
        .requires(["f"])
        .retry(RetryPolicy::immediate(3));
    let _ = o.execute(retried).await.unwrap();
    for fails in [true, false, false, false] {
        let delegation = o
            .delegate_task(Task::new("mixed").requires(["o"]))
            .await
            .unwrap();
        match fails {
            true => o
                .fail_task(&delegation, TaskFailure::permanent("no"))
                .await
                .unwrap(),
            false => o.complete_task(&delegation, 1).await.unwrap(),
        }
    }
    look(&o).await;
    let snapshot = service(&o).snapshot();
    let mixed = snapshot.figures(&Scope::TaskType("mixed".into())).unwrap();
    assert_eq!(mixed.error_rate_percent, Some(25.0));
    let flaky = snapshot.figures(&Scope::Agent("flaky".into())).unwrap();
    assert_eq!((flaky.retried, flaky.error_rate_percent), (2, Some(0.0)));
    let share = flaky.attempt_error_rate_percent.unwrap();
    assert!((share - 66.67).abs() < 0.01, "{share}");
    pass(ms(11_000)).await;
    let later = service(&o).snapshot();
    assert_eq!(
        later.overall.error_rate_percent, None,
        "the window has passed"
    );
    assert!(later.task_types.is_empty() && later.agents.is_empty());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn throughput_is_of_the_window() {
    let o = start(seconds(), &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    for _ in 0..40 {
        work(&o, Task::new("t").requires(["x"]), ms(500)).await;
    }
    let throughput = service(&o).snapshot().overall.throughput_per_second;
    assert!((1.9..=2.1).contains(&throughput), "{throughput}");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_limit_is_other_and_counted() {
    let o = start(section("tracked_max = 2"), &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    for name in ["one", "two", "three", "four"] {
        work(&o, Task::new(name).requires(["x"]), ms(1)).await;
    }
    look(&o).await;
    let snapshot = service(&o).snapshot();
    let names: Vec<&str> = snapshot
        .task_types
        .iter()
        .map(|row| row.name.as_str())
        .collect();
    assert_eq!(names, [OTHER, "one", "two"]);
    assert_eq!(snapshot.task_types[0].figures.succeeded, 2);
    assert_eq!(snapshot.untracked, 2, "each of the two has ended");
    pass(ms(12_000)).await;
    work(&o, Task::new("three").requires(["x"]), ms(1)).await;
    look(&o).await;
    let snapshot = service(&o).snapshot();
    assert_eq!(
        snapshot.task_types[0].name, "three",
        "the others have made room"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_machine_is_in_the_snapshot() {
    let machine = Machine::calm();
    let o = start(seconds(), &machine).await;
    machine.set(|reading| reading.cpu_percent = Some(55.0));
    pass(ms(3_000)).await;
    let snapshot = service(&o).snapshot();
    let value = |signal: Signal| signal.value(&snapshot, None);
    assert_eq!(value(Signal::CpuPercent), Some(55.0));
    assert_eq!(value(Signal::MemoryPercent), Some(20.0));
    assert_eq!(value(Signal::LoadPerCore), Some(0.25));
    assert_eq!(
        value(Signal::ProcessMemoryMb),
        None,
        "this one does not say"
    );
    let json = serde_json::to_value(&*snapshot).unwrap();
    assert_eq!(json["machine"]["disk_percent"], 30.0);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_trend_is_a_line_through_the_last_points() {
    let o = start(seconds(), &Machine::calm()).await;
    pass(ms(500)).await;
    assert_eq!(service(&o).trend(Signal::AgentsActive), None, "no points");
    for n in 0..6 {
        agents(&o, "x", &[&format!("a{n}")]).await;
        pass(ms(1_000)).await;
    }
    let trend = service(&o).trend(Signal::AgentsActive).unwrap();
    assert_eq!(trend.points, 4);
    assert_eq!(trend.direction, Direction::Increasing);
    assert!((trend.per_minute - 60.0).abs() < 1e-6, "{trend:?}");
    assert!((trend.projected - 8.0).abs() < 1e-6, "{trend:?}");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_status_shows_at_most_the_top() {
    let o = start(section("top = 1"), &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    for name in ["one", "two", "two"] {
        work(&o, Task::new(name).requires(["x"]), ms(1)).await;
    }
    look(&o).await;
    let rows = details(&o)["task_types"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["name"], "two", "the one with most work");
    o.shutdown().await;
}
