//! The end of the orchestrator, asked for or by its last handle.

use serde_json::json;
use universal_orchestrator::{
    AgentCallError, FailureKind, OrchestratorConfig, Refusal, TaskState, UniversalOrchestrator,
};

use crate::common::*;

#[tokio::test(start_paused = true)]
async fn shutdown_refuses_drains_cancels_and_what_is_left_is_resumed() {
    let o = plain().await;
    o.register_agent(worker("a", &["x"], sleeper()))
        .await
        .unwrap();
    o.register_agent(external("e", &["y"])).await.unwrap();
    let ann = o.as_principal("ann").unwrap();
    let quick = o.submit_task(task("x").payload(100)).await.unwrap();
    let keep = [
        ann.submit_task(
            task("y")
                .id("first")
                .payload("p")
                .deadline_in(secs(600))
                .metadata("k", "v"),
        )
        .await
        .unwrap(),
        ann.submit_task(task("y").id("second").after(tid("first")))
            .await
            .unwrap(),
        ann.submit_task(task("y").id("third").delay(secs(300)))
            .await
            .unwrap(),
    ];
    let d = o.delegate_task(task("y").id("with_e")).await.unwrap();
    let ending = {
        let o = o.clone();
        tokio::spawn(async move { o.shutdown_within(secs(30)).await })
    };
    tokio::time::sleep(secs(1)).await;
    for refused in [
        o.submit_task(task("x")).await.unwrap_err(),
        o.delegate_task(task("x")).await.unwrap_err(),
        o.execute(task("x")).await.unwrap_err(),
    ] {
        assert_eq!(refused.reason(), &Refusal::ShuttingDown);
    }
    assert!(o.register_agent(external("late", &[])).await.is_err());
    assert_eq!(
        o.next_task(&aid("e"), secs(9)).await.unwrap_err(),
        AgentCallError::ShuttingDown
    );
    o.complete_task(&d, 1).await.unwrap();
    let report = ending.await.unwrap();
    assert!(quick.outcome().await.unwrap().is_success());
    assert_eq!(report.took, secs(1), "it ended when nothing was at work");
    let ids: Vec<String> = report
        .unfinished
        .iter()
        .map(|u| u.task.id.to_string())
        .collect();
    assert_eq!(ids, ["first", "second", "third"]);
    assert_eq!((report.drained, report.zombies), (2, 0));
    for handle in &keep {
        let outcome = handle.outcome().await.unwrap();
        assert_eq!(outcome.failure_kind(), Some(FailureKind::Shutdown));
    }
    check_conservation(&o);
    let text = serde_json::to_string(&report).unwrap();
    let next = plain().await;
    next.register_agent(external("e", &["y"])).await.unwrap();
    for handle in next.resume(serde_json::from_str(&text).unwrap()).await {
        handle.unwrap();
    }
    let pulled = next.next_task(&aid("e"), ms(0)).await.unwrap().unwrap();
    assert_eq!(
        (pulled.id(), pulled.payload()),
        (&tid("first"), &json!("p"))
    );
    assert_eq!(pulled.task().metadata_value("k"), Some("v"));
    let second = next.task(&tid("second")).unwrap().view().unwrap();
    assert_eq!(
        second.waiting_for.as_deref(),
        Some("1 tasks that it comes after")
    );
    assert_eq!(second.principal.as_str(), "ann");
    assert_eq!(next.status().queue.delayed, 1, "the delay goes on");
    let outcome = next.wait_task(&tid("first")).await.unwrap();
    assert_eq!(
        outcome.state(),
        TaskState::TimedOut,
        "the rest of its deadline went on"
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_ends_everything() {
    let handle;
    {
        let o = plain().await;
        o.register_agent(worker("a", &["x"], stuck()))
            .await
            .unwrap();
        handle = o.submit_task(task("x")).await.unwrap();
        settle().await;
        let other = o.clone();
        drop(o);
        assert_eq!(
            handle.view().unwrap().state,
            TaskState::Running,
            "a clone is left"
        );
        drop(other);
    }
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(
        (outcome.state(), outcome.failure_kind()),
        (TaskState::Cancelled, Some(FailureKind::Shutdown))
    );
}

#[tokio::test(start_paused = true)]
async fn an_orchestrator_for_tests_says_when_it_is_dropped_with_live_tasks() {
    let dropped = tokio::spawn(async {
        let o = UniversalOrchestrator::builder()
            .without_linked_plugins()
            .config(OrchestratorConfig::default())
            .panic_when_dropped_with_live_tasks()
            .start()
            .await
            .unwrap();
        o.register_agent(external("e", &["x"])).await.unwrap();
        o.submit_task(task("x")).await.unwrap();
    });
    assert!(dropped.await.unwrap_err().is_panic());
}
