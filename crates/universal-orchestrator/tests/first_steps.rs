//! Register, delegate, complete; submit, execute: the ordinary ways through the orchestrator.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use universal_orchestrator::{
    AccountId, AgentError, AgentId, AgentRole, AgentSpec, Amount, FailureKind, OrchestratorConfig,
    Refusal, ReportError, RetryPolicy, Task, TaskContext, TaskFailure, TaskState,
    UniversalOrchestrator, agent_fn,
};

async fn orchestrator() -> UniversalOrchestrator {
    UniversalOrchestrator::builder()
        .without_linked_plugins()
        .start()
        .await
        .expect("the defaults are valid")
}

fn external(id: &str, capabilities: &[&str]) -> AgentSpec {
    AgentSpec::new(id, AgentRole::Worker).capabilities(capabilities)
}

#[tokio::test(start_paused = true)]
async fn an_external_agent_is_told_and_completes_once() {
    let o = orchestrator().await;
    o.register_agent(external("a", &["python", "django"]))
        .await
        .unwrap();
    let delegation = o
        .delegate_task(Task::new("dev").id("t1").requires(["python"]))
        .await
        .unwrap();
    assert_eq!(delegation.agent().as_str(), "a");
    assert_eq!(o.status().tasks.assigned, 1);
    let busy = o
        .delegate_task(Task::new("dev").requires(["python"]))
        .await
        .unwrap_err();
    assert!(
        matches!(
            busy.reason(),
            Refusal::AllBusy {
                capable: 1,
                busy: 1
            }
        ),
        "{busy}"
    );
    o.complete_task(&delegation, json!({"ok": true}))
        .await
        .unwrap();
    let again = o.complete_task(&delegation, json!(null)).await.unwrap_err();
    assert!(matches!(again, ReportError::AlreadyOver { .. }));
    let outcome = o.wait_task(delegation.task()).await.unwrap();
    assert_eq!(outcome.result(), &json!({"ok": true}));
    let status = o.status();
    assert_eq!(
        (
            status.tasks.succeeded,
            status.tasks.active,
            status.agents.busy
        ),
        (1, 0, 0)
    );
    let duplicate = o
        .delegate_task(Task::new("dev").id("t1"))
        .await
        .unwrap_err();
    assert!(matches!(duplicate.reason(), Refusal::Duplicate { .. }));
}

#[tokio::test(start_paused = true)]
async fn nobody_capable_is_told_apart_from_busy_and_asleep() {
    let o = orchestrator().await;
    o.register_agent(external("a", &["python"])).await.unwrap();
    let refused = o
        .delegate_task(Task::new("dev").requires(["rust"]))
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "task was refused: no agent registered has rust (nobody has \"rust\"): register one"
    );
    o.sleep_agent(&AgentId::new("a").unwrap()).await.unwrap();
    let refused = o
        .delegate_task(Task::new("dev").requires(["python"]))
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "task was refused: no capable agent is available (1 sleeping): wake or release one"
    );
}

#[tokio::test(start_paused = true)]
async fn execute_runs_an_agent_of_this_process() {
    let o = orchestrator().await;
    let agent = agent_fn(|n: u64, _: TaskContext| async move { Ok::<_, AgentError>(n * 2) });
    o.register_agent(external("a", &["double"]).in_process(agent))
        .await
        .unwrap();
    let outcome = o
        .execute(Task::new("x").requires(["double"]).payload(21))
        .await
        .unwrap();
    assert_eq!(outcome.result(), &json!(42));
    let outcome = o
        .execute(Task::new("x").requires(["double"]).payload("no"))
        .await
        .unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Permanent));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_agent_does_not_block_and_many_share_one_slot() {
    let o = orchestrator().await;
    let agent = agent_fn(|n: u64, _: TaskContext| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok::<_, AgentError>(n)
    });
    o.register_agent(external("a", &["wait"]).in_process(agent))
        .await
        .unwrap();
    let begun = tokio::time::Instant::now();
    let all = (0..20u64).map(|n| o.execute(Task::new("x").requires(["wait"]).payload(n)));
    let outcomes = futures::future::join_all(all).await;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.unwrap().result(), &json!(n));
    }
    assert_eq!(begun.elapsed(), Duration::from_millis(200));
}

