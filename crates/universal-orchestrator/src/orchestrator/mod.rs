//! The handle that users hold, and what runs behind it.

mod admin;
mod agents;
mod alerts;
mod attempt;
mod background;
mod builder;
mod control;
mod delegate;
mod execute;
mod explain;
mod handle;
mod hooks;
mod pull;
mod reports;
mod resources;
mod shared;
mod shutdown;
mod spawn;
mod spending;
mod status;
mod submit;
mod validate;

pub use builder::{OrchestratorBuilder, StartError};
pub use explain::TaskFilter;
pub use handle::{NotRetained, ProgressStream, TaskHandle};
pub use pull::PulledTask;
pub use shutdown::{ShutdownReport, UnfinishedTask};
pub use spending::{Spending, SpendingHold};

use std::sync::Arc;

use crate::config::OrchestratorConfig;
use crate::id::{IdError, IdErrorOrNever};
use crate::orchestrator::shared::{LastHandle, Shared};
use crate::principal::Principal;

/// One orchestrator: registers agents, delegates tasks, completes them. A cheap clone; all clones are the same orchestrator.
///
/// Dropping the last clone cancels live work and logs what was lost; [`shutdown`](Self::shutdown) drains it first.
///
/// ```
/// use universal_orchestrator::{AgentError, AgentRole, AgentSpec, Task, TaskContext, UniversalOrchestrator, agent_fn};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let orchestrator = UniversalOrchestrator::builder().start().await?;
/// let greeter = agent_fn(|name: String, _context: TaskContext| async move { Ok::<_, AgentError>(format!("hello {name}")) });
/// orchestrator
///     .register_agent(AgentSpec::new("greeter", AgentRole::Worker).capabilities(["greet"]).in_process(greeter))
///     .await?;
/// let outcome = orchestrator.execute(Task::new("greeting").requires(["greet"]).payload("world")).await?;
/// assert_eq!(outcome.result(), "hello world");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UniversalOrchestrator {
    pub(crate) shared: Arc<Shared>,
    principal: Principal,
    _last: Arc<LastHandle>,
}

impl UniversalOrchestrator {
    /// Starts to describe an orchestrator.
    pub fn builder() -> OrchestratorBuilder {
        OrchestratorBuilder::new()
    }

    /// Starts an orchestrator with a configuration and the linked plugins.
    ///
    /// # Errors
    /// [`StartError`] says what to change.
    pub async fn start(config: OrchestratorConfig) -> Result<Self, StartError> {
        Self::builder().config(config).start().await
    }

    pub(crate) fn new(shared: Arc<Shared>, principal: Principal) -> Self {
        let last = Arc::new(LastHandle::new(Arc::clone(&shared)));
        Self {
            shared,
            principal,
            _last: last,
        }
    }

    /// The same orchestrator, called by somebody: hooks see the principal of every call.
    ///
    /// Takes a name, or a [`Principal`] with a credential.
    ///
    /// # Errors
    /// [`IdError`] when the name is none.
    pub fn as_principal<P>(&self, principal: P) -> Result<Self, IdError>
    where
        P: TryInto<Principal>,
        P::Error: Into<IdErrorOrNever>,
    {
        let mut other = self.clone();
        other.principal = match principal.try_into() {
            Ok(principal) => principal,
            Err(error) => return Err(error.into().0),
        };
        Ok(other)
    }

    /// Who calls through this handle.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The configuration that it was started with.
    #[must_use]
    pub fn config(&self) -> &OrchestratorConfig {
        &self.shared.config
    }
}

impl std::fmt::Debug for UniversalOrchestrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UniversalOrchestrator")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}
