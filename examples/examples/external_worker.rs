//! An agent that lives elsewhere: it asks for work, holds a lease, gives signs of life, and reports.
//!
//! Here the worker is a task of the same program; over a network it would make the same calls through a
//! server. Shows: `next_task`, heartbeats that keep a lease alive, progress, completion, a retryable and a
//! permanent failure, a report that comes too late, and a worker that leaves when there is nothing to do.
//!
//! ```text
//! cargo run --example external_worker
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use serde_json::json;
use universal_orchestrator::{
    AgentId, AgentRole, AgentSpec, OrchestratorConfig, PulledTask, RetryPolicy, Task, TaskFailure,
    UniversalOrchestrator,
};

/// Without a sign of life for this long, a task is taken away and tried elsewhere.
const LEASE: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut config = OrchestratorConfig::default();
    config.agents.lease_ms = LEASE.as_millis().try_into()?;
    let orchestrator = UniversalOrchestrator::start(config).await?;

    let spec = AgentSpec::new("renderer-1", AgentRole::Worker).capabilities(["render"]);
    let agent = orchestrator.register_agent(spec).await?;
    let mut handles = Vec::new();
    for payload in [
        json!({ "pages": 3 }),
        json!({ "pages": 2, "flaky": true }),
        json!({ "pages": 0 }),
        json!({ "pages": 1, "goes_silent": true }),
    ] {
        let task = Task::new("report").requires(["render"]).payload(payload);
        let task = task.retry(RetryPolicy::immediate(2));
        handles.push(orchestrator.submit_task(task).await?);
    }

    let first = handles[0].clone();
    let watcher = tokio::spawn(async move {
        let mut progress = first.progress();
        while let Some(report) = progress.next().await {
            println!("{}: {report}", first.id());
        }
    });
    work(&orchestrator, &agent).await?;
    watcher.await?;

    for handle in &handles {
        let outcome = handle.outcome().await?;
        let (id, attempts) = (outcome.task().clone(), outcome.attempts());
        match outcome.into_result() {
            Ok(result) => println!("{id}: {result} after {attempts} attempts"),
            Err(failure) => println!("{id}: {failure} after {attempts} attempts"),
        }
    }
    orchestrator.shutdown().await;
    Ok(())
}

/// The worker's loop: ends when nothing came for a while.
async fn work(orchestrator: &UniversalOrchestrator, agent: &AgentId) -> Result<(), Box<dyn Error>> {
    while let Some(task) = orchestrator.next_task(agent, LEASE * 2).await? {
        let delegation = task.delegation();
        let report = match render(orchestrator, &task).await {
            Ok(pages) => orchestrator.complete_task(delegation, pages).await,
            Err(failure) => orchestrator.fail_task(delegation, failure).await,
        };
        // A refused report changed nothing: the task is over, or somebody else has it by now.
        if let Err(refused) = report {
            println!("{}: {refused}", task.id());
        }
    }
    Ok(orchestrator.deregister_agent(agent).await?)
}

/// Renders one page after the other, with a sign of life after each.
async fn render(
    orchestrator: &UniversalOrchestrator,
    task: &PulledTask,
) -> Result<u64, TaskFailure> {
    let (payload, delegation) = (task.payload(), task.delegation());
    let pages = payload["pages"].as_u64().unwrap_or_default();
    if pages == 0 {
        return Err(TaskFailure::permanent("a report needs a page"));
    }
    let is_first = delegation.attempt() == 1;
    if is_first && payload["flaky"] == true {
        return Err(TaskFailure::retryable("the printer was busy"));
    }
    if is_first && payload["goes_silent"] == true {
        tokio::time::sleep(LEASE * 2).await;
        return Ok(pages);
    }
    for page in 1..=pages {
        tokio::time::sleep(LEASE / 2).await;
        // Progress renews the lease too; a heartbeat does when there is nothing to tell.
        let told = orchestrator
            .report_progress(delegation, json!({ "page": page }))
            .await;
        told.map_err(|error| TaskFailure::permanent(error.to_string()))?;
        tokio::time::sleep(LEASE * 3 / 4).await;
        let alive = orchestrator.heartbeat(delegation.agent()).await;
        alive.map_err(|error| TaskFailure::permanent(error.to_string()))?;
    }
    Ok(pages)
}
