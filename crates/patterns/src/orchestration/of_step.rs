//! An orchestration from a step, so that a strategy can be called by name.

use std::marker::PhantomData;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::OrchestrationContext;
use crate::orchestration::{Orchestration, misfit};
use crate::result::StepResult;
use crate::step::{Step, contained};

struct StepOrchestration<S, I, O> {
    step: S,
    types: PhantomData<fn(I) -> O>,
}

/// Makes an orchestration of a step, for example of a strategy. The input is deserialised for it and its data serialised.
///
/// ```
/// use universal_orchestrator_patterns::{Parallel, Specialist, StepContext, StepFailure, step_orchestration};
/// let double = Specialist::function("double", |n: u32, _: StepContext| async move { Ok::<_, StepFailure>(n * 2) });
/// let orchestration = step_orchestration(Parallel::new("all").step(double));
/// ```
pub fn step_orchestration<S, I, O>(step: S) -> impl Orchestration
where
    S: Step<I, O> + 'static,
    I: DeserializeOwned + Send + 'static,
    O: Serialize + Send + 'static,
{
    StepOrchestration {
        step,
        types: PhantomData::<fn(I) -> O>,
    }
}

#[async_trait]
impl<S, I, O> Orchestration for StepOrchestration<S, I, O>
where
    S: Step<I, O> + 'static,
    I: DeserializeOwned + Send + 'static,
    O: Serialize + Send + 'static,
{
    async fn orchestrate(&self, context: &OrchestrationContext, input: Value) -> StepResult {
        let input = match serde_json::from_value(input) {
            Ok(input) => input,
            Err(error) => return misfit::<I>("input", error).into(),
        };
        let result = contained(&self.step, context, input).await;
        result.and_then(|data| {
            serde_json::to_value(data).map_err(|error| misfit::<Value>("data", error))
        })
    }
}
