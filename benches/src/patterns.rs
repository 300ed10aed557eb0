//! Orchestrations: five no-op specialists through the facade, and a call of the facade itself.
//!
//! Per run: a context with a budget (a run of the ledger, opened and closed) and a deadline, the call by name, a budget reservation and
//! a bill for each specialist, the report as JSON. The agents, the facade and its orchestrations are made before.

use std::time::Duration;

use serde_json::Value;
use universal_orchestrator::{Limits, OrchestratorConfig, UniversalOrchestrator};
use universal_orchestrator_patterns::{
    Facade, Layer, OrchestrationContext, OrchestrationKind, OrchestrationSpec, Parallel,
    Sequential, Specialist, StepContext, StepFailure, StepResult, orchestration_fn,
};

use crate::RoundTrip;

/// The specialists of a fan-out.
pub const SPECIALISTS: usize = 5;

/// A facade with the orchestrations `parallel`, `sequential` and `no_op`. A clone is another caller of the same facade.
#[derive(Debug, Clone)]
pub struct Orchestrations {
    orchestrator: UniversalOrchestrator,
    facade: Facade,
    /// What a fan-out is called by.
    name: &'static str,
}

fn no_op(n: usize) -> Specialist<u64, u64> {
    Specialist::function(format!("s{n}"), |input: u64, _: StepContext| async move {
        Ok::<_, StepFailure>(input)
    })
}

/// What a strategy found, added up: every specialist answers with its input.
fn sum(report: &universal_orchestrator_patterns::RunReport<u64>) -> StepResult<u64> {
    StepResult::success(report.found().map(|(_, answer)| *answer).sum())
}

impl Orchestrations {
    /// Starts an orchestrator and registers the orchestrations. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when one is refused.
    pub async fn setup(name: &'static str) -> Self {
        let (builder, _metrics) = crate::ours::builder(OrchestratorConfig::default());
        let orchestrator = builder.start().await.expect("the defaults are valid");
        let facade = Facade::new();
        let spec = |name, kind| OrchestrationSpec::new(name, Layer::Application, kind);
        let parallel = (0..SPECIALISTS).fold(Parallel::new("p"), |all, n| all.step(no_op(n)));
        let parallel = std::sync::Arc::new(parallel);
        let parallel = orchestration_fn(move |input: u64, context: OrchestrationContext| {
            let parallel = std::sync::Arc::clone(&parallel);
            async move { sum(&parallel.report(&context, input).await) }
        });
        let sequential = (0..SPECIALISTS).fold(Sequential::new("s"), |all, n| all.step(no_op(n)));
        let sequential = std::sync::Arc::new(sequential);
        let sequential = orchestration_fn(move |input: u64, context: OrchestrationContext| {
            let sequential = std::sync::Arc::clone(&sequential);
            async move { sum(&sequential.report(&context, input).await) }
        });
        let nothing = orchestration_fn(|input: Value, _: OrchestrationContext| async move {
            StepResult::success(input)
        });
        let registered = "the names are new";
        let as_parallel = spec("parallel", OrchestrationKind::Parallel);
        facade
            .register(as_parallel, parallel)
            .await
            .expect(registered);
        let as_sequential = spec("sequential", OrchestrationKind::Sequential);
        facade
            .register(as_sequential, sequential)
            .await
            .expect(registered);
        let as_no_op = spec("no_op", OrchestrationKind::Coordination);
        facade.register(as_no_op, nothing).await.expect(registered);
        Self {
            orchestrator,
            facade,
            name,
        }
    }

    fn context(&self) -> OrchestrationContext {
        OrchestrationContext::builder(&self.orchestrator)
            .request("bench")
            .deadline_in(Duration::from_secs(60))
            .budget(Limits::unlimited().with_tokens(1_000_000).with_calls(1_000))
            .build()
            .expect("the parts are valid")
    }
}

/// One run of five specialists, with a context of its own.
impl RoundTrip for Orchestrations {
    async fn call(&mut self, input: u64) -> u64 {
        let context = self.context();
        let call = self.facade.orchestrate(self.name, &context, input.into());
        let result = call.await.expect("there is a place");
        let sum = result.data().and_then(Value::as_u64);
        // Wraps as the sum does not: inputs of the benches are small.
        sum.map_or(u64::MAX, |sum| sum / SPECIALISTS as u64)
    }
}

/// A call of the facade alone: one context for all calls, and an orchestration that returns its input.
#[derive(Debug, Clone)]
pub struct FacadeCall {
    inner: Orchestrations,
    context: OrchestrationContext,
}

impl FacadeCall {
    /// As [`Orchestrations::setup`].
    ///
    /// # Panics
    ///
    /// As [`Orchestrations::setup`].
    pub async fn setup() -> Self {
        let inner = Orchestrations::setup("no_op").await;
        let context = inner.context();
        Self { inner, context }
    }
}

impl RoundTrip for FacadeCall {
    async fn call(&mut self, input: u64) -> u64 {
        let call = self
            .inner
            .facade
            .orchestrate("no_op", &self.context, input.into());
        let result = call.await.expect("there is a place");
        result.data().and_then(Value::as_u64).unwrap_or(u64::MAX)
    }
}

/// The floor of a fan-out: five tasks of a `JoinSet`, without context, budget, deadline or names.
#[derive(Debug, Clone, Copy)]
pub struct JoinSetFloor;

impl RoundTrip for JoinSetFloor {
    async fn call(&mut self, input: u64) -> u64 {
        let mut set = tokio::task::JoinSet::new();
        for _ in 0..SPECIALISTS {
            set.spawn(async move { input });
        }
        let mut sum = 0;
        while let Some(answer) = set.join_next().await {
            sum += answer.expect("a no-op does not panic");
        }
        sum / SPECIALISTS as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drive, runtime};

    #[test]
    fn the_contestants_answer() {
        let rt = runtime();
        for name in ["parallel", "sequential"] {
            let op = rt.block_on(Orchestrations::setup(name));
            let _ = drive(&rt, 500, 1, &op);
        }
        let op = rt.block_on(FacadeCall::setup());
        let _ = drive(&rt, 500, 1, &op);
        let _ = drive(&rt, 500, 1, &JoinSetFloor);
    }
}
