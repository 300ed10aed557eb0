//! One orchestrator, in code, for all agents: register who can work, delegate what must be done, complete it once, and see what happened.
//!
//! Start at [`UniversalOrchestrator`]. Agents are described by [`AgentSpec`], tasks by [`Task`], plugins by [`plugin::Plugin`].

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
mod routing;
mod status;
mod task;

pub use agent::{
    Agent, AgentCallError, AgentChange, AgentError, AgentFault, AgentRole, AgentSpec, AgentView,
    Availability, Intent, RegisterRefusal, RegisterRefused, Reservation, SubprocessAgent,
    TaskContext, agent_fn,
};
pub use async_trait::async_trait;
pub use breaker::{BreakerSettings, BreakerState, CircuitBreaker};
pub use budget::{AccountId, AccountView, Amount, BudgetError, Limits, Unit};
pub use capability::{CapabilitySet, Labels};
pub use clock::{SystemWallClock, WallClock};
pub use config::{ConfigError, Mode, OrchestratorConfig};
pub use event::{Event, EventRecord, EventStream};
pub use id::{
    AgentId, Capability, ID_BYTES_MAX, IdError, Key, PrincipalName, RunId, TaskId, TaskType, Tenant,
};
pub use orchestrator::{
    AgentFilter, NotRetained, OrchestratorBuilder, ProgressStream, PulledTask, ShutdownReport,
    StartError, TaskFilter, TaskHandle, UnfinishedTask, UniversalOrchestrator,
};
pub use plugin::HealthStatus;
pub use routing::{
    AgentFigures, Candidate, CandidateVerdict, Cheapest, Fastest, LeastLoaded, RoundRobin,
    RoutingExplanation, RoutingPolicy,
};
pub use status::{
    AgentsStatus, AlertView, BreakerStatus, PerformanceStatus, QueueStatus, Status, TasksStatus,
};
pub use task::{
    AfterFailure, DeadLetter, Deadlock, Delegation, Extensions, FailureKind, IdErrorOrNever,
    InvalidTransition, Priority, Refusal, Refused, ReportError, RetryPolicy, Task, TaskEvent,
    TaskFailure, TaskFault, TaskOutcome, TaskPatch, TaskRecord, TaskSnapshot, TaskState, TaskView,
    UnavailableCounts, Veto,
};

#[doc(hidden)]
pub mod __private {
    pub use inventory;
}

/// The program of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}
