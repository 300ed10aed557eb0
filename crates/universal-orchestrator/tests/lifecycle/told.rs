//! Who is told: listeners to progress and events, and agents that wait for work.

use serde_json::json;
use universal_orchestrator::{AgentCallError, AgentError, Event, TaskContext, TaskState, agent_fn};

use crate::common::*;

#[tokio::test(start_paused = true)]
async fn progress_reaches_two_listeners_and_ends_with_the_task() {
    let o = with_config(|c| c.tasks.progress_buffer = 3).await;
    let agent = agent_fn(|count: u64, context: TaskContext| async move {
        tokio::time::sleep(ms(1)).await;
        for n in 0..count {
            context.progress(n);
        }
        Ok::<_, AgentError>("done")
    });
    o.register_agent(worker("a", &["x"], agent)).await.unwrap();
    let handle = o.submit_task(task("x").payload(2)).await.unwrap();
    let mut streams = [handle.progress(), handle.progress()];
    for stream in &mut streams {
        assert_eq!(*stream.next().await.unwrap(), json!(0));
        assert_eq!(*stream.next().await.unwrap(), json!(1));
        assert!(stream.next().await.is_none());
        assert_eq!(stream.lost(), 0);
    }
    assert!(handle.progress().next().await.is_none(), "over already");
    let handle = o.submit_task(task("x").payload(10)).await.unwrap();
    let mut slow = handle.progress();
    drop(handle.outcome().await.unwrap());
    let mut got = Vec::new();
    while let Some(value) = slow.next().await {
        got.push(value.as_u64().unwrap());
    }
    assert_eq!(got.last(), Some(&9), "the newest are kept");
    assert_eq!(slow.lost() + got.len() as u64, 10);
    assert!(got.len() < 10);
}

#[tokio::test(start_paused = true)]
async fn events_tell_a_task_from_beginning_to_end_and_lag_is_counted() {
    let o = with_config(|c| c.events.capacity = 8).await;
    let mut events = o.events();
    o.register_agent(external("e", &["x"])).await.unwrap();
    let d = o.delegate_task(task("x")).await.unwrap();
    o.report_progress(&d, 1).await.unwrap();
    o.complete_task(&d, 1).await.unwrap();
    assert!(o.complete_task(&d, 1).await.is_err());
    let mut names = Vec::new();
    let mut expected = 1;
    while let Some(record) = events.try_next() {
        assert_eq!(record.sequence, expected);
        expected += 1;
        let json = serde_json::to_value(&record).unwrap();
        names.push(json["event"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        names,
        [
            "agent_registered",
            "task_accepted",
            "task_delegated",
            "task_progress",
            "task_finished",
            "report_refused"
        ]
    );
    assert_eq!(o.status().events_lagged, 0);
    for _ in 0..10 {
        o.sleep_agent(&aid("e")).await.unwrap();
        o.wake_agent(&aid("e")).await.unwrap();
    }
    let mut kept = 0;
    while events.try_next().is_some() {
        kept += 1;
    }
    assert_eq!((kept, o.status().events_lagged), (8, 12));
    o.shutdown().await;
    let mut ends = 0;
    while let Some(record) = events.try_next() {
        ends += usize::from(matches!(record.event, Event::ShutdownStarted));
    }
    assert_eq!(ends, 1, "said once");
}

#[tokio::test(start_paused = true)]
async fn next_task_waits_is_woken_and_loses_nothing_when_dropped() {
    let o = plain().await;
    let a = o.register_agent(external("a", &["x"])).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert!(o.next_task(&a, secs(5)).await.unwrap().is_none());
    assert_eq!(begun.elapsed(), secs(5));
    let waiting = {
        let (o, a) = (o.clone(), a.clone());
        tokio::spawn(async move { o.next_task(&a, secs(60)).await })
    };
    settle().await;
    let handle = o.submit_task(task("x")).await.unwrap();
    let pulled = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!(begun.elapsed(), secs(5), "told at once");
    o.complete_task(pulled.delegation(), 1).await.unwrap();
    assert!(handle.outcome().await.unwrap().is_success());
    let mut dropped = Box::pin(o.next_task(&a, secs(60)));
    tokio::select! {
        biased;
        early = &mut dropped => unreachable!("{early:?}"),
        () = settle() => {}
    }
    let handle = o.submit_task(task("x")).await.unwrap();
    drop(dropped);
    assert_eq!(handle.view().unwrap().state, TaskState::Queued);
    let pulled = o.next_task(&a, ms(0)).await.unwrap().unwrap();
    assert_eq!(
        pulled.delegation().attempt(),
        1,
        "what never began does not count"
    );
    let left = {
        let (o, a) = (o.clone(), a.clone());
        tokio::spawn(async move { o.next_task(&a, secs(60)).await })
    };
    settle().await;
    o.deregister_agent(&a).await.unwrap();
    assert!(matches!(
        left.await.unwrap().unwrap_err(),
        AgentCallError::Unknown { .. }
    ));
}
