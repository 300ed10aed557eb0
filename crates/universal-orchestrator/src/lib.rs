//! One orchestrator, in code, for all agents: register who can work, delegate what must be done, complete it once, and see what happened.
//!
//! Start at [`UniversalOrchestrator`]. Agents are described by [`AgentSpec`], tasks by [`Task`], plugins by [`plugin::Plugin`].
//!
//! What these show of other crates stands here too, so that a program needs no dependency of its own for it:
//! [`Decimal`] of `rust_decimal` in [`Amount`] and [`Limits`], [`CancellationToken`] of `tokio_util` in [`TaskContext::cancellation`],
//! [`Instant`] of `tokio` in deadlines, [`Value`] and [`json!`] of `serde_json` in payloads and results,
//! [`Table`] of `toml` in [`config::PluginsConfig`], [`Recorder`] of `metrics` in [`OrchestratorBuilder::metrics_recorder`],
//! and [`async_trait`](macro@async_trait) for [`Agent`] and [`plugin::Plugin`].

pub mod config;
pub mod metrics;
pub mod plugin;

mod agent;
mod breaker;
mod budget;
mod capability;
mod clock;
mod engine;
mod event;
mod id;
mod orchestrator;
mod principal;
mod routing;
mod status;
mod task;

pub use ::metrics::Recorder;
pub use agent::{
    Agent, AgentCallError, AgentChange, AgentError, AgentFault, AgentFilter, AgentRole, AgentSpec,
    AgentView, Availability, Intent, RegisterRefusal, RegisterRefused, Reservation,
    SubprocessAgent, TaskContext, agent_fn,
};
pub use async_trait::async_trait;
pub use breaker::{BreakerSettings, BreakerState, CircuitBreaker};
pub use budget::{AccountId, AccountView, Amount, BudgetError, Limits, Unit};
pub use capability::{CapabilitySet, Labels};
pub use clock::{SystemWallClock, WallClock};
pub use config::{ConfigError, Mode, OrchestratorConfig};
pub use event::{Event, EventRecord, EventStream};
pub use id::{
    AgentId, Capability, ID_BYTES_MAX, IdError, IdErrorOrNever, Key, PrincipalName, RunId, TaskId,
    TaskType, Tenant,
};
pub use orchestrator::{
    NotRetained, OrchestratorBuilder, ProgressStream, PulledTask, ShutdownReport, Spending,
    SpendingHold, StartError, TaskFilter, TaskHandle, UnfinishedTask, UniversalOrchestrator,
};
pub use plugin::HealthStatus;
pub use principal::Principal;
pub use routing::{
    AgentFigures, Candidate, CandidateVerdict, Cheapest, Fastest, LeastLoaded, RoundRobin,
    RoutingExplanation, RoutingPolicy,
};
pub use rust_decimal::Decimal;
pub use serde_json::{Value, json};
pub use status::{
    AgentsStatus, AlertView, BreakerStatus, PerformanceStatus, QueueStatus, Status, TasksStatus,
};
pub use task::{
    AfterFailure, DeadLetter, Deadlock, Delegation, Extensions, FailureKind, InvalidTransition,
    Priority, Refusal, Refused, ReportError, RetryPolicy, Task, TaskEvent, TaskFailure, TaskFault,
    TaskOutcome, TaskPatch, TaskRecord, TaskSnapshot, TaskState, TaskView, UnavailableCounts, Veto,
};
pub use tokio::time::Instant;
pub use tokio_util::sync::CancellationToken;
pub use toml::Table;

#[doc(hidden)]
pub mod __private {
    pub use inventory;
}

/// The program of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}

/// An outcome that nobody looks at is a mistake.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// fn looks_away(o: universal_orchestrator::TaskOutcome) -> universal_orchestrator::TaskOutcome { o }
/// fn main() { let _: fn(_) = |o| { looks_away(o); }; }
/// ```
#[cfg(doctest)]
mod outcomes_are_looked_at {}
