//! The code of docs/subprocess-agents.md. The processes are real, and so is the time.

use serde_json::json;
use universal_orchestrator::{Task, UniversalOrchestrator};

async fn register(
    orchestrator: &UniversalOrchestrator,
    key: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    use universal_orchestrator::{AgentRole, AgentSpec, SubprocessAgent};

    let agent = SubprocessAgent::new("/usr/local/bin/summarise")
        .args(["--model", "small"])
        .env_clear()
        .env("API_KEY", key);
    let spec = AgentSpec::new("summariser", AgentRole::Worker)
        .capabilities(["summarise"])
        .concurrency(4);
    orchestrator.register_agent(spec.in_process(agent)).await?;
    Ok(())
}

async fn bare() -> UniversalOrchestrator {
    UniversalOrchestrator::builder()
        .without_linked_plugins()
        .start()
        .await
        .expect("the defaults are valid")
}

/// The page's program is not on this machine, which is an error that names it.
#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let orchestrator = bare().await;
    register(&orchestrator, "secret").await.unwrap();
    let task = Task::new("summary").requires(["summarise"]);
    let outcome = orchestrator.execute(task).await.unwrap();
    let failure = outcome.failure().unwrap().to_string();
    assert!(failure.contains("/usr/local/bin/summarise"), "{failure}");
    assert!(!failure.contains("secret"), "{failure}");
}

#[tokio::test]
async fn the_agent_in_sh_counts_words() {
    use universal_orchestrator::{AgentRole, AgentSpec, SubprocessAgent};

    let (_, _, script) = super::blocks(super::SUBPROCESS_AGENTS)
        .into_iter()
        .find(|(language, _, text)| language == "sh" && text.starts_with("#!"))
        .expect("the page has a program");
    let orchestrator = bare().await;
    let agent = SubprocessAgent::new("sh").arg("-c").arg(script);
    let spec = AgentSpec::new("words", AgentRole::Worker).in_process(agent);
    orchestrator.register_agent(spec).await.unwrap();
    let count = |payload| orchestrator.execute(Task::new("count").payload(payload));
    let outcome = count(json!("some text of five words")).await.unwrap();
    assert_eq!(outcome.result(), &json!({"words": 5}));
    let outcome = count(json!(5)).await.unwrap();
    let failure = outcome.failure().unwrap().to_string();
    assert!(failure.contains("payload is not a text"), "{failure}");
}
