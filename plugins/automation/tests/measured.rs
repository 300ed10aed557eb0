//! What the plugin does is counted in the orchestrator's recorder, without the name of any agent or task.

use std::collections::BTreeSet;

use metrics_util::debugging::DebuggingRecorder;
use universal_orchestrator::{AgentRole, AgentSpec, Priority, Task, TaskFailure};
use universal_orchestrator_automation::{AUTOMATION, AutomationMetric};
use universal_orchestrator_testkit::{quiet_config, settle, test_builder};

const SECTION: &str = r#"
tick_ms = 100
[sleep]
enabled = true
inactivity_ms = 1000
min_awake = 0
min_ms = 500
[breakers]
enabled = true
minimum_calls = 1
[recovery]
tiers = ["ask"]
proof_tasks = 1
[shedding]
enabled = true
depth_low = 1
[limiter]
enabled = true
concurrency_min = 3
capabilities = ["x"]
[[rules]]
name = "r"
when = "task_failed"
then = { action = "notify", text = "t" }
"#;

struct Fails;

#[async_trait::async_trait]
impl universal_orchestrator_automation::AgentFactory for Fails {
    async fn create(
        &self,
        _: u64,
    ) -> Result<AgentSpec, universal_orchestrator_automation::FactoryError> {
        Err(universal_orchestrator_automation::FactoryError::new("none"))
    }
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_emitted_and_no_label_names_an_agent_or_a_task() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let mut config = quiet_config();
    config.hooks.control_depth_max = 1;
    let section = SECTION.parse().unwrap();
    config
        .plugins
        .sections
        .insert("automation".to_owned(), section);
    let builder = test_builder(config).metrics_recorder(recorder);
    let o = builder
        .plugin_descriptor(&AUTOMATION)
        .start()
        .await
        .unwrap();
    let service = o.service::<dyn universal_orchestrator_automation::AutomationService>();
    let group =
        universal_orchestrator_automation::ScalingGroup::new("g", std::sync::Arc::new(Fails));
    service.unwrap().add_group(group).unwrap();
    let spec = AgentSpec::new("secret-agent", AgentRole::Worker).capabilities(["x"]);
    o.register_agent(spec).await.unwrap();
    let task = || Task::new("secret-type").requires(["x"]);
    // The alert of the question takes the only place of the command queue, so that of the rule finds none.
    for fails in [true, false] {
        let other = Task::new(if fails { "other" } else { "third" }).requires(["x"]);
        let d = o
            .delegate_task(other.id(format!("secret-{fails}")))
            .await
            .unwrap();
        match fails {
            true => o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap(),
            false => o.complete_task(&d, 1).await.unwrap(),
        }
        settle().await;
    }
    let waiting = o.submit_task(task()).await.unwrap();
    assert!(o.submit_task(task().priority(Priority::Low)).await.is_err());
    waiting.cancel();
    tokio::time::sleep(std::time::Duration::from_millis(3_000)).await;
    o.shutdown().await;

    let mut seen = BTreeSet::new();
    for (key, _, _, _) in snapshotter.snapshot().into_vec() {
        let key = key.key();
        for label in key.labels() {
            assert!(!label.value().contains("secret"), "{key}");
        }
        seen.insert(key.name().to_owned());
    }
    for metric in AutomationMetric::ALL {
        assert!(
            seen.contains(metric.as_str()),
            "{metric:?} is never emitted: {seen:?}"
        );
    }
}
