//! A registered procedure that runs agents towards one result.

mod background;
mod function;
mod name;
mod of_step;
mod spec;

pub use background::{Background, BackgroundError, TASKS_MAX};
pub(crate) use function::misfit;
pub use function::orchestration_fn;
pub use name::OrchestrationName;
pub use of_step::step_orchestration;
pub use spec::{Layer, OrchestrationKind, OrchestrationSpec};

use async_trait::async_trait;
use serde_json::Value;

use crate::context::OrchestrationContext;
use crate::result::{StepFailure, StepResult};

/// A procedure that runs agents towards one result. Registered with a [`Facade`](crate::Facade), it is called by name.
///
/// It lives from its registration to its removal, across all calls; [`start`](Self::start) and [`stop`](Self::stop) are called once each.
/// The facade contains panics of every method.
#[async_trait]
pub trait Orchestration: Send + Sync + 'static {
    /// Runs once. The context is one below the caller's.
    ///
    /// # Cancel safety
    /// The future is dropped when the context is cancelled or its deadline passes.
    async fn orchestrate(&self, context: &OrchestrationContext, input: Value) -> StepResult;

    /// Whether the input is something for it; an answer other than `Ok` skips the call, with that text as the reason.
    ///
    /// # Errors
    /// The reason, for people.
    fn accepts(&self, _context: &OrchestrationContext, _input: &Value) -> Result<(), String> {
        Ok(())
    }

    /// Called once, before the first call: what must live longer than a call is spawned in `background`.
    ///
    /// # Errors
    /// An error refuses the registration.
    async fn start(&self, _background: &Background) -> Result<(), StepFailure> {
        Ok(())
    }

    /// Called once, after the last call and before its background tasks are cancelled.
    async fn stop(&self) {}
}

const _: fn(&dyn Orchestration) = |_| {};
