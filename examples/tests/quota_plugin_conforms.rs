//! The plugins of the example `quota_plugin`, held to what a plugin must keep.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test fails it"
)]

use std::time::Duration;

use universal_orchestrator::plugin::{PluginSection, linked};
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, OrchestratorConfig, Refusal, Task, TaskContext,
    UniversalOrchestrator, agent_fn,
};

// The example is a program; its `main` runs as one, in `cargo xtask ci`.
#[path = "../examples/quota_plugin.rs"]
#[expect(dead_code, reason = "main is called by nobody here")]
mod example;

async fn orchestrator(tasks_per_minute: usize) -> UniversalOrchestrator {
    let section = format!("[plugins.quota]\ntasks_per_minute = {tasks_per_minute}");
    let config = OrchestratorConfig::from_toml_str(&section).unwrap();
    let orchestrator = UniversalOrchestrator::start(config).await.unwrap();
    let agent = agent_fn(async |(): (), _: TaskContext| Ok::<_, AgentError>(()));
    let spec = AgentSpec::new("a", AgentRole::Worker).capabilities(["x"]);
    let spec = spec.in_process(agent);
    orchestrator.register_agent(spec).await.unwrap();
    orchestrator
}

/// The code of the veto, when there was one.
async fn veto(orchestrator: &UniversalOrchestrator, tenant: &str) -> Option<String> {
    let task = Task::new("t").requires(["x"]).tenant(tenant);
    let refused = orchestrator.execute(task).await.err()?;
    let Refusal::Vetoed(veto) = refused.reason() else {
        panic!("{refused}");
    };
    assert_eq!(veto.plugin, "quota");
    Some(veto.code.to_string())
}

#[test]
fn both_are_linked_and_build_from_their_examples() {
    let linked = linked();
    let names: Vec<_> = linked.iter().map(|one| one.manifest().name()).collect();
    assert_eq!(names, ["quota", "tally"]);
    for descriptor in linked {
        let manifest = descriptor.manifest();
        let build = |toml: &str| {
            let section = PluginSection::from_toml(manifest.name(), toml).unwrap();
            descriptor.build(&section).map(drop)
        };
        build(manifest.example_section()).unwrap();
        let refused = build("no_such_key = 1").unwrap_err().to_string();
        assert!(refused.contains("no_such_key"), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_used_up_its_minute_is_vetoed_and_others_are_not() {
    let orchestrator = orchestrator(2).await;
    assert_eq!(veto(&orchestrator, "acme").await, None);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(veto(&orchestrator, "acme").await, None);
    let exhausted = Some("quota_exhausted".to_owned());
    assert_eq!(veto(&orchestrator, "acme").await, exhausted);
    assert_eq!(veto(&orchestrator, "umbrella").await, None);
    // The first is a minute old by then, the second is not.
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(veto(&orchestrator, "acme").await, None);
    assert_eq!(veto(&orchestrator, "acme").await, exhausted);

    let status = orchestrator.status();
    assert_eq!((status.tasks.accepted, status.tasks.refused), (4, 2));
    let vetoes: Vec<_> = status.plugins.iter().map(|one| one.vetoes).collect();
    assert_eq!(vetoes, [2, 0]);
    orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_section_holds_from_the_next_task_on_and_a_wrong_one_changes_nothing() {
    let orchestrator = orchestrator(0).await;
    assert!(veto(&orchestrator, "acme").await.is_some());
    let wrong = orchestrator.reconfigure_plugin("quota", "tasks_per_hour = 9");
    assert!(wrong.unwrap_err().to_string().contains("tasks_per_hour"));
    assert!(veto(&orchestrator, "acme").await.is_some());
    orchestrator
        .reconfigure_plugin("quota", "tasks_per_minute = 1")
        .unwrap();
    assert_eq!(veto(&orchestrator, "acme").await, None);
    orchestrator.shutdown().await;
}
