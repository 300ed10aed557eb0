//! The shortest useful program: one orchestrator, an agent of this process and an external one.
//!
//! ```text
//! cargo run --example quickstart
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use serde_json::json;
use universal_orchestrator::{
    AgentError, AgentRole::Worker, AgentSpec, Task, UniversalOrchestrator, agent_fn,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let o = UniversalOrchestrator::builder().start().await?;

    // An agent of this process: the orchestrator calls it.
    let greet = agent_fn(async |name: String, _| Ok::<_, AgentError>(format!("hello {name}")));
    let greeter = AgentSpec::new("greeter", Worker).capabilities(["greet"]);
    o.register_agent(greeter.in_process(greet)).await?;
    let task = Task::new("welcome").requires(["greet"]).payload("world");
    println!("{}", o.execute(task).await?.into_result()?);

    // An agent anywhere else: it is told, works, and reports once.
    let python = AgentSpec::new("my_agent_001", Worker).capabilities(["python", "django"]);
    o.register_agent(python).await?;
    let task = Task::new("python_development").requires(["python"]);
    let delegation = o.delegate_task(task).await?;
    println!("{} works on {}", delegation.agent(), delegation.task());
    o.complete_task(&delegation, json!({"ok": true})).await?;

    println!("{} tasks succeeded", o.status().tasks.succeeded);
    Ok(())
}