#[tokio::test(start_paused = true)]
async fn retryable_errors_are_tried_again_and_panics_are_not() {
    let o = orchestrator().await;
    let tries = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&tries);
    let agent = agent_fn(move |_: (), context: TaskContext| {
        seen.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(context.task_id().to_string() != "boom", "told to panic");
            if context.attempt() < 3 {
                return Err(AgentError::retryable("not yet"));
            }
            Ok("done")
        }
    });
    o.register_agent(external("a", &["x"]).in_process(agent))
        .await
        .unwrap();
    let outcome = o.execute(Task::new("x").requires(["x"])).await.unwrap();
    assert_eq!((outcome.attempts(), outcome.result()), (3, &json!("done")));
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    let outcome = o
        .execute(
            Task::new("x")
                .requires(["x"])
                .id("boom")
                .retry(RetryPolicy::immediate(5)),
        )
        .await
        .unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Panicked));
    assert_eq!(o.dead_letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_timeout_frees_the_slot_when_the_future_is_gone() {
    let o = orchestrator().await;
    let agent = agent_fn(|stuck: bool, context: TaskContext| async move {
        if stuck {
            context.progress("half");
            std::future::pending::<()>().await;
        }
        Ok::<_, AgentError>(1)
    });
    o.register_agent(external("a", &["x"]).in_process(agent))
        .await
        .unwrap();
    let stuck = Task::new("x")
        .requires(["x"])
        .payload(true)
        .attempt_timeout(Duration::from_secs(5));
    let outcome = o.execute(stuck).await.unwrap();
    assert_eq!(outcome.state(), TaskState::TimedOut);
    assert_eq!(outcome.partial(), Some(&json!("half")));
    assert_eq!(o.status().agents.zombies, 1);
    let refused = o
        .delegate_task(Task::new("x").requires(["x"]).payload(false))
        .await
        .unwrap_err();
    assert!(matches!(refused.reason(), Refusal::AllBusy { .. }));
    let outcome = o
        .execute(Task::new("x").requires(["x"]).payload(false))
        .await
        .unwrap();
    assert!(outcome.is_success());
    assert_eq!(outcome.queue_wait(), Duration::from_secs(1));
    assert_eq!(o.status().agents.zombies, 0);
}

#[tokio::test(start_paused = true)]
async fn an_external_agent_pulls_with_a_lease() {
    let o = orchestrator().await;
    let a = o.register_agent(external("a", &["x"])).await.unwrap();
    let handle = o
        .submit_task(Task::new("x").requires(["x"]).payload("p"))
        .await
        .unwrap();
    let pulled = o.next_task(&a, Duration::ZERO).await.unwrap().unwrap();
    assert_eq!(pulled.payload(), &json!("p"));
    tokio::time::sleep(Duration::from_secs(61)).await;
    let late = o
        .complete_task(pulled.delegation(), json!(1))
        .await
        .unwrap_err();
    assert!(
        matches!(
            late,
            ReportError::NotYours { .. } | ReportError::Stale { .. }
        ),
        "{late}"
    );
    let again = o
        .next_task(&a, Duration::from_secs(9))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.delegation().attempt(), 2);
    o.fail_task(again.delegation(), TaskFailure::permanent("no"))
        .await
        .unwrap();
    assert_eq!(
        handle.outcome().await.unwrap().failure_kind(),
        Some(FailureKind::Permanent)
    );
    assert!(
        o.next_task(&a, Duration::from_secs(1))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_drains_and_the_rest_is_resumed_elsewhere() {
    let o = orchestrator().await;
    let agent = agent_fn(|ms: u64, _: TaskContext| async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok::<_, AgentError>(ms)
    });
    o.register_agent(external("a", &["x"]).in_process(agent))
        .await
        .unwrap();
    let quick = o
        .submit_task(Task::new("x").requires(["x"]).payload(100))
        .await
        .unwrap();
    let slow = o
        .submit_task(Task::new("x").requires(["x"]).payload(3_600_000))
        .await
        .unwrap();
    let report = o.shutdown().await;
    assert!(quick.outcome().await.unwrap().is_success());
    assert_eq!(slow.outcome().await.unwrap().state(), TaskState::Cancelled);
    assert_eq!(
        (report.unfinished.len(), report.drained, report.zombies),
        (1, 1, 0)
    );
    let text = serde_json::to_string(&report).unwrap();
    let mut config = OrchestratorConfig::default();
    config.queue.queue_unroutable = true;
    let o = UniversalOrchestrator::start(config).await.unwrap();
    let handles = o.resume(serde_json::from_str(&text).unwrap()).await;
    assert_eq!(handles[0].as_ref().unwrap().id(), slow.id());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_task_spends_is_counted_without_any_limit() {
    let o = orchestrator().await;
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        context.charge(Amount::tokens(7))?;
        context
            .reserve(Amount::tokens(5))?
            .settle(Amount::tokens(2));
        Ok::<_, AgentError>(())
    });
    o.register_agent(external("a", &["x"]).in_process(agent))
        .await
        .unwrap();
    let outcome = o.execute(Task::new("x").requires(["x"])).await.unwrap();
    assert_eq!(outcome.cost().tokens, 9);
    let global = o.account(&AccountId::Global).unwrap();
    assert_eq!((global.spent.tokens, global.reserved.tokens), (9, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_executed_in_order_of_its_tasks() {
    let o = orchestrator().await;
    let agent = agent_fn(|n: u64, _: TaskContext| async move {
        tokio::time::sleep(Duration::from_millis(100 - n)).await;
        Ok::<_, AgentError>(n)
    });
    let spec = external("a", &["x"]).concurrency(10).in_process(agent);
    o.register_agent(spec).await.unwrap();
    let tasks = (0..10u64)
        .map(|n| Task::new("x").requires(["x"]).payload(n))
        .collect();
    for (n, outcome) in o.execute_tasks(tasks).await.into_iter().enumerate() {
        assert_eq!(outcome.unwrap().result(), &json!(n));
    }
}
