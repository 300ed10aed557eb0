//! How things end: shutdown, agents that leave, runtimes that are gone, and what plugins see and do on the way.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{aid, external, ms, plain, secs, settle, stuck, task, with_config, worker};
use futures::FutureExt;
use serde_json::{Value, json};
use universal_orchestrator::{Agent, AgentError, TaskContext, TaskState, agent_fn};

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
    for is_over in [false, true] {
        let dropped = tokio::time::timeout(ms(1_500), o.shutdown()).await;
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
async fn a_caller_in_a_hurry_shortens_a_shutdown_that_drains() {
    let o = with_config(|c| c.shutdown.drain_ms = 3_600_000).await;
    o.register_agent(worker("a", &["x"], stuck()))
        .await
        .unwrap();
    o.submit_task(task("x")).await.unwrap();
    let begun = tokio::time::Instant::now();
    let (patient, hurried) = tokio::join!(o.shutdown(), async {
        tokio::time::sleep(secs(1)).await;
        o.shutdown_within(secs(2)).await
    });
    assert!(begun.elapsed() < secs(60), "{:?}", begun.elapsed());
    assert_eq!(patient.unfinished.len(), 1);
    assert_eq!(hurried.unfinished.len(), 1);
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
