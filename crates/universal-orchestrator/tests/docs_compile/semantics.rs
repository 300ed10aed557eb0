//! The code of docs/semantics.md.

use std::time::Duration;

use serde_json::json;
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, FailureKind, ReportError, Task, TaskContext, TaskState,
    UniversalOrchestrator, agent_fn,
};

type Tested = Result<(), Box<dyn std::error::Error>>;

async fn bare() -> UniversalOrchestrator {
    UniversalOrchestrator::builder()
        .without_linked_plugins()
        .start()
        .await
        .expect("the defaults are valid")
}

#[tokio::test(start_paused = true)]
async fn a_report_counts_once() -> Tested {
    let orchestrator = bare().await;
    orchestrator
        .register_agent(AgentSpec::new("a", AgentRole::Worker))
        .await?;
    let delegation = orchestrator.delegate_task(Task::new("build")).await?;
    orchestrator
        .complete_task(&delegation, json!("first"))
        .await?;

    let second = orchestrator
        .complete_task(&delegation, json!("second"))
        .await;
    assert!(matches!(second, Err(ReportError::AlreadyOver { .. })));
    let outcome = orchestrator.wait_task(delegation.task()).await?;
    assert_eq!(outcome.result(), "first");
    Ok(())
}

mod cooperative {
    use std::time::Duration;

    use universal_orchestrator::{Agent, AgentError, TaskContext, agent_fn};

    /// Counts to a number, says how far it is, and stops when it is asked to.
    fn counter() -> impl Agent {
        agent_fn(|to: u64, context: TaskContext| async move {
            for n in 1..=to {
                tokio::select! {
                    () = context.cancellation().cancelled() => {
                        return Err(AgentError::permanent("stopped"));
                    }
                    () = tokio::time::sleep(Duration::from_secs(1)) => context.progress(n),
                }
            }
            Ok(to)
        })
    }

    /// Work that blocks its thread goes to a thread of its own.
    fn hasher() -> impl Agent {
        agent_fn(|text: String, _: TaskContext| async move {
            tokio::task::spawn_blocking(move || text.bytes().map(u64::from).sum::<u64>())
                .await
                .map_err(|error| AgentError::permanent("the thread panicked").with_source(error))
        })
    }

    use universal_orchestrator::{AgentRole, AgentSpec, FailureKind, Task, TaskState};

    #[tokio::test(start_paused = true)]
    async fn they_run() -> super::Tested {
        let orchestrator = super::bare().await;
        let spec =
            |id, capability: &str| AgentSpec::new(id, AgentRole::Worker).capabilities([capability]);
        orchestrator
            .register_agent(spec("counter", "count").in_process(counter()))
            .await?;
        orchestrator
            .register_agent(spec("hasher", "hash").in_process(hasher()))
            .await?;
        let slow = Task::new("count").requires(["count"]).payload(60);
        let outcome = orchestrator
            .execute(slow.deadline_in(Duration::from_millis(2_500)))
            .await?;
        assert_eq!(outcome.state(), TaskState::TimedOut);
        assert_eq!(outcome.failure_kind(), Some(FailureKind::DeadlineExceeded));
        assert_eq!(outcome.partial(), Some(&serde_json::json!(2)));
        let outcome = orchestrator
            .execute(Task::new("hash").requires(["hash"]).payload("ab"))
            .await?;
        assert_eq!(outcome.result(), 195);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_cannot_be_overspent() -> Tested {
    let orchestrator = bare().await;
    use universal_orchestrator::{Amount, Limits, RunId};

    let run = RunId::new("nightly")?;
    orchestrator.open_run(&run, Limits::unlimited().with_tokens(1_000))?;
    let model = agent_fn(|prompt: String, context: TaskContext| async move {
        let reservation = context.reserve(Amount::tokens(600))?;
        let used = prompt.len() as u64; // what the bill says
        reservation.settle(Amount::tokens(used));
        Ok::<_, AgentError>(used)
    });
    let spec = AgentSpec::new("model", AgentRole::Specialist).concurrency(2);
    orchestrator.register_agent(spec.in_process(model)).await?;

    let ask =
        |prompt: String| orchestrator.execute(Task::new("ask").run("nightly").payload(prompt));
    assert!(ask("x".repeat(500)).await?.is_success());
    let refused = ask("y".to_owned()).await?;
    assert_eq!(refused.failure_kind(), Some(FailureKind::OverBudget));
    assert_eq!(orchestrator.close_run(&run)?.spent.tokens, 500);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_shutdown_reports_is_resumed() -> Tested {
    let orchestrator = bare().await;
    let stuck = |id: &str| {
        let agent = agent_fn(|_: (), _: TaskContext| async move {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            Ok::<_, AgentError>(())
        });
        AgentSpec::new(id, AgentRole::Worker).in_process(agent)
    };
    orchestrator.register_agent(stuck("a")).await?;
    orchestrator
        .submit_task(Task::new("slow").id("kept"))
        .await?;
    let report = orchestrator.shutdown().await;
    let saved = serde_json::to_string(&report)?;

    // After the restart: agents first, then the tasks.
    let orchestrator = UniversalOrchestrator::builder().start().await?;
    orchestrator.register_agent(stuck("a")).await?;
    for resumed in orchestrator.resume(serde_json::from_str(&saved)?).await {
        println!("{} is back", resumed?.id());
    }
    let handle = orchestrator.task(&"kept".parse()?).expect("it was resumed");
    assert_eq!(
        handle.view().map(|view| view.state),
        Some(TaskState::Running)
    );
    Ok(())
}
