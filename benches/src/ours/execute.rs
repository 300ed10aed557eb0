//! Calls of agents in this process.

use std::sync::Arc;

use serde_json::Value;
use universal_orchestrator::{
    Agent, AgentError, OrchestratorConfig, Task, TaskContext, async_trait,
};

use crate::RoundTrip;
use crate::ours::{World, config, required, spec};

/// The agent of the benches: returns its payload.
#[derive(Debug, Clone, Copy)]
pub struct Echo;

#[async_trait]
impl Agent for Echo {
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError> {
        Ok(context.payload().clone())
    }
}

/// Executes no-ops on in-process agents.
#[derive(Debug, Clone)]
pub struct Execute {
    world: Arc<World>,
}

impl Execute {
    /// Starts an orchestrator with `agents` agents. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn setup(agents: usize) -> Self {
        Self::with_config(config(agents, 1_000), agents).await
    }

    /// As [`Execute::setup`], with another configuration.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn with_config(config: OrchestratorConfig, agents: usize) -> Self {
        let world = World::start(config).await;
        world
            .register((0..agents).map(|number| spec(number).in_process(Echo)))
            .await;
        Self { world }
    }

    /// Where it runs.
    #[must_use]
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }
}

impl RoundTrip for Execute {
    async fn call(&mut self, input: u64) -> u64 {
        let task = Task::new("bench")
            .requires_set(required(input))
            .payload(input);
        let outcome = self
            .world
            .orchestrator()
            .execute(task)
            .await
            .expect("the task is accepted");
        outcome
            .result()
            .as_u64()
            .expect("the agent returns its payload")
    }
}
