//! The facade: names, layers, places, lifecycle, and panics that stay inside.

#![expect(
    clippy::panic,
    reason = "orchestrations that panic are part of what is tested"
)]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod lazy;
mod lifecycle;
mod r2;

use serde_json::Value;
use universal_orchestrator_patterns::{
    Layer, OrchestrationContext, OrchestrationKind, OrchestrationSpec, StepResult, orchestration_fn,
};

pub(crate) fn spec(name: &str) -> OrchestrationSpec {
    OrchestrationSpec::new(name, Layer::Domain, OrchestrationKind::Sequential)
}

pub(crate) fn echo() -> impl universal_orchestrator_patterns::Orchestration {
    orchestration_fn(
        |input: Value, _: OrchestrationContext| async move { StepResult::success(input) },
    )
}
