//! What is let in: pauses, a full queue, and tasks that nobody can do.

use universal_orchestrator::{Capability, FailureKind, Refusal, TaskHandle, TaskState};

use crate::common::*;
use crate::named;

#[tokio::test(start_paused = true)]
async fn intake_queue_and_capability_are_paused_and_resumed() {
    let o = plain().await;
    o.register_agent(worker("w", &["x", "y"], sleeper()).concurrency(5))
        .await
        .unwrap();
    o.pause_intake();
    for refused in [
        o.submit_task(task("x").payload(1)).await.unwrap_err(),
        o.delegate_task(task("x").payload(1)).await.unwrap_err(),
        o.execute(task("x").payload(1)).await.unwrap_err(),
    ] {
        assert_eq!(refused.reason(), &Refusal::IntakePaused);
    }
    assert!(o.status().queue.intake_paused);
    o.resume_intake();
    o.pause_queue();
    let queued = o.submit_task(task("x").payload(1)).await.unwrap();
    o.delegate_task(task("x").payload(1)).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(
        queued.view().unwrap().waiting_for.as_deref(),
        Some("the queue, which is paused")
    );
    assert_eq!(o.status().tasks.succeeded, 1, "the delegated one");
    o.resume_queue();
    assert!(queued.outcome().await.unwrap().is_success());
    let y = Capability::new("y").unwrap();
    o.pause_capability(&y);
    let waits = o.submit_task(task("y").payload(1)).await.unwrap();
    let goes = o.submit_task(task("x").payload(1)).await.unwrap();
    assert!(goes.outcome().await.unwrap().is_success());
    assert_eq!(
        waits.view().unwrap().waiting_for.as_deref(),
        Some("capability y, which is paused")
    );
    assert!(matches!(
        o.delegate_task(task("y").payload(1))
            .await
            .unwrap_err()
            .reason(),
        Refusal::CapabilityPaused { .. }
    ));
    assert_eq!(o.status().queue.paused_capabilities, ["y"]);
    o.resume_capability(&y);
    assert!(waits.outcome().await.unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_those_who_wait_get_room_in_their_order() {
    let o = with_config(|c| c.queue.max_tasks = 1).await;
    o.register_agent(external("e", &["x"])).await.unwrap();
    let mut first = Some(o.submit_task(named("first")).await.unwrap());
    let refused = o.submit_task(named("refused")).await.unwrap_err();
    assert_eq!(refused.reason(), &Refusal::QueueFull { max: 1 });
    let log = Log::default();
    let wait = |name: &'static str| {
        let (o, log) = (o.clone(), log.clone());
        tokio::spawn(async move {
            let handle = o.submit_task_wait(named(name)).await;
            log.push(name);
            handle
        })
    };
    let mut waiting: Vec<_> = Vec::new();
    for name in ["a", "gone", "b"] {
        waiting.push(wait(name));
        settle().await;
    }
    waiting[1].abort();
    settle().await;
    assert!(log.lines().is_empty(), "nobody got in");
    let mut live: Option<TaskHandle> = first.take();
    for round in 0..3 {
        live.take().unwrap().cancel();
        if round == 0 {
            // A newcomer comes between the wake-up and the one that was woken.
            waiting.push(wait("newcomer"));
        }
        settle().await;
        let name = log.lines().last().unwrap().clone();
        live = o.task(&tid(&name));
        assert_eq!(o.status().queue.depth, 1);
    }
    assert_eq!(log.lines(), ["a", "b", "newcomer"]);
    assert!(o.task(&tid("gone")).is_none());
    let o = with_config(|c| c.queue.max_tasks = 0).await;
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    for refused in [
        o.submit_task(task("x")).await.unwrap_err(),
        o.submit_task_wait(task("x")).await.unwrap_err(),
        o.execute(task("x")).await.unwrap_err(),
    ] {
        assert_eq!(refused.reason(), &Refusal::QueueFull { max: 0 });
    }
    o.delegate_task(task("x")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_do_is_refused_or_queued_and_expires_after_its_time() {
    let o = plain().await;
    let refused = o.submit_task(task("x")).await.unwrap_err();
    assert!(matches!(refused.reason(), Refusal::NoCapableAgent { .. }));
    let o = with_config(|c| {
        c.queue.queue_unroutable = true;
        c.queue.unroutable_ttl_ms = 60_000;
    })
    .await;
    let handle = o.submit_task(task("x")).await.unwrap();
    let mut events = o.events();
    assert_eq!(
        handle.view().unwrap().waiting_for.as_deref(),
        Some("an agent with x: none is registered")
    );
    assert_eq!(o.status().queue.unroutable, 1);
    // Somebody could have done it for a while: the time begins anew.
    tokio::time::sleep(secs(30)).await;
    let e = o.register_agent(external("e", &["x"])).await.unwrap();
    tokio::time::sleep(secs(20)).await;
    o.deregister_agent(&e).await.unwrap();
    let begun = tokio::time::Instant::now();
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Unroutable));
    assert_eq!(
        begun.elapsed(),
        secs(60),
        "for the whole of queue.unroutable_ttl_ms"
    );
    let mut told = 0;
    while let Some(record) = events.try_next() {
        told += usize::from(matches!(
            record.event,
            universal_orchestrator::Event::TaskUnroutable { .. }
        ));
    }
    assert_eq!(told, 1);
    let o = with_config(|c| {
        c.queue.queue_unroutable = true;
        c.queue.unroutable_ttl_ms = 0;
    })
    .await;
    let handle = o.submit_task(task("x")).await.unwrap();
    tokio::time::sleep(secs(3 * 3_600)).await;
    assert_eq!(
        handle.view().unwrap().state,
        TaskState::Queued,
        "0 waits without limit"
    );
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    assert!(handle.outcome().await.unwrap().is_success());
}
