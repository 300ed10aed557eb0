//! The code of MIGRATION_GUIDE.md.

use serde_json::json;
use universal_orchestrator::{
    AgentId, AgentRole, AgentSpec, Priority, Refusal, Task, TaskFailure, UniversalOrchestrator,
};

async fn bare() -> UniversalOrchestrator {
    UniversalOrchestrator::builder()
        .without_linked_plugins()
        .start()
        .await
        .expect("the defaults are valid")
}

async fn with_my_agent() -> UniversalOrchestrator {
    let orchestrator = bare().await;
    let spec = AgentSpec::new("my_agent_001", AgentRole::Worker);
    orchestrator
        .register_agent(spec.capabilities(["python", "django"]))
        .await
        .expect("it is the first");
    orchestrator
}

mod step_1_1 {
    use universal_orchestrator::{OrchestratorConfig, UniversalOrchestrator};

    #[tokio::main]
    async fn main() -> Result<(), Box<dyn std::error::Error>> {
        let orchestrator = UniversalOrchestrator::start(OrchestratorConfig::default()).await?;
        println!("{:?}", orchestrator.status().health_status);
        orchestrator.shutdown().await;
        Ok(())
    }

    #[test]
    fn it_starts() {
        main().unwrap();
    }
}

mod singleton {
    use tokio::sync::OnceCell;
    use universal_orchestrator::{OrchestratorConfig, StartError, UniversalOrchestrator};

    static ORCHESTRATOR: OnceCell<UniversalOrchestrator> = OnceCell::const_new();

    async fn get_universal_orchestrator() -> Result<UniversalOrchestrator, StartError> {
        let start = || UniversalOrchestrator::start(OrchestratorConfig::default());
        ORCHESTRATOR.get_or_try_init(start).await.cloned()
    }

    #[tokio::test]
    async fn it_is_the_same_each_time() {
        let first = get_universal_orchestrator().await.unwrap();
        let second = get_universal_orchestrator().await.unwrap();
        assert_eq!(
            first.status().orchestrator_id,
            second.status().orchestrator_id
        );
    }
}

mod step_1_2 {
    use universal_orchestrator::{Mode, OrchestratorConfig, UniversalOrchestrator};

    fn config() -> OrchestratorConfig {
        let mut config = OrchestratorConfig::for_mode(Mode::Production);
        config.max_agents = 100;
        config.max_concurrent_tasks = 1_000;
        config.max_agent_registration_ms = 100;
        config.max_task_delegation_ms = 500;
        config.max_system_initialization_ms = 2_000;
        config.max_memory_mb = 50;
        config
    }

    #[tokio::test]
    async fn code_and_toml_say_the_same() {
        let text = super::super::blocks(super::super::MIGRATION_GUIDE)
            .into_iter()
            .find(|(language, ..)| language == "toml")
            .unwrap()
            .2;
        assert_eq!(OrchestratorConfig::from_toml_str(&text).unwrap(), config());
        let orchestrator = UniversalOrchestrator::start(config()).await.unwrap();
        assert_eq!(orchestrator.config().max_agents, 100);
    }

    #[tokio::test]
    async fn a_plugin_that_is_not_linked_and_wanted_stops_the_start() {
        let mut config = config();
        config.enable_performance_plugin = Some(true);
        let error = UniversalOrchestrator::start(config).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("plugin \"performance\" is required and not linked"),
            "{text}"
        );
    }
}

mod step_1_2_environment {
    use std::path::Path;
    use universal_orchestrator::{ConfigError, OrchestratorConfig};

    fn config_of_this_process(file: &Path) -> Result<OrchestratorConfig, ConfigError> {
        OrchestratorConfig::load(Some(file))
    }

    #[test]
    fn a_file_that_is_named_must_exist() {
        let missing = Path::new("no-such-folder/orchestrator.toml");
        let refused = config_of_this_process(missing).unwrap_err();
        assert!(matches!(refused, ConfigError::Read { .. }), "{refused}");
    }

    #[test]
    fn the_environment_of_the_page_is_read() {
        let page = super::super::MIGRATION_GUIDE;
        let variables = [("UO_MAX_AGENTS", "200"), ("UO_QUEUE__MAX_TASKS", "5000")];
        for (name, value) in variables {
            assert!(page.contains(&format!("`{name}={value}`")), "{name}");
        }
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = OrchestratorConfig::load_from(None, variables).unwrap();
        assert_eq!((config.max_agents, config.queue.max_tasks), (200, 5_000));
    }
}

