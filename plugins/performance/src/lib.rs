//! Measures what an orchestrator does, says when it is bad, and finds what limits it.
//!
//! Hooks write latencies and outcomes into histograms under one short lock. A background task takes them once an interval,
//! keeps a window of them by agent, task type and capability, looks at alert rules, searches for bottlenecks, and publishes a
//! snapshot. Reading the machine and making snapshots happen on threads that may block: no hook and no start waits for them.
//!
//! ```
//! use universal_orchestrator::{AgentRole, AgentSpec, Task, UniversalOrchestrator, json};
//! use universal_orchestrator_performance::{PerformanceConfig, PerformancePlugin, PerformanceService};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = PerformanceConfig::default();
//! (config.interval_ms, config.window_ms) = (1_000, 10_000);
//! let orchestrator = UniversalOrchestrator::builder()
//!     .without_linked_plugins()
//!     .plugin(PerformancePlugin::MANIFEST, PerformancePlugin::new(config)?)
//!     .start()
//!     .await?;
//! let agent = orchestrator.register_agent(AgentSpec::new("a", AgentRole::Worker).capabilities(["resize"])).await?;
//! let delegation = orchestrator.delegate_task(Task::new("thumbnail").requires(["resize"])).await?;
//! tokio::time::sleep(std::time::Duration::from_millis(250)).await;
//! orchestrator.complete_task(&delegation, json!("done")).await?;
//!
//! tokio::time::sleep(std::time::Duration::from_secs(1)).await; // an interval later
//! let service = orchestrator.service::<PerformanceService>().ok_or("it is offered at start")?;
//! let snapshot = service.snapshot();
//! assert_eq!(snapshot.task_types[0].name, "thumbnail");
//! assert!((snapshot.overall.execution.p95_ms - 250.0).abs() < 3.0);
//! # orchestrator.shutdown().await;
//! # let _ = agent;
//! # Ok(())
//! # }
//! ```
//!
//! Linked in by `use universal_orchestrator_performance as _;` it needs no code; its section is `[plugins.performance]`, the
//! type [`PerformanceConfig`]. `docs/plugins/performance.md` lists every setting, metric and alert.

mod alert;
mod analyst;
mod collect;
mod config;
mod export;
mod find;
mod names;
mod plugin;
mod sample;
mod service;
mod shared;
mod signal;
mod snapshot;
mod worker;

pub use alert::{AcknowledgeError, Alert, AlertState, Operator, Rule, Severity};
pub use config::{ConfigFault, PerformanceConfig};
pub use find::{Baseline, BaselineError, Bottleneck, Direction, Limit, Regression, Trend};
pub use names::MetricName;
pub use plugin::{PERFORMANCE, PerformancePlugin};
pub use sample::{MachineReading, Sampler, SystemSampler};
pub use service::PerformanceService;
pub use signal::{Scope, Signal};
pub use snapshot::{Figures, Latency, OTHER, PerformanceSnapshot, QueueFigures, Row};

/// The plugin's name.
pub const NAME: &str = "performance";

/// An example of the section.
const EXAMPLE: &str = r#"interval_ms = 1000
window_ms = 60000
prometheus_listen = "127.0.0.1:0"

[[rules]]
name = "checkout_slow"
signal = "execution_p95_ms"
only = { task_type = "checkout" }
operator = ">"
threshold = 800
severity = "critical"
for_ms = 10000
resolve_at = 600
cooldown_ms = 300000
"#;

universal_orchestrator::register_plugin!(PERFORMANCE);

/// The code of the page of the plugin is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugins/performance.md")]
mod page {}
