//! Workflows: what is refused before anything runs, and what a run promises.

#[path = "../common/mod.rs"]
mod common;

mod checks;
mod failures;
mod files;
mod gates;
mod loops;
mod plans;
mod properties;
mod runs;
mod size;

use serde_json::Value;
use universal_orchestrator_patterns::{
    Specialist, StepContext, StepFailure, Workflow, WorkflowBuilder, WorkflowErrors,
    WorkflowReport, WorkflowStep,
};

/// A function that answers with its input.
pub(crate) fn echo(name: &str) -> Specialist<Value, Value> {
    Specialist::function(name, |input: Value, _: StepContext| async move {
        Ok::<_, StepFailure>(input)
    })
}

/// A function that answers with a constant after so many milliseconds.
pub(crate) fn gives(name: &str, ms: u64, answer: Value) -> Specialist<Value, Value> {
    Specialist::function(name, move |_: Value, _: StepContext| {
        let answer = answer.clone();
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
            Ok::<_, StepFailure>(answer)
        }
    })
}

/// A function that fails for good.
pub(crate) fn fails(name: &str) -> Specialist<Value, Value> {
    Specialist::function(name, |_: Value, _: StepContext| async move {
        Err::<Value, _>(StepFailure::permanent("told to fail"))
    })
}

/// A step that gives a constant at once.
pub(crate) fn constant(name: &str, answer: Value) -> WorkflowStep {
    WorkflowStep::run(name, gives(name, 0, answer))
}

pub(crate) fn built(builder: WorkflowBuilder) -> Workflow {
    builder.build().expect("it is valid")
}

pub(crate) fn errors(builder: WorkflowBuilder) -> WorkflowErrors {
    builder.build().expect_err("it has problems")
}

/// What is wrong, place by place.
pub(crate) fn said(builder: WorkflowBuilder) -> Vec<String> {
    let errors = errors(builder);
    errors.problems().iter().map(ToString::to_string).collect()
}

/// The status of each step, with the reason of those that were skipped.
pub(crate) fn statuses(report: &WorkflowReport) -> Vec<(String, String)> {
    let steps = report.run().steps().iter();
    let status = |step: &universal_orchestrator_patterns::NamedStep<Value>| {
        let result = step.result();
        match (result.failure(), result.skip_reason()) {
            (Some(failure), _) => failure.to_string(),
            (_, Some(reason)) => format!("skipped: {reason}"),
            _ => "success".to_owned(),
        }
    };
    steps.map(|s| (s.name().to_owned(), status(s))).collect()
}

pub(crate) fn status(report: &WorkflowReport, step: &str) -> String {
    let all = statuses(report);
    let found = all.into_iter().find(|(name, _)| name == step);
    found.expect("there is such a step").1
}

/// The data of a step; null when it gave none.
pub(crate) fn data(report: &WorkflowReport, step: &str) -> Value {
    let result = report.step(step).expect("there is such a step");
    result.data().cloned().unwrap_or_default()
}
