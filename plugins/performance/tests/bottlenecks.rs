//! A constructed load gives the right finding, and no load gives none.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod common;

use common::{Machine, agents, look, ms, pass, seconds, section, service, start};
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, Task, TaskContext, UniversalOrchestrator, agent_fn,
};
use universal_orchestrator_performance::Limit;

/// Agents of this process whose every task takes a second.
async fn second_workers(o: &UniversalOrchestrator, capability: &str, names: &[&str]) {
    for name in names {
        let agent = agent_fn(async |n: u64, _: TaskContext| {
            tokio::time::sleep(ms(1_000)).await;
            Ok::<_, AgentError>(n)
        });
        let spec = AgentSpec::new(name, AgentRole::Worker).capabilities([capability]);
        o.register_agent(spec.in_process(agent)).await.unwrap();
    }
}

/// Submits tasks, one each `every` milliseconds.
async fn feed(o: &UniversalOrchestrator, capability: &str, count: u64, every: u64) {
    for n in 0..count {
        let task = Task::new(format!("{capability}_work")).requires([capability]);
        o.submit_task(task.payload(n)).await.unwrap();
        pass(ms(every)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_saturated_capability_is_found_and_no_other() {
    let o = start(seconds(), &Machine::calm()).await;
    second_workers(&o, "django", &["d1", "d2"]).await;
    second_workers(&o, "css", &["c1", "c2"]).await;
    agents(&o, "legal", &["idle"]).await;
    pass(ms(5_000)).await;
    assert!(service(&o).bottlenecks().is_empty(), "no load");

    // Three tasks of a second each second for two agents; half a task each second for the other two.
    tokio::join!(feed(&o, "django", 48, 333), feed(&o, "css", 8, 2_000));
    let found = service(&o).bottlenecks();
    let limits: Vec<&Limit> = found.iter().map(|one| &one.limit).collect();
    assert_eq!(limits, [&Limit::Capability("django".into())], "{found:#?}");
    let one = &found[0];
    assert!(one.busy_percent.unwrap() > 97.0, "{one:?}");
    assert!(one.queue_wait_p95_ms.unwrap() > 1_000.0, "{one:?}");
    // Little's law: two tasks a second leave the queue, and waited between one and six seconds.
    assert!(
        (4.0..12.0).contains(&one.expected_waiting.unwrap()),
        "{one:?}"
    );
    // Three slots' worth of work at eighty per cent.
    assert_eq!(one.slots_needed, Some(4), "{one:?}");
    for part in [
        "`django`: 2 agents with 2 slots, 100 % busy",
        "2 more such agents (4 slots)",
    ] {
        assert!(one.recommendation.contains(part), "{}", one.recommendation);
    }
    assert_eq!(
        o.status().plugins[0].health.details["bottlenecks"][0],
        one.recommendation.as_str()
    );

    // The advice is good: with two agents more the same load no longer waits.
    second_workers(&o, "django", &["d3", "d4"]).await;
    feed(&o, "django", 75, 333).await;
    assert!(
        service(&o).bottlenecks().is_empty(),
        "{:#?}",
        service(&o).bottlenecks()
    );
    pass(ms(20_000)).await;
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn busy_agents_without_a_wait_are_no_bottleneck() {
    let o = start(seconds(), &Machine::calm()).await;
    second_workers(&o, "django", &["d1"]).await;
    feed(&o, "django", 20, 1_000).await;
    assert!(
        service(&o).bottlenecks().is_empty(),
        "{:#?}",
        service(&o).bottlenecks()
    );
    pass(ms(5_000)).await;
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn long_work_behind_which_nothing_moves_is_found() {
    let o = start(seconds(), &Machine::calm()).await;
    agents(&o, "gpu", &["g1"]).await;
    let long = o
        .delegate_task(Task::new("train").requires(["gpu"]))
        .await
        .unwrap();
    let waits = o
        .submit_task(Task::new("train").requires(["gpu"]))
        .await
        .unwrap();
    pass(ms(15_000)).await;
    let found = service(&o).bottlenecks();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].limit, Limit::Queue("stalled".into()));
    assert!(
        found[0].recommendation.contains("`gpu` 100 %"),
        "{found:#?}"
    );
    o.complete_task(&long, 1).await.unwrap();
    waits.cancel();
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_something_else_is_named() {
    let o = start(seconds(), &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    o.pause_queue();
    let waits = o.submit_task(Task::new("t").requires(["x"])).await.unwrap();
    look(&o).await;
    let found = service(&o).bottlenecks();
    assert_eq!(found[0].limit, Limit::Queue("paused".into()), "{found:#?}");
    waits.cancel();
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_slower_than_its_peers_is_found() {
    let o = start(section("judged_from = 5"), &Machine::calm()).await;
    agents(&o, "x", &["a", "b", "c"]).await;
    for _ in 0..6 {
        let mut delegations = Vec::new();
        for _ in 0..3 {
            delegations.push(
                o.delegate_task(Task::new("t").requires(["x"]))
                    .await
                    .unwrap(),
            );
        }
        pass(ms(20)).await;
        for delegation in &delegations {
            if delegation.agent().as_str() != "b" {
                o.complete_task(delegation, 1).await.unwrap();
            }
        }
        pass(ms(80)).await;
        for delegation in delegations {
            if delegation.agent().as_str() == "b" {
                o.complete_task(&delegation, 1).await.unwrap();
            }
        }
    }
    look(&o).await;
    let found = service(&o).bottlenecks();
    let limits: Vec<&Limit> = found.iter().map(|one| &one.limit).collect();
    assert_eq!(limits, [&Limit::Agent("b".into())], "{found:#?}");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn with_too_many_agents_it_does_not_look_and_says_so() {
    let o = start(section("agents_examined_max = 1"), &Machine::calm()).await;
    agents(&o, "x", &["a", "b"]).await;
    look(&o).await;
    let skipped = service(&o).snapshot().bottlenecks_skipped.clone();
    assert!(skipped.unwrap().contains("agents_examined_max is 1"));
    o.shutdown().await;
}
