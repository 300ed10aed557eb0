//! An orchestration from a typed async closure.

use std::marker::PhantomData;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::OrchestrationContext;
use crate::orchestration::Orchestration;
use crate::result::{ErrorCategory, StepFailure, StepResult};

struct FunctionOrchestration<F, I> {
    function: F,
    input: PhantomData<fn(I)>,
}

/// Makes an orchestration of an async closure. The input is deserialised for it and its data serialised.
///
/// An input that does not fit is a failure that says where.
///
/// ```
/// use universal_orchestrator_patterns::{OrchestrationContext, StepResult, orchestration_fn};
/// let double = orchestration_fn(|n: u32, _context: OrchestrationContext| async move { StepResult::success(n * 2) });
/// ```
pub fn orchestration_fn<F, I, Fut, O>(function: F) -> impl Orchestration
where
    F: Fn(I, OrchestrationContext) -> Fut + Send + Sync + 'static,
    I: DeserializeOwned + Send + 'static,
    Fut: Future<Output = StepResult<O>> + Send + 'static,
    O: Serialize + Send + 'static,
{
    FunctionOrchestration {
        function,
        input: PhantomData,
    }
}

#[async_trait]
impl<F, I, Fut, O> Orchestration for FunctionOrchestration<F, I>
where
    F: Fn(I, OrchestrationContext) -> Fut + Send + Sync + 'static,
    I: DeserializeOwned + Send + 'static,
    Fut: Future<Output = StepResult<O>> + Send + 'static,
    O: Serialize + Send + 'static,
{
    async fn orchestrate(&self, context: &OrchestrationContext, input: Value) -> StepResult {
        let input = match serde_json::from_value(input) {
            Ok(input) => input,
            Err(error) => return misfit::<I>("input", error).into(),
        };
        let result = (self.function)(input, context.clone()).await;
        result.and_then(|data| {
            serde_json::to_value(data).map_err(|error| misfit::<Value>("data", error))
        })
    }
}

/// JSON that is not what was expected.
pub(crate) fn misfit<T>(what: &str, error: serde_json::Error) -> StepFailure {
    let wanted = std::any::type_name::<T>();
    let text = format!("{what} does not fit {wanted}: {error}");
    StepFailure::new(ErrorCategory::Invalid, text).with_source(error)
}
