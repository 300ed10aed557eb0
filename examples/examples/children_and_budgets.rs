//! A coordinator splits a task into children that share the budget of one run.
//!
//! Shows: `execute_child` fan-out, `charge` and its refusal, what each task and the whole run cost, and
//! that a run without room refuses the children that do not fit instead of overspending.
//!
//! ```text
//! cargo run --example children_and_budgets
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, Amount, FailureKind, Limits, RunId, Task, TaskContext,
    UniversalOrchestrator, agent_fn,
};

const TEXT: &str = "the quick brown fox jumps over the lazy dog
pack my box with five dozen liquor jugs
how vexingly quick daft zebras jump
sphinx of black quartz judge my vow";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let orchestrator = UniversalOrchestrator::builder().start().await?;
    let counter = AgentSpec::new("counter", AgentRole::Worker)
        .capabilities(["count_line"])
        .concurrency(4)
        .in_process(agent_fn(count_line));
    orchestrator.register_agent(counter).await?;
    let coordinator = AgentSpec::new("coordinator", AgentRole::Coordinator)
        .capabilities(["count_text"])
        .in_process(agent_fn(count_text));
    orchestrator.register_agent(coordinator).await?;

    // The text has 152 characters, so the second run has no room for all of its lines.
    for (name, tokens) in [("generous", 1_000), ("tight", 100)] {
        let run = RunId::new(name)?;
        let limits = Limits::unlimited().with_tokens(tokens);
        orchestrator.open_run(&run, limits)?;
        let task = Task::new("text").requires(["count_text"]).run(name);
        let outcome = orchestrator.execute(task.payload(TEXT)).await?;
        let account = orchestrator.close_run(&run)?;
        println!("{name}: {}", outcome.clone().into_result()?);
        println!("  the coordinator's task cost {}", cost(&outcome.cost()));
        println!("  the run cost {} of {tokens} tokens", cost(&account.spent));
    }
    orchestrator.shutdown().await;
    Ok(())
}

/// Counts the words of one line and pays a token for each character.
async fn count_line(line: String, context: TaskContext) -> Result<usize, AgentError> {
    context.charge(Amount::tokens(line.len() as u64))?;
    Ok(line.split_whitespace().count())
}

/// Has every line counted by a child, all at the same time, and adds up what came back.
async fn count_text(text: String, context: TaskContext) -> Result<Value, AgentError> {
    let mut children = JoinSet::new();
    for line in text.lines() {
        let child = Task::new("line").requires(["count_line"]).payload(line);
        let context = context.clone();
        children.spawn(async move { context.execute_child(child).await });
    }
    let (mut words, mut lines_over_budget) = (0, 0);
    while let Some(joined) = children.join_next().await {
        let outcome = joined.map_err(|error| {
            AgentError::permanent("a child could not be awaited").with_source(error)
        })??;
        if outcome.failure_kind() == Some(FailureKind::OverBudget) {
            lines_over_budget += 1;
            continue;
        }
        words += outcome.into_result()?.as_u64().unwrap_or_default();
    }
    Ok(json!({ "words": words, "lines_over_budget": lines_over_budget }))
}

fn cost(amount: &Amount) -> String {
    format!(
        "{} tokens, {} calls, {:?} busy",
        amount.tokens, amount.calls, amount.busy
    )
}
