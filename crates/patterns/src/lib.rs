//! Orchestrations on the orchestrator's public handle.
//!
//! An [`OrchestrationContext`] says for whom, until when and for how much; a [`StepResult`] says what came of it.
//! A [`Specialist`] is an agent of the orchestrator or a function, and a [`Step`].
//! Strategies run steps and are steps themselves: [`Sequential`], [`Parallel`], [`Adaptive`], [`Waves`], [`Fallback`], [`Race`], [`Quorum`], and [`MapReduce`] over a stream.
//! Resilience goes around a step and is one: [`Retry`], [`Guarded`], [`Throttled`], [`Hedged`], [`Routed`].
//! A [`Workflow`] is a graph of steps, described in Rust or read from a file, that is checked before anything runs.
//! A [`Facade`] calls any [`Orchestration`] by name. A [`CostTable`] says what a run cost.
//!
//! ```
//! use universal_orchestrator::{Amount, Limits, UniversalOrchestrator};
//! use universal_orchestrator_patterns::{OrchestrationContext, Parallel, Specialist, StepContext, StepFailure};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let orchestrator = UniversalOrchestrator::builder().start().await?;
//! let context = OrchestrationContext::builder(&orchestrator)
//!     .request("req-1")
//!     .budget(Limits::unlimited().with_tokens(100))
//!     .build()?;
//!
//! let lines = Specialist::function("lines", |text: String, step: StepContext| async move {
//!     step.charge(Amount::tokens(text.len() as u64))?;
//!     Ok::<_, StepFailure>(text.lines().count())
//! });
//! let words = Specialist::function("words", |text: String, _: StepContext| async move {
//!     Ok::<_, StepFailure>(text.split_whitespace().count())
//! });
//! let report = Parallel::new("count").step(lines).step(words).report(&context, "one two\nthree".to_owned()).await;
//! assert_eq!(report.found().collect::<Vec<_>>(), [("lines", &2), ("words", &3)]);
//! assert_eq!(report.cost().tokens, 13);
//! # Ok(())
//! # }
//! ```

mod contain;
mod context;
mod cost;
mod facade;
mod json_text;
mod lazy;
mod orchestration;
mod resilience;
mod result;
mod step;
mod strategy;
mod workflow;

pub use context::{
    ChildBuilder, ContextBuilder, ContextError, DEPTH_MAX, METADATA_MAX, OrchestrationContext,
    REQUEST_BYTES_MAX, RequestId, TraceContext, TraceError,
};
pub use cost::{CostRow, CostTable, Utilisation};
pub use facade::{
    CallRefusal, CallRefused, Facade, OrchestrationView, RegisterRefusal, RegisterRefused, Removed,
    UnknownOrchestration,
};
pub use json_text::{JSON_TEXT_BYTES_MAX, json_within};
pub use lazy::Lazy;
pub use orchestration::{
    Background, BackgroundError, Layer, Orchestration, OrchestrationKind, OrchestrationName,
    OrchestrationSpec, TASKS_MAX, orchestration_fn, step_orchestration,
};
pub use resilience::{
    ArmView, Breaker, Guarded, Hedged, Place, Provider, ProviderLimits, ProviderView, Rate, Retry,
    Routed, Throttled,
};
pub use result::{
    ErrorCategory, RetryAdvice, Severity, SkipReason, StepError, StepFailure, StepOutcome,
    StepResult,
};
pub use step::{STEP_TIMEOUT, SharedStep, Specialist, Step, StepContext};
pub use strategy::{
    Adaptive, AdaptiveCriteria, Assignment, Decision, Fallback, FallbackCounts, MapReduce, Mapped,
    Mode, NamedStep, OnFailure, Parallel, Quorum, Race, Reduced, Required, RunReport, STEPS_MAX,
    Sequential, StopReason, WaveLimits, WavePlanner, Waves,
};
pub use workflow::{
    Certainty, CriticalPath, DecideError, EXPRESSION_BYTES_MAX, FILE_BYTES_MAX, FileProblem,
    GATE_DEADLINE, GATES_MAX, GateDecision, GateId, GateView, Gates, ITERATIONS_MAX, Join,
    LINKS_MAX, Misfit, PROBLEMS_MAX, PROGRESS_MAX, Plan, PlannedStep, Problem, ProblemKind,
    Progress, ProgressEvent, ProgressKind, ProgressReader, Progressed, StepLibrary, StepOnFailure,
    TYPE_DEPTH_MAX, UnknownGateId, ValueType, Workflow, WorkflowBuilder, WorkflowErrors,
    WorkflowFileErrors, WorkflowReport, WorkflowSpec, WorkflowStep,
};
