//! An orchestrator with its subscriber and its metrics.

use std::sync::{Arc, Mutex};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use universal_orchestrator::{
    AgentSpec, EventStream, OrchestratorBuilder, OrchestratorConfig, Principal,
    UniversalOrchestrator,
};

/// The default configuration with room for so many agents and so many tasks, queued and at work.
#[must_use]
pub fn config(agents: usize, tasks: usize) -> OrchestratorConfig {
    let mut config = OrchestratorConfig::default();
    config.max_agents = config.max_agents.max(agents);
    config.max_concurrent_tasks = config.max_concurrent_tasks.max(tasks);
    config.queue.max_tasks = config.queue.max_tasks.max(tasks);
    config
}

/// An orchestrator to be started, with a recorder and without linked plugins.
pub fn builder(config: OrchestratorConfig) -> (OrchestratorBuilder, PrometheusHandle) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let builder = UniversalOrchestrator::builder()
        .config(config)
        .without_linked_plugins()
        .metrics_recorder(recorder);
    (builder, metrics)
}

/// A running orchestrator with its subscriber and its metrics.
#[derive(Debug)]
pub struct World {
    orchestrator: UniversalOrchestrator,
    events: Mutex<EventStream>,
    metrics: PrometheusHandle,
}

impl World {
    /// Starts an orchestrator. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn start(config: OrchestratorConfig) -> Arc<Self> {
        Self::start_with(config, |builder| builder).await
    }

    /// As [`World::start`], with something added to the builder.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn start_with(
        config: OrchestratorConfig,
        add: impl FnOnce(OrchestratorBuilder) -> OrchestratorBuilder,
    ) -> Arc<Self> {
        let (builder, metrics) = builder(config);
        let orchestrator = add(builder).start().await.expect("the defaults are valid");
        Self::of(orchestrator, metrics)
    }

    /// What is called through this handle.
    ///
    /// # Panics
    ///
    /// Panics when the principal is none.
    #[must_use]
    pub fn called_by(&self, principal: Principal) -> Arc<Self> {
        let orchestrator = self.orchestrator.as_principal(principal);
        Self::of(
            orchestrator.expect("a principal is one"),
            self.metrics.clone(),
        )
    }

    fn of(orchestrator: UniversalOrchestrator, metrics: PrometheusHandle) -> Arc<Self> {
        let events = Mutex::new(orchestrator.events());
        Arc::new(Self {
            orchestrator,
            events,
            metrics,
        })
    }

    /// The orchestrator.
    #[must_use]
    pub const fn orchestrator(&self) -> &UniversalOrchestrator {
        &self.orchestrator
    }

    /// Registers agents.
    ///
    /// # Panics
    ///
    /// Panics when one is refused.
    pub async fn register(&self, specs: impl IntoIterator<Item = AgentSpec>) {
        for spec in specs {
            self.orchestrator
                .register_agent(spec)
                .await
                .expect("the agents are valid and there is room");
        }
    }

    /// What happens beside a program's work: the subscriber reads what is left for it, the recorder merges its samples.
    ///
    /// # Panics
    ///
    /// Panics when an earlier call did.
    pub fn tidy(&self) {
        let mut events = self.events.lock().expect("no call panics");
        while events.try_next().is_some() {}
        self.metrics.run_upkeep();
    }
}