#[tokio::test(start_paused = true)]
async fn step_1_3_register() -> Result<(), Box<dyn std::error::Error>> {
    let orchestrator = bare().await;
    let agent = orchestrator
        .register_agent(
            AgentSpec::new("my_agent_001", AgentRole::Worker)
                .capabilities(["python", "javascript", "testing"])
                .metadata(json!({"version": "1.0", "specialization": "backend"})),
        )
        .await?;
    assert_eq!(agent.as_str(), "my_agent_001");
    let view = orchestrator.agent(&agent).expect("it was just registered");
    assert_eq!(view.metadata["specialization"], "backend");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn step_1_4_delegate() -> Result<(), Box<dyn std::error::Error>> {
    let orchestrator = with_my_agent().await;
    let delegation = orchestrator
        .delegate_task(
            Task::new("python_development")
                .id("task_001")
                .requires(["python", "django"])
                .priority(Priority::High)
                .metadata("project", "api_v2"),
        )
        .await?;
    assert_eq!(delegation.agent().as_str(), "my_agent_001");
    assert_eq!(delegation.attempt(), 1);

    let again = Task::new("python_development").requires(["python"]);
    if let Err(refused) = orchestrator.delegate_task(again).await {
        match refused.reason() {
            Refusal::AllBusy { .. } => {
                let handle = orchestrator.submit_task(refused.into_task()).await?;
                println!("{} waits for an agent", handle.id());
            }
            Refusal::NoCapableAgent { nearest, .. } => println!("nobody has {nearest:?}"),
            other => println!("refused: {other}"),
        }
    }
    assert_eq!(orchestrator.status().tasks.queued, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn step_1_5_complete() -> Result<(), Box<dyn std::error::Error>> {
    let orchestrator = with_my_agent().await;
    let task = || Task::new("python_development").requires(["python"]);
    let delegation = orchestrator.delegate_task(task()).await?;
    orchestrator
        .complete_task(
            &delegation,
            json!({"output": "Task completed successfully", "artifacts": ["file1.py"]}),
        )
        .await?;
    let delegation = orchestrator.delegate_task(task()).await?;
    orchestrator
        .fail_task(&delegation, TaskFailure::permanent("the tests do not pass"))
        .await?;
    let status = orchestrator.status();
    assert_eq!((status.tasks.succeeded, status.tasks.failed), (1, 1));

    let delegation = orchestrator.delegate_task(task().id("task_001")).await?;
    let delegation = universal_orchestrator::Delegation::new(
        "task_001".parse()?,
        "my_agent_001".parse()?,
        delegation.attempt(),
    );
    orchestrator.complete_task(&delegation, json!(null)).await?;
    let outcome = orchestrator.wait_task(delegation.task()).await?;
    assert!(outcome.is_success());
    Ok(())
}

mod in_process {
    use universal_orchestrator::{
        AgentError, AgentRole, AgentSpec, Task, TaskContext, UniversalOrchestrator, agent_fn,
    };

    async fn run_here(
        orchestrator: &UniversalOrchestrator,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let shout = agent_fn(|text: String, _: TaskContext| async move {
            Ok::<_, AgentError>(text.to_uppercase())
        });
        let spec = AgentSpec::new("shouter", AgentRole::Worker).capabilities(["shout"]);
        orchestrator.register_agent(spec.in_process(shout)).await?;

        let task = Task::new("shout").requires(["shout"]).payload("hello");
        let outcome = orchestrator.execute(task).await?;
        assert_eq!(outcome.result(), "HELLO");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn it_runs() {
        run_here(&super::bare().await).await.unwrap();
    }
}

mod step_3_1 {
    use universal_orchestrator::plugin::{
        HookContext, HookPoint, HookSet, Observed, Plugin, PluginContext, PluginDescriptor,
        PluginError, PluginHealth, PluginManifest, Shape, ShapeCall,
    };
    use universal_orchestrator::{TaskPatch, async_trait};

    struct CustomPlugin;

    #[async_trait]
    impl Plugin for CustomPlugin {
        /// Was `initialize`.
        async fn start(&self, _: PluginContext) -> Result<(), PluginError> {
            Ok(())
        }

        /// Was `pre_task_execution`.
        fn shape(&self, _: &HookContext<'_>, _: &ShapeCall<'_>) -> Shape {
            Shape::patch(TaskPatch {
                metadata: vec![("team".to_owned(), "billing".to_owned())],
                ..TaskPatch::default()
            })
        }

        /// Was `post_task_execution`.
        fn observe(&self, _: &HookContext<'_>, what: &Observed<'_>) {
            if let Observed::Completed { task, outcome } = what {
                println!("{} took {:?}", task.id(), outcome.run_time());
            }
        }

        /// Was `health_check`.
        fn health(&self) -> PluginHealth {
            PluginHealth::healthy()
        }

        /// Was `cleanup`.
        async fn stop(&self) {}
    }

    static CUSTOM_PLUGIN: PluginDescriptor = PluginDescriptor::new(
        PluginManifest::new(
            "custom_plugin",
            "Custom business logic plugin",
            HookSet::none()
                .shape(HookPoint::Submit)
                .observe(HookPoint::Complete),
        ),
        |_section| Ok(Box::new(CustomPlugin)),
    );

    use universal_orchestrator::{
        AgentError, AgentRole, AgentSpec, Task, TaskContext, UniversalOrchestrator, agent_fn,
    };

    #[tokio::test(start_paused = true)]
    async fn it_takes_part() -> Result<(), Box<dyn std::error::Error>> {
        let orchestrator = UniversalOrchestrator::builder()
            .plugin_descriptor(&CUSTOM_PLUGIN)
            .start()
            .await?;
        let agent = agent_fn(|_: (), context: TaskContext| async move {
            let team = context.task().metadata_value("team").map(str::to_owned);
            Ok::<_, AgentError>(team)
        });
        orchestrator
            .register_agent(AgentSpec::new("a", AgentRole::Worker).in_process(agent))
            .await?;
        let outcome = orchestrator.execute(Task::new("x")).await?;
        assert_eq!(outcome.result(), "billing");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn step_3_2_status() -> Result<(), Box<dyn std::error::Error>> {
    let orchestrator = with_my_agent().await;
    let status = orchestrator.status();

    let health = status.health_status; // healthy, degraded, unhealthy, critical
    let active_alerts = status.critical_alerts;

    let avg_response_time = status.performance.average_task_duration_ms;
    let error_rate = status.performance.error_rate_percent;

    let total_agents = status.agents.total;
    let busy_agents = status.agents.busy;
    let utilization = match total_agents {
        0 => 0.0,
        total => busy_agents as f64 / total as f64 * 100.0,
    };
    println!("{health:?} {active_alerts} {avg_response_time} {error_rate} {utilization}");
    let document = serde_json::to_value(orchestrator.status())?;
    assert_eq!(document["health_status"], "healthy");
    assert_eq!(document["agents"]["by_role"]["worker"], 1);
    Ok(())
}

/// Keys of the old document that the new one keeps; the guide lists the others.
const KEPT: [&str; 20] = [
    "orchestrator_id",
    "mode",
    "uptime_seconds",
    "health_status",
    "health_issues",
    "critical_alerts",
    "agents.total",
    "agents.active",
    "agents.busy",
    "agents.by_role",
    "tasks.active",
    "tasks.completed_total",
    "tasks.error_total",
    "performance.average_task_duration_ms",
    "performance.error_rate_percent",
    "performance.cpu_usage_percent",
    "performance.memory_usage_percent",
    "circuit_breakers",
    "capabilities_index",
    "timestamp_ms",
];

#[tokio::test(start_paused = true)]
async fn every_kept_status_key_is_there_and_in_the_guide() {
    let document = serde_json::to_value(bare().await.status()).unwrap();
    for key in KEPT {
        let pointer = format!("/{}", key.replace('.', "/"));
        assert!(document.pointer(&pointer).is_some(), "{key}");
        assert!(
            super::MIGRATION_GUIDE.contains(&format!("| `{key}` |")),
            "{key}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn load_test() -> Result<(), Box<dyn std::error::Error>> {
    let orchestrator = UniversalOrchestrator::builder().start().await?;
    for i in 0..60 {
        let spec = AgentSpec::new(format!("load_agent_{i:03}"), AgentRole::Worker);
        orchestrator
            .register_agent(spec.capabilities(["python", "load_test"]))
            .await?;
    }
    let tasks = (0..100).map(|i| {
        Task::new("load_test")
            .id(format!("load_task_{i:03}"))
            .requires(["python"])
    });

    let mut waiting = Vec::new();
    let mut delegations = Vec::new();
    for result in orchestrator.delegate_tasks(tasks.collect()).await {
        match result {
            Ok(delegation) => delegations.push(delegation),
            Err(refused) => waiting.push(refused.into_task()),
        }
    }
    assert_eq!((delegations.len(), waiting.len()), (60, 40));

    let queued = orchestrator.submit_tasks(waiting).await;
    assert!(queued.iter().all(Result::is_ok));
    for delegation in &delegations {
        orchestrator.complete_task(delegation, json!(null)).await?;
    }
    let wait = std::time::Duration::from_secs(1);
    let agent = AgentId::new("load_agent_000")?;
    while let Some(pulled) = orchestrator.next_task(&agent, wait).await? {
        let delegation = pulled.delegation();
        orchestrator
            .complete_task(delegation, json!("done"))
            .await?;
    }
    assert_eq!(orchestrator.status().tasks.succeeded, 100);
    orchestrator.shutdown().await;
    Ok(())
}
