//! One piece of work that a strategy runs.

mod context;
mod run;
mod specialist;

pub use context::StepContext;
pub(crate) use run::{Contained, contained, time_is_over};
pub use specialist::{STEP_TIMEOUT, Specialist};

use std::sync::Arc;

use async_trait::async_trait;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::StepResult;

/// One piece of work that a strategy runs: a specialist, a strategy over several, or either with resilience around it.
#[async_trait]
pub trait Step<I: Send + 'static, O: Send + 'static>: Send + Sync {
    /// Its name, by which reports tell it apart.
    fn name(&self) -> &str;

    /// Runs it once.
    ///
    /// # Cancel safety
    /// Dropping the future ends the work: a function is dropped, a task is cancelled.
    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<O>;

    /// What it is expected to cost, for tables and decisions; nothing unless it says otherwise.
    fn estimate(&self) -> Amount {
        Amount::default()
    }
}

const _: fn(&dyn Step<(), ()>) = |_| {};

/// A step that several may share.
pub type SharedStep<I, O> = Arc<dyn Step<I, O>>;

#[async_trait]
impl<I: Send + 'static, O: Send + 'static, S: Step<I, O> + ?Sized> Step<I, O> for Arc<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<O> {
        (**self).run(context, input).await
    }

    fn estimate(&self) -> Amount {
        (**self).estimate()
    }
}
