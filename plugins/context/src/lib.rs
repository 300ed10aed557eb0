//! Sessions of fragments with exact token counts, and the best context under a token budget for each task.
//!
//! A task names its session in its metadata. When it starts, the plugin puts the best context of that session together,
//! never over the budget, and attaches it; what the task produces becomes a fragment of the session.
//!
//! ```
//! use universal_orchestrator::{
//!     AgentError, AgentRole, AgentSpec, Task, TaskContext, UniversalOrchestrator, agent_fn,
//! };
//! use universal_orchestrator_context::{
//!     AssembledContext, ContextConfig, ContextPlugin, ContextService,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let orchestrator = UniversalOrchestrator::builder()
//!     .without_linked_plugins()
//!     .plugin(ContextPlugin::MANIFEST, ContextPlugin::new(ContextConfig::default())?)
//!     .start()
//!     .await?;
//! let agent = agent_fn(|topic: String, context: TaskContext| async move {
//!     let before = context.extensions().get::<AssembledContext>();
//!     let known = before.map_or(0, |before| before.explanation.shown());
//!     Ok::<_, AgentError>(format!("{topic}, knowing {known} earlier results"))
//! });
//! let writer = AgentSpec::new("writer", AgentRole::Worker).capabilities(["write"]);
//! orchestrator.register_agent(writer.in_process(agent)).await?;
//!
//! let task = |topic: &str| {
//!     let task = Task::new("write").requires(["write"]).payload(topic);
//!     task.metadata("context.session", "book")
//! };
//! let first = orchestrator.execute(task("chapter one")).await?;
//! assert_eq!(first.result(), "chapter one, knowing 0 earlier results");
//! // What comes at once after it may be too early for a result that is still being counted.
//! orchestrator.service::<ContextService>().ok_or("not linked")?.settled().await;
//! let second = orchestrator.execute(task("chapter two")).await?;
//! assert_eq!(second.result(), "chapter two, knowing 1 earlier results");
//! # orchestrator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`ContextService`] does the same by hand: it opens, fills, saves, restores and closes sessions. [`compress`] and
//! [`compress_to`] work on a text alone.

mod assemble;
mod compress;
mod config;
mod engine;
mod fragment;
mod metrics;
mod persist;
mod plugin;
mod service;
mod session;
mod store;
mod text;
mod tokens;
mod windows;
mod worker;

pub use assemble::{AssembleError, AssembledContext, Explanation, FragmentChoice, Shown};
pub use compress::{
    Compressed, Level, Losses, Summarizer, SummaryError, SummaryRequest, compress, compress_to,
};
pub use config::{ConfigFault, ContextConfig, Delivery};
pub use fragment::{FragmentRole, FragmentView, NewFragment};
pub use persist::{RestoreError, SaveError};
pub use plugin::{BUDGET, ContextFault, ContextPlugin, FIELD, QUERY, SESSION, TEXT};
pub use service::{AddRefused, ContextService};
pub use session::{FragmentId, SessionId};
pub use store::{AddRefusal, Added, CreateError, SessionStats, StoreStats};
pub use text::TextKind;
pub use tokens::{Encoding, UnknownModel};
pub use windows::{WindowStage, WindowUsage};

use universal_orchestrator::plugin::{Plugin, PluginDescriptor, PluginError, PluginSection};

fn build(section: &PluginSection) -> Result<Box<dyn Plugin>, PluginError> {
    let plugin = ContextPlugin::new(section.parse()?);
    let plugin = plugin.map_err(|error| PluginError::caused(error.to_string(), error))?;
    Ok(Box::new(plugin))
}

/// What links in.
pub static CONTEXT: PluginDescriptor = PluginDescriptor::new(ContextPlugin::MANIFEST, build);

universal_orchestrator::register_plugin!(CONTEXT);

/// The page of this plugin runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugins/context.md")]
mod page {}
