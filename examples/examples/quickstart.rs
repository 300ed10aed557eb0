//! The shortest useful program, which the README shows: one orchestrator, one agent, one task.
//!
//! ```text
//! cargo run --example quickstart
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use universal_orchestrator::{
    AgentError, AgentRole::Worker, AgentSpec, Task, UniversalOrchestrator, agent_fn,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let o = UniversalOrchestrator::builder().start().await?;

    // An agent is registered with what it can do, a task asks for what it needs.
    let greet = agent_fn(async |name: String, _| Ok::<_, AgentError>(format!("hello {name}")));
    let greeter = AgentSpec::new("greeter", Worker).capabilities(["greet"]);
    o.register_agent(greeter.in_process(greet)).await?;
    let task = Task::new("welcome").requires(["greet"]).payload("world");

    println!("{}", o.execute(task).await?.into_result()?);
    println!("{} task succeeded", o.status().tasks.succeeded);
    Ok(())
}
