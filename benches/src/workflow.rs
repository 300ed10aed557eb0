//! A workflow of no-op steps.
//!
//! Per run: a context with a budget (a run of the ledger, opened and closed) and a deadline, and for each step its input read from a step before it, a budget
//! reservation and a bill, its result checked against its type, and its place in the report. The workflow is checked and built before.

use std::time::Duration;

use serde_json::Value;
use universal_orchestrator::{Limits, OrchestratorConfig, UniversalOrchestrator};
use universal_orchestrator_patterns::{
    OrchestrationContext, Specialist, StepContext, StepFailure, ValueType, Workflow, WorkflowStep,
};

use crate::RoundTrip;

/// The layers, and the steps of each.
const LAYERS: usize = 10;
const WIDTH: usize = 100;

/// A layered graph of 1,000 no-op steps; each depends on three of the layer before and reads from one of them.
#[derive(Debug, Clone)]
pub struct LayeredWorkflow {
    orchestrator: UniversalOrchestrator,
    workflow: Workflow,
}

impl LayeredWorkflow {
    /// Starts an orchestrator and builds the workflow. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when one is refused.
    pub async fn setup() -> Self {
        let (builder, _metrics) = crate::ours::builder(OrchestratorConfig::default());
        let orchestrator = builder.start().await.expect("the defaults are valid");
        let mut workflow = Workflow::builder("layered").takes(ValueType::Integer);
        for layer in 0..LAYERS {
            for place in 0..WIDTH {
                let name = format!("s{layer}_{place}");
                let no_op =
                    Specialist::function(name.as_str(), |n: u64, _: StepContext| async move {
                        Ok::<_, StepFailure>(n)
                    });
                let step = WorkflowStep::run(name, no_op)
                    .takes(ValueType::Integer)
                    .gives(ValueType::Integer);
                let before = |n: usize| format!("s{}_{}", layer - 1, (place + n) % WIDTH);
                workflow = workflow.step(match layer {
                    0 => step.input_whole("input"),
                    _ => step
                        .input_whole(format!("steps.{}", before(0)))
                        .needs([before(1), before(7)]),
                });
            }
        }
        let last = format!("steps.s{}_0", LAYERS - 1);
        let workflow = workflow.output("n", last).build().expect("it is valid");
        Self {
            orchestrator,
            workflow,
        }
    }
}

/// One run of all steps, with a context of its own.
impl RoundTrip for LayeredWorkflow {
    async fn call(&mut self, input: u64) -> u64 {
        let context = OrchestrationContext::builder(&self.orchestrator)
            .request("bench")
            .deadline_in(Duration::from_secs(60))
            .budget(
                Limits::unlimited()
                    .with_tokens(1_000_000)
                    .with_calls(10_000),
            )
            .build()
            .expect("the parts are valid");
        let report = self.workflow.report(&context, input.into()).await;
        let complete = report.run().is_complete();
        let answer = report.outputs().get("n").and_then(Value::as_u64);
        answer.filter(|_| complete).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drive, runtime};

    #[test]
    fn it_answers() {
        let rt = runtime();
        let op = rt.block_on(LayeredWorkflow::setup());
        let _ = drive(&rt, 5, 1, &op);
    }
}
