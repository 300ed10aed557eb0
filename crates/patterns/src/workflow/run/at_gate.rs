//! A step that waits for a decision.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use crate::context::OrchestrationContext;
use crate::orchestration::misfit;
use crate::result::{ErrorCategory, RetryAdvice, StepFailure, StepResult};
use crate::workflow::compiled::{Compiled, CompiledStep};
use crate::workflow::gate::{GATE_DEADLINE, GATES_MAX, GatePlan, GateView, Gates, OpenGate};

/// Opens a gate.
pub(super) fn opened(
    gates: &Gates,
    workflow: &Compiled,
    context: &OrchestrationContext,
    of: &CompiledStep,
    plan: &GatePlan,
    input: Value,
) -> Result<(OpenGate, Option<Instant>), StepFailure> {
    let deadline = Instant::now().checked_add(plan.deadline);
    let view = |id| GateView {
        id,
        workflow: workflow.name.clone(),
        step: of.name.clone(),
        request: context.request().as_str().to_owned(),
        question: plan.question.clone(),
        choices: Arc::clone(&plan.choices),
        input,
        default: plan.default.clone(),
        deadline: deadline.unwrap_or_else(|| Instant::now() + GATE_DEADLINE),
    };
    match gates.open(view) {
        Some(open) => Ok((open, deadline)),
        None => {
            let text = format!("{} gates wait, and no further one is opened", GATES_MAX);
            Err(StepFailure::new(ErrorCategory::Overloaded, text))
        }
    }
}

pub(super) async fn at_gate(
    context: &OrchestrationContext,
    of: &CompiledStep,
    mut open: OpenGate,
    plan: &GatePlan,
    deadline: Option<Instant>,
) -> StepResult {
    let ends = context.deadline();
    let first = [deadline, ends].into_iter().flatten().min();
    let timer = async {
        match first {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    let decision = tokio::select! {
        biased;
        decision = &mut open.decision => decision.ok(),
        () = context.cancellation().cancelled() => {
            let text = format!("{} was cancelled before a decision", of.name);
            return StepFailure::new(ErrorCategory::Cancelled, text).into();
        }
        () = timer => None,
    };
    let decision = match (decision, &plan.default) {
        (Some(decision), _) => decision,
        (None, Some(choice)) if deadline == first => open.default_to(choice),
        (None, _) => {
            let text = format!("nobody decided at {} in time", of.name);
            let failure = StepFailure::new(ErrorCategory::Timeout, text);
            return failure.with_retry(RetryAdvice::Never).into();
        }
    };
    StepResult::from(serde_json::to_value(decision).map_err(|e| misfit::<Value>("data", e)))
}
