//! What these tests share.

pub(crate) use std::sync::Arc;
pub(crate) use std::time::Duration;

pub(crate) use universal_orchestrator::{
    AgentId, AgentRole, AgentSpec, Amount, Availability, FailureKind, OrchestratorConfig, Priority,
    Refusal, RetryPolicy, Task, TaskFailure, UniversalOrchestrator,
};
pub(crate) use universal_orchestrator_automation::{
    AUTOMATION, AutomationService, PlanState, SleepReason,
};
pub(crate) use universal_orchestrator_testkit::{
    Ending, PuppetAgent, ScriptedAgent, Step, TestWallClock, quiet_config, settle, test_builder,
};

pub(crate) type Service = Arc<dyn AutomationService>;

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One tick of the default length, and a bit.
pub(crate) async fn tick() {
    tokio::time::sleep(ms(1_001)).await;
    settle().await;
}

pub(crate) fn config_with(section: &str) -> OrchestratorConfig {
    let mut config = quiet_config();
    let table = section.parse().unwrap();
    let sections = &mut config.plugins.sections;
    sections.insert("automation".to_owned(), table);
    config
}

pub(crate) async fn start(config: OrchestratorConfig) -> (UniversalOrchestrator, Service) {
    let builder = test_builder(config).plugin_descriptor(&AUTOMATION);
    let orchestrator = builder.start().await.unwrap();
    let service = orchestrator.service::<dyn AutomationService>().unwrap();
    (orchestrator, service)
}

pub(crate) async fn with(section: &str) -> (UniversalOrchestrator, Service) {
    start(config_with(section)).await
}

pub(crate) fn spec(id: &str, capability: &str) -> AgentSpec {
    AgentSpec::new(id, AgentRole::Worker).capabilities([capability])
}

pub(crate) async fn agent(o: &UniversalOrchestrator, spec: AgentSpec) -> AgentId {
    o.register_agent(spec).await.unwrap()
}

pub(crate) async fn worker(o: &UniversalOrchestrator, id: &str, capability: &str) -> AgentId {
    agent(
        o,
        spec(id, capability).in_process(ScriptedAgent::succeeds(1)),
    )
    .await
}

pub(crate) fn task(capability: &str) -> Task {
    Task::new("work").requires([capability])
}

pub(crate) fn stands(o: &UniversalOrchestrator, id: &AgentId) -> Availability {
    o.agent(id).unwrap().availability
}

/// Runs a task and says who did it.
pub(crate) async fn done_by(o: &UniversalOrchestrator, task: Task) -> AgentId {
    let outcome = o.execute(task).await.unwrap();
    assert!(outcome.is_success(), "{outcome:?}");
    outcome.agent().unwrap().clone()
}

/// Binds a task to an external agent, and ends it.
pub(crate) async fn report(o: &UniversalOrchestrator, task: Task, failure: Option<TaskFailure>) {
    let delegation = o.delegate_task(task).await.unwrap();
    match failure {
        None => o.complete_task(&delegation, 1).await.unwrap(),
        Some(failure) => o.fail_task(&delegation, failure).await.unwrap(),
    }
}

pub(crate) fn veto_code(refused: &universal_orchestrator::Refused) -> &str {
    match refused.reason() {
        Refusal::Vetoed(veto) => &veto.code,
        other => panic!("no veto: {other}"),
    }
}
