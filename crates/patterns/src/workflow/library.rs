//! The functions that a workflow file may name.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::orchestration::misfit;
use crate::result::StepResult;
use crate::step::{SharedStep, Step};

/// The steps that a workflow file may name with `run`.
///
/// ```
/// use universal_orchestrator_patterns::{Specialist, StepContext, StepFailure, StepLibrary};
/// let count = Specialist::function("count", |text: String, _: StepContext| async move {
///     Ok::<_, StepFailure>(text.lines().count())
/// });
/// let library = StepLibrary::new().step("count_lines", count);
/// assert_eq!(library.names().collect::<Vec<_>>(), ["count_lines"]);
/// ```
#[derive(Clone, Default)]
#[must_use = "a library is of use to what is built with it"]
pub struct StepLibrary {
    steps: BTreeMap<String, SharedStep<Value, Value>>,
}

impl StepLibrary {
    /// No steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a specialist, a strategy or a workflow under a name; a later one of the same name takes its place.
    pub fn step<I, O>(mut self, name: impl Into<String>, step: impl Step<I, O> + 'static) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
    {
        self.steps.insert(name.into(), json_step(step));
        self
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.keys().map(String::as_str)
    }

    pub(super) fn get(&self, name: &str) -> Option<&SharedStep<Value, Value>> {
        self.steps.get(name)
    }
}

impl fmt::Debug for StepLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// A step whose input and data are JSON.
struct JsonStep<S, I, O> {
    step: S,
    types: PhantomData<fn(I) -> O>,
}

pub(super) fn json_step<I, O>(step: impl Step<I, O> + 'static) -> SharedStep<Value, Value>
where
    I: DeserializeOwned + Send + 'static,
    O: Serialize + Send + 'static,
{
    Arc::new(JsonStep {
        step,
        types: PhantomData::<fn(I) -> O>,
    })
}

#[async_trait]
impl<S, I, O> Step<Value, Value> for JsonStep<S, I, O>
where
    S: Step<I, O>,
    I: DeserializeOwned + Send + 'static,
    O: Serialize + Send + 'static,
{
    fn name(&self) -> &str {
        self.step.name()
    }

    fn estimate(&self) -> Amount {
        self.step.estimate()
    }

    async fn run(&self, context: &OrchestrationContext, input: Value) -> StepResult {
        match serde_json::from_value(input) {
            Err(error) => misfit::<I>("input", error).into(),
            Ok(input) => {
                let result = self.step.run(context, input).await;
                result.and_then(|data| {
                    serde_json::to_value(data).map_err(|error| misfit::<Value>("data", error))
                })
            }
        }
    }
}
