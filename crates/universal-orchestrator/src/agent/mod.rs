//! Agents: what registers, what runs, what it is told about its task.

mod context;
mod error;
mod filter;
mod function;
mod refusal;
mod spec;
mod subprocess;
mod view;

pub(crate) use context::{AttemptCell, TaskHost};
pub use context::{Reservation, TaskContext};
pub use error::AgentError;
pub use filter::AgentFilter;
pub use function::agent_fn;
pub use refusal::{AgentCallError, RegisterRefusal, RegisterRefused};
pub use spec::{AgentFault, AgentRole, AgentSpec};
pub use subprocess::SubprocessAgent;
pub(crate) use view::AgentCounts;
pub use view::{AgentChange, AgentView, Availability, Intent};

use async_trait::async_trait;
use serde_json::Value;

/// Work done in this process: implemented by functions, LLM loops, clients of remote services, subprocesses.
///
/// One value may run several tasks at once, up to the concurrency that it is registered with.
/// The returned future is dropped when the task is cancelled or timed out and the grace time has passed, so it must be safe to drop at any await.
///
/// ```
/// use universal_orchestrator::{Agent, AgentError, TaskContext, async_trait};
/// struct Upper;
/// #[async_trait]
/// impl Agent for Upper {
///     async fn run(&self, context: TaskContext) -> Result<serde_json::Value, AgentError> {
///         let text = context.payload().as_str().ok_or_else(|| AgentError::permanent("payload is not a text"))?;
///         Ok(text.to_uppercase().into())
///     }
/// }
/// ```
#[async_trait]
pub trait Agent: Send + Sync + 'static {
    /// Does one attempt of one task.
    ///
    /// # Errors
    /// [`AgentError::retryable`] asks for another attempt as the retry policy allows; [`AgentError::permanent`] ends the task.
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError>;
}

const _: fn(&dyn Agent) = |_| {};
