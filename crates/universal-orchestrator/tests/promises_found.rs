//! What the model found, each as the shortest sequence that shows it.

use std::time::Duration;

use serde_json::json;
use universal_orchestrator::{
    AgentRole, AgentSpec, FailureKind, Limits, Priority, ReportError, RetryPolicy, Task, TaskState,
};
use universal_orchestrator_testkit::{
    Ending, PuppetAgent, quiet_config, settle, test_orchestrator,
};

fn worker(id: &str, capabilities: &[&str]) -> AgentSpec {
    AgentSpec::new(id, AgentRole::Worker).capabilities(capabilities)
}

/// An immediate retry went past a more urgent task that waited for the same slot.
#[tokio::test(start_paused = true)]
async fn a_retry_without_delay_does_not_overtake_what_is_more_urgent() {
    let o = test_orchestrator(quiet_config()).await;
    let puppet = PuppetAgent::new();
    o.register_agent(worker("a", &["x", "y"]).in_process(puppet.clone()))
        .await
        .unwrap();
    let retried = Task::new("t")
        .requires(["x"])
        .priority(Priority::Low)
        .retry(RetryPolicy::immediate(3));
    let retried = o.submit_task(retried).await.unwrap();
    let urgent = Task::new("t").requires(["y"]).priority(Priority::Critical);
    let urgent = o.submit_task(urgent).await.unwrap();
    settle().await;
    assert!(puppet.end(retried.id(), 1, Ending::FailRetryable));
    settle().await;
    let states = [&urgent, &retried].map(|handle| handle.view().unwrap().state);
    assert_eq!(states, [TaskState::Running, TaskState::Queued]);
    o.shutdown_within(Duration::ZERO).await;
}

/// A report from outside freed the slot of an attempt that was still running in this process, so that the agent got more than its concurrency.
#[tokio::test(start_paused = true)]
async fn nobody_else_ends_an_attempt_of_this_process() {
    let o = test_orchestrator(quiet_config()).await;
    let puppet = PuppetAgent::new();
    o.register_agent(worker("a", &["x"]).in_process(puppet.clone()))
        .await
        .unwrap();
    let delegation = o
        .delegate_task(Task::new("t").requires(["x"]))
        .await
        .unwrap();
    settle().await;
    let refused = o.complete_task(&delegation, json!(1)).await.unwrap_err();
    assert!(
        matches!(refused, ReportError::InProcess { .. }),
        "{refused}"
    );
    assert!(
        o.delegate_task(Task::new("t").requires(["x"]))
            .await
            .is_err()
    );
    assert_eq!(puppet.at_work().len(), 1);
    o.shutdown_within(Duration::ZERO).await;
}

/// A task that the budget rejected in the very call that submitted it never woke whoever awaited it.
#[tokio::test(start_paused = true)]
async fn execute_returns_when_the_budget_rejects_at_once() {
    let o = test_orchestrator(quiet_config()).await;
    let broke = worker("a", &["x"]).budget(Limits::unlimited().with_calls(0));
    o.register_agent(broke.in_process(PuppetAgent::new()))
        .await
        .unwrap();
    let task = Task::new("t").requires(["x"]);
    let executed = tokio::time::timeout(Duration::from_secs(1), o.execute(task)).await;
    let outcome = executed.expect("it returns").unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::OverBudget));
    assert_eq!(outcome.state(), TaskState::Rejected);
    o.shutdown().await;
}
