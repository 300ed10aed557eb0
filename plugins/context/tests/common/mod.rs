//! What the tests share.
#![allow(dead_code, reason = "no test uses all of it")]

use std::sync::Arc;

use parking_lot::Mutex;
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, Task, TaskContext, UniversalOrchestrator, Value, agent_fn,
};
use universal_orchestrator_context::{
    AssembledContext, ContextConfig, ContextFault, ContextPlugin, ContextService, SessionId,
};
use universal_orchestrator_testkit::{quiet_config, test_builder};

pub(crate) async fn orchestrator(toml: &str) -> UniversalOrchestrator {
    let config: ContextConfig = toml::from_str(toml).unwrap();
    let plugin = ContextPlugin::new(config).unwrap();
    let builder = test_builder(quiet_config()).plugin(ContextPlugin::MANIFEST, plugin);
    builder.start().await.unwrap()
}

pub(crate) fn service(orchestrator: &UniversalOrchestrator) -> Arc<ContextService> {
    orchestrator.service::<ContextService>().unwrap()
}

pub(crate) fn session(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

/// What an agent was shown, one entry for each attempt.
pub(crate) type Seen = Arc<Mutex<Vec<Option<Arc<AssembledContext>>>>>;

/// An agent that writes down its context and answers with its payload; one that is the text `fail` it fails.
pub(crate) async fn reader(orchestrator: &UniversalOrchestrator, name: &str) -> Seen {
    let seen = Seen::default();
    let keep = Arc::clone(&seen);
    let agent = agent_fn(move |payload: Value, context: TaskContext| {
        let keep = Arc::clone(&keep);
        async move {
            keep.lock()
                .push(context.extensions().get::<AssembledContext>());
            match payload.as_str() {
                Some("fail") => Err(AgentError::permanent("the disk is full")),
                _ => Ok::<_, AgentError>(payload),
            }
        }
    });
    let spec = AgentSpec::new(name, AgentRole::Worker).capabilities([name]);
    orchestrator
        .register_agent(spec.in_process(agent))
        .await
        .unwrap();
    seen
}

/// An agent that answers with the fault that it found.
pub(crate) async fn fault_reader(orchestrator: &UniversalOrchestrator, name: &str) {
    let agent = agent_fn(|_: Value, context: TaskContext| async move {
        let fault = context.extensions().get::<ContextFault>();
        Ok::<_, AgentError>(fault.map(|fault| fault.to_string()))
    });
    let spec = AgentSpec::new(name, AgentRole::Worker).capabilities([name]);
    orchestrator
        .register_agent(spec.in_process(agent))
        .await
        .unwrap();
}

pub(crate) fn task(agent: &str, session: &str, payload: impl Into<Value>) -> Task {
    Task::new("work")
        .requires([agent])
        .payload(payload.into())
        .metadata("context.session", session)
}
