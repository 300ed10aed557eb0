//! The plugin `automation`: acts on what happens to agents and tasks.
//!
//! - Sleep and wake: agents whose context is full, who are idle, slow or failing, or whose hours are over, sleep; work that needs them wakes them.
//! - Circuit breakers by task type, beside the core's by agent.
//! - Recovery plans: retry, another agent, restart through a factory, quarantine, a question to a human; each with a deadline and a record of whether it worked.
//! - Rules in the configuration: when something happens, if conditions hold, then act.
//! - Concurrency limits that follow run times, load shedding, and groups of agents that grow and shrink.
//!
//! It decides in hooks and in a task of its own, never from the event broadcast, and acts through
//! [`Control`](universal_orchestrator::plugin::Control). What acts on agents or refuses tasks is off until the
//! section `[plugins.automation]` says otherwise; see [`AutomationConfig`].
//!
//! ```
//! use universal_orchestrator::{AgentRole, AgentSpec, OrchestratorConfig, Task, UniversalOrchestrator};
//! use universal_orchestrator_automation::AutomationService;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = OrchestratorConfig::from_toml_str(r#"
//!     [plugins]
//!     required = ["automation"]
//!     [[plugins.automation.rules]]
//!     name = "two in a row"
//!     when = "task_failed"
//!     if = [{ field = "failures_in_a_row", at_least = 2 }]
//!     then = { action = "notify", text = "look at this agent" }
//! "#)?;
//! let orchestrator = UniversalOrchestrator::start(config).await?;
//! orchestrator.register_agent(AgentSpec::new("a", AgentRole::Worker)).await?;
//! for _ in 0..2 {
//!     let delegation = orchestrator.delegate_task(Task::new("t")).await?;
//!     let failure = universal_orchestrator::TaskFailure::permanent("no");
//!     orchestrator.fail_task(&delegation, failure).await?;
//! }
//! let automation = orchestrator.service::<dyn AutomationService>().ok_or("not linked")?;
//! assert_eq!(automation.rules()[0].acted, 1);
//! assert_eq!(automation.plans()[0].failures, 2);
//! # orchestrator.shutdown().await;
//! # Ok(())
//! # }
//! ```

pub mod config;

mod automation;
mod breakers;
mod error;
mod jobs;
mod limiter;
mod metrics;
mod plugin;
mod recovery;
mod roster;
mod rules;
mod scaling;
mod service;
mod settings;
mod shedding;
mod sleep;
mod window;
mod world;

pub use breakers::TypeBreakerView;
pub use config::AutomationConfig;
pub use error::{DecisionError, FactoryError, ScalingError};
pub use metrics::AutomationMetric;
pub use plugin::{AUTOMATION, AutomationPlugin};
pub use recovery::{PendingDecision, PlanState, PlanStep, Proposal, RecoveryPlan, Severity};
pub use rules::RuleCounts;
pub use scaling::{AgentFactory, GroupView, ScalingGroup};
pub use service::AutomationService;
pub use sleep::{SleepHooks, SleepReason, SleepingAgent};

universal_orchestrator::register_plugin!(AUTOMATION);

/// The program of the plugin's page runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugins/automation.md")]
mod page {}
