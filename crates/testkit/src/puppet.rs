//! An in-process agent whose every attempt waits for the test to end it.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;
use universal_orchestrator::{Agent, AgentError, TaskContext, TaskId, async_trait};

/// How a test ends an attempt of a [`PuppetAgent`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Ending {
    /// With a result.
    Succeed(Value),
    /// With an error that asks for another attempt.
    FailRetryable,
    /// With an error that does not.
    FailPermanent,
    /// With a panic.
    Panic,
}

type Strings = BTreeMap<(TaskId, u32), oneshot::Sender<Ending>>;

/// An in-process agent whose every attempt waits until the test ends it, or it is cancelled. Clones are the same agent.
#[derive(Debug, Clone, Default)]
pub struct PuppetAgent {
    strings: Arc<Mutex<Strings>>,
}

impl PuppetAgent {
    /// An agent that nobody pulls yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends an attempt that is at work; `false` when there is no such one.
    pub fn end(&self, task: &TaskId, attempt: u32, ending: Ending) -> bool {
        let string = self.strings.lock().remove(&(task.clone(), attempt));
        string.is_some_and(|string| string.send(ending).is_ok())
    }

    /// The attempts at work, by task.
    #[must_use]
    pub fn at_work(&self) -> Vec<(TaskId, u32)> {
        self.strings.lock().keys().cloned().collect()
    }
}

/// Takes the string away when the attempt is dropped.
struct Tied<'a> {
    strings: &'a Mutex<Strings>,
    key: (TaskId, u32),
}

impl Drop for Tied<'_> {
    fn drop(&mut self) {
        self.strings.lock().remove(&self.key);
    }
}

#[async_trait]
impl Agent for PuppetAgent {
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError> {
        let key = (context.task_id().clone(), context.attempt());
        let (string, pulled) = oneshot::channel();
        self.strings.lock().insert(key.clone(), string);
        let _tied = Tied {
            strings: &self.strings,
            key,
        };
        let ending = tokio::select! {
            biased;
            () = context.cancellation().cancelled() => return Err(AgentError::permanent("cancelled")),
            ending = pulled => ending,
        };
        match ending {
            Ok(Ending::Succeed(value)) => Ok(value),
            Ok(Ending::FailRetryable) => Err(AgentError::retryable("pulled to fail, retryably")),
            Ok(Ending::Panic) => std::panic::panic_any("pulled to panic"),
            Ok(Ending::FailPermanent) | Err(_) => Err(AgentError::permanent("pulled to fail")),
        }
    }
}
