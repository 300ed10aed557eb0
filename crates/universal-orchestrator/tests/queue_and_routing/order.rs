//! Which task goes first: by priority, age, deadline and tenant, and without rest while an agent is free.

use serde_json::Value;
use universal_orchestrator::config::QueueOrder;
use universal_orchestrator::{
    Agent, AgentError, OrchestratorConfig, Priority, RetryPolicy, TaskContext,
    UniversalOrchestrator, agent_fn,
};

use crate::common::*;
use crate::named;

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
