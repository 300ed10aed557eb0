//! Orchestrations on the orchestrator's public handle.
//!
//! An [`OrchestrationContext`] says for whom, until when and for how much; a [`StepResult`] says what came of it.
//!
//! ```
//! use universal_orchestrator::{Limits, UniversalOrchestrator};
//! use universal_orchestrator_patterns::OrchestrationContext;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let orchestrator = UniversalOrchestrator::builder().start().await?;
//! let context = OrchestrationContext::builder(&orchestrator)
//!     .request("req-1")
//!     .tenant("ann")
//!     .budget(Limits::unlimited().with_tokens(1_000))
//!     .build()?;
//! let narrower = context.child().budget(Limits::unlimited().with_tokens(100)).build()?;
//! assert_eq!(narrower.depth(), 1);
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
    OrchestrationSpec, TASKS_MAX, orchestration_fn,
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
