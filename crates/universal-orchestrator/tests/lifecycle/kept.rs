//! What is kept: dead letters, results, the ids of tasks, and the lists of both tasks and agents.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use universal_orchestrator::{
    AgentError, AgentFilter, Availability, FailureKind, Refusal, Task, TaskContext, TaskFault,
    TaskFilter, TaskState, Tenant, agent_fn,
};

use crate::common::*;

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
