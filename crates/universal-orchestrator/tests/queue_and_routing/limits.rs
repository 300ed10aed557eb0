//! How many run at once: by concurrency key, by rate, and over all agents.

use std::sync::Arc;

use parking_lot::Mutex;
use universal_orchestrator::config::KeyLimit;
use universal_orchestrator::{
    Agent, AgentError, OrchestratorConfig, Priority, Refusal, Task, TaskContext, TaskState,
    agent_fn,
};

use crate::common::*;
use crate::named;

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
