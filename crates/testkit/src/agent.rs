//! In-process agents that follow a script.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use universal_orchestrator::{
    Agent, AgentError, AgentId, Amount, TaskContext, TaskId, async_trait,
};

/// One step of an attempt. An attempt whose steps run out succeeds with `null`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Ends the attempt with a result.
    Succeed(Value),
    /// Ends the attempt with the payload as its result.
    Echo,
    /// Ends the attempt with an error that asks for another one.
    FailRetryable,
    /// Ends the attempt with an error that does not.
    FailPermanent,
    /// Waits until the task is cancelled or timed out, then ends.
    Stall,
    /// Waits for ever and does not look at the cancellation: only dropping the future ends it.
    StallForever,
    /// Panics.
    Panic,
    /// Charges an amount to the budgets; the attempt fails with the budget's error when there is no room.
    Charge(Amount),
    /// Reserves an amount and settles it with another: how a budget gets overdrawn.
    Spend {
        /// What is reserved before.
        reserved: Amount,
        /// What the bill says.
        billed: Amount,
    },
    /// Reports progress.
    Progress(Value),
    /// Waits on tokio's clock.
    Wait(Duration),
    /// Lets the runtime run something else, so often.
    Yield(u32),
}

/// One call of a scripted agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The task.
    pub task: TaskId,
    /// The agent, for scripts that several share.
    pub agent: AgentId,
    /// The attempt.
    pub attempt: u32,
}

/// An in-process agent that follows a script: the steps of the first attempt of a task, of the second, …; the last go for all further attempts.
///
/// Clones share the script and what was recorded.
#[derive(Debug, Clone)]
pub struct ScriptedAgent {
    script: Arc<[Vec<Step>]>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl ScriptedAgent {
    /// An agent with the steps of each attempt.
    pub fn script(attempts: impl IntoIterator<Item = Vec<Step>>) -> Self {
        Self {
            script: attempts.into_iter().collect(),
            calls: Arc::default(),
        }
    }

    /// An agent that does the same in every attempt.
    pub fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::script([steps.into_iter().collect()])
    }

    /// Succeeds.
    pub fn succeeds(result: impl Into<Value>) -> Self {
        Self::steps([Step::Succeed(result.into())])
    }

    /// Fails `times` attempts of each task retryably, then succeeds.
    pub fn fails_then_succeeds(times: usize, result: impl Into<Value>) -> Self {
        let failing = std::iter::repeat_n(vec![Step::FailRetryable], times);
        Self::script(failing.chain([vec![Step::Succeed(result.into())]]))
    }

    /// Fails for good.
    pub fn fails() -> Self {
        Self::steps([Step::FailPermanent])
    }

    /// Waits until it is cancelled.
    pub fn stalls() -> Self {
        Self::steps([Step::Stall])
    }

    /// Waits for ever, whatever happens.
    pub fn stalls_forever() -> Self {
        Self::steps([Step::StallForever])
    }

    /// Panics.
    pub fn panics() -> Self {
        Self::steps([Step::Panic])
    }

    /// Reserves one amount and is billed another.
    pub fn spends(reserved: Amount, billed: Amount) -> Self {
        Self::steps([Step::Spend { reserved, billed }])
    }

    /// Every call so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    fn steps_of(&self, attempt: u32) -> &[Step] {
        let at = (attempt.max(1) as usize - 1).min(self.script.len().saturating_sub(1));
        self.script.get(at).map_or(&[], Vec::as_slice)
    }
}

#[async_trait]
impl Agent for ScriptedAgent {
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError> {
        self.calls.lock().push(Call {
            task: context.task_id().clone(),
            agent: context.agent_id().clone(),
            attempt: context.attempt(),
        });
        for step in self.steps_of(context.attempt()) {
            if let Some(ended) = take(step, &context).await {
                return ended;
            }
        }
        Ok(Value::Null)
    }
}

/// Takes one step; `Some` when it ends the attempt.
async fn take(step: &Step, context: &TaskContext) -> Option<Result<Value, AgentError>> {
    match step {
        Step::Succeed(value) => return Some(Ok(value.clone())),
        Step::Echo => return Some(Ok(context.payload().clone())),
        Step::FailRetryable => return Some(Err(AgentError::retryable("told to fail, retryably"))),
        Step::FailPermanent => return Some(Err(AgentError::permanent("told to fail"))),
        Step::Stall => {
            context.cancellation().cancelled().await;
            return Some(Err(AgentError::permanent("stopped when told")));
        }
        Step::StallForever => std::future::pending().await,
        Step::Panic => std::panic::panic_any("told to panic"),
        Step::Charge(amount) => {
            if let Err(error) = context.charge(*amount) {
                return Some(Err(error.into()));
            }
        }
        Step::Spend { reserved, billed } => match context.reserve(*reserved) {
            Ok(reservation) => reservation.settle(*billed),
            Err(error) => return Some(Err(error.into())),
        },
        Step::Progress(value) => context.progress(value.clone()),
        Step::Wait(time) => tokio::time::sleep(*time).await,
        Step::Yield(times) => {
            for _ in 0..*times {
                tokio::task::yield_now().await;
            }
        }
    }
    None
}
