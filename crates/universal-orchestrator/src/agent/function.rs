//! An agent from a typed async closure.

use std::future::Future;
use std::marker::PhantomData;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::agent::{Agent, AgentError, TaskContext};

struct FunctionAgent<F, I> {
    function: F,
    input: PhantomData<fn(I)>,
}

/// Makes an agent of an async closure. The payload is deserialised into the closure's input and its output serialised into the result.
///
/// A payload that does not fit the input type is a permanent error that says where.
///
/// ```
/// use universal_orchestrator::{AgentError, TaskContext, agent_fn};
/// let adder = agent_fn(|(a, b): (i64, i64), _context: TaskContext| async move { Ok::<_, AgentError>(a + b) });
/// ```
pub fn agent_fn<F, I, Fut, O, E>(function: F) -> impl Agent
where
    F: Fn(I, TaskContext) -> Fut + Send + Sync + 'static,
    I: DeserializeOwned + Send + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Serialize + Send + 'static,
    E: Into<AgentError> + Send + 'static,
{
    FunctionAgent {
        function,
        input: PhantomData,
    }
}

#[async_trait]
impl<F, I, Fut, O, E> Agent for FunctionAgent<F, I>
where
    F: Fn(I, TaskContext) -> Fut + Send + Sync + 'static,
    I: DeserializeOwned + Send + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Serialize + Send + 'static,
    E: Into<AgentError> + Send + 'static,
{
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError> {
        let input = I::deserialize(context.payload()).map_err(|error| {
            AgentError::permanent(format!(
                "payload does not fit {}",
                std::any::type_name::<I>()
            ))
            .with_source(error)
        })?;
        let output = (self.function)(input, context).await.map_err(Into::into)?;
        serde_json::to_value(output)
            .map_err(|error| AgentError::permanent("result is not JSON").with_source(error))
    }
}
