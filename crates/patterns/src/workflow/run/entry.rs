//! How a workflow is called: by itself, as a step, and by name.

use async_trait::async_trait;
use serde_json::Value;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::orchestration::{Orchestration, misfit};
use crate::result::StepResult;
use crate::step::Step;
use crate::workflow::compiled::Workflow;
use crate::workflow::report::WorkflowReport;
use crate::workflow::run::drive;

impl Workflow {
    /// Runs it. The report has a result for every step, in the order in which they were added.
    ///
    /// A [`Progress`](crate::Progress) and [`Gates`](crate::Gates) that the context carries are used.
    ///
    /// # Cancel safety
    /// Dropping the future drops the steps at work; their gates are over.
    pub async fn report(&self, context: &OrchestrationContext, input: Value) -> WorkflowReport {
        Box::pin(drive(&self.0, context, input)).await
    }
}

/// Its data are the outputs of the workflow.
#[async_trait]
impl Step<Value, Value> for Workflow {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn estimate(&self) -> Amount {
        let each = self.0.steps.iter().map(|step| step.estimate);
        each.fold(Amount::default(), |sum, one| sum.plus(&one))
    }

    async fn run(&self, context: &OrchestrationContext, input: Value) -> StepResult {
        let report = self.report(context, input).await;
        let result = report.into_step();
        result.map(|report| Value::Object(report.into_outputs()))
    }
}

/// Its data are the report.
#[async_trait]
impl Orchestration for Workflow {
    async fn orchestrate(&self, context: &OrchestrationContext, input: Value) -> StepResult {
        let report = self.report(context, input).await;
        report
            .into_step()
            .and_then(|report| serde_json::to_value(report).map_err(|e| misfit::<Value>("data", e)))
    }

    fn accepts(&self, _: &OrchestrationContext, input: &Value) -> Result<(), String> {
        let checked = self.0.takes.check(input);
        checked.map_err(|misfit| format!("the input does not fit: {misfit}"))
    }
}
