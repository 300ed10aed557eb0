//! A specialist: an agent of the orchestrator, or a function.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use universal_orchestrator::{Amount, Refusal, Task, TaskOutcome};

use crate::contain::{Bounds, CancelledBy, bounded};
use crate::context::OrchestrationContext;
use crate::orchestration::misfit;
use crate::result::{SkipReason, StepFailure, StepResult};
use crate::step::{Step, StepContext, time_is_over};

/// The longest that a function may take, unless it says otherwise.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(120);

type Function<I, O> =
    Box<dyn Fn(I, StepContext) -> BoxFuture<'static, Result<O, StepFailure>> + Send + Sync>;

enum Work<I, O> {
    Function(Function<I, O>),
    Task {
        template: Box<Task>,
        write: fn(I) -> Result<Value, StepFailure>,
        read: fn(Value) -> Result<O, StepFailure>,
    },
}

/// One that is asked for its part: an agent of the orchestrator, or a function.
///
/// | | [`agent`](Self::agent) | [`function`](Self::function) |
/// |---|---|---|
/// | runs | where the agent is, in a task of its own when it needs time | in the caller's task: concurrently, not in parallel |
/// | is chosen | by capability, load and priority | is named |
/// | waits for a free slot, retries, breaker, hooks, events | those of the orchestrator | none; put resilience around it |
/// | budget | one call and the estimate are reserved, what it charges is booked, in all accounts | the same |
/// | deadline and timeout | the orchestrator's; the last progress is kept | its future is dropped; the last progress is kept |
/// | cancelled | its token, a grace, then its future is dropped; a slot that is still held is a zombie's | its future is dropped at once |
/// | panics | contained, charged whole | contained, charged whole |
/// | cut off | charged as the orchestrator does | charged whole: what was bought may have to be paid |
///
/// ```
/// use universal_orchestrator::{Amount, Task};
/// use universal_orchestrator_patterns::{Specialist, StepContext, StepFailure};
/// let logs: Specialist<String, usize> = Specialist::agent("logs", Task::new("read_logs").requires(["logs"]));
/// let count: Specialist<String, usize> = Specialist::function("count", |text: String, step: StepContext| async move {
///     step.charge(Amount::tokens(text.len() as u64))?;
///     Ok::<_, StepFailure>(text.lines().count())
/// });
/// ```
pub struct Specialist<I, O> {
    name: Arc<str>,
    work: Work<I, O>,
    estimate: Amount,
    timeout: Option<Duration>,
}

impl<I: Send + 'static, O: Send + 'static> Specialist<I, O> {
    /// A typed async function, with a timeout of [`STEP_TIMEOUT`].
    pub fn function<F, Fut, E>(name: impl Into<Arc<str>>, function: F) -> Self
    where
        F: Fn(I, StepContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        E: Into<StepFailure>,
    {
        let function = move |input, context| {
            function(input, context)
                .map(|r| r.map_err(Into::into))
                .boxed()
        };
        Self {
            name: name.into(),
            work: Work::Function(Box::new(function)),
            estimate: Amount::default(),
            timeout: Some(STEP_TIMEOUT),
        }
    }

    /// An agent of the orchestrator: the task says what it must be capable of, the input is its payload, its result the data.
    ///
    /// The task's timeouts and retries are its own or those of the orchestrator's configuration; its tenant, run and deadline are the context's.
    pub fn agent(name: impl Into<Arc<str>>, task: Task) -> Self
    where
        I: Serialize,
        O: DeserializeOwned,
    {
        Self {
            name: name.into(),
            work: Work::Task {
                template: Box::new(task),
                write: |input| serde_json::to_value(input).map_err(|e| misfit::<Value>("input", e)),
                read: |result| serde_json::from_value(result).map_err(|e| misfit::<O>("result", e)),
            },
            estimate: Amount::default(),
            timeout: None,
        }
    }

    /// What a run is expected to cost: reserved before it begins, the unused part returned after.
    #[must_use]
    pub const fn estimate(mut self, amount: Amount) -> Self {
        self.estimate = amount;
        self
    }

    /// The longest that a run may take. Of a task, it is the timeout of one attempt.
    #[must_use]
    pub const fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    async fn call(
        &self,
        function: &Function<I, O>,
        context: &OrchestrationContext,
        input: I,
        started: Instant,
    ) -> StepResult<O> {
        let mut amount = self.estimate;
        amount.calls = amount.calls.max(1);
        let hold = match context.spending().begin(amount) {
            Ok(hold) => hold,
            Err(error) => {
                let detail = error.to_string();
                return SkipReason::BudgetExhausted { detail }.into();
            }
        };
        let step = StepContext::new(context, hold);
        let bounds = Bounds {
            timeout: self.timeout.and_then(|t| started.checked_add(t)),
            deadline: context.deadline(),
            cancelled: CancelledBy::Context(context),
        };
        let work = async { function(input, step.clone()).await };
        let ended = bounded(&self.name, bounds, work).await;
        let finished = ended.is_ok();
        let result = ended.and_then(|done| done);
        let took = started.elapsed();
        let usage = Amount {
            calls: 1,
            busy: took,
            ..Amount::default()
        };
        let bill = |hold: universal_orchestrator::SpendingHold| match finished {
            true => hold.finish(usage),
            false => hold.lose(usage),
        };
        let cost = step.take_hold().map(bill).unwrap_or_default();
        let result = result.map_err(|failure| match failure.partial() {
            None => failure.with_partial(step.take_progress()),
            Some(_) => failure,
        });
        StepResult::from(result).with_cost(cost).with_duration(took)
    }

    async fn ask(
        &self,
        mut task: Task,
        context: &OrchestrationContext,
    ) -> Result<TaskOutcome, StepResult<O>> {
        if !self.estimate.is_zero() {
            task = task.estimate(self.estimate);
        }
        if let Some(time) = self.timeout {
            task = task.attempt_timeout(time);
        }
        let task = context.apply_to(task);
        // The deadline is the task's own, so that the orchestrator keeps what was done until then.
        let bounds = Bounds {
            timeout: None,
            deadline: None,
            cancelled: CancelledBy::Context(context),
        };
        match bounded(&self.name, bounds, context.orchestrator().execute(task)).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(refused)) => Err(match refused.reason() {
                Refusal::OverBudget(error) => {
                    let detail = error.to_string();
                    SkipReason::BudgetExhausted { detail }.into()
                }
                _ => StepFailure::from(refused).into(),
            }),
            Err(failure) => Err(failure.into()),
        }
    }
}

#[async_trait]
impl<I: Send + 'static, O: Send + 'static> Step<I, O> for Specialist<I, O> {
    fn name(&self) -> &str {
        &self.name
    }

    fn estimate(&self) -> Amount {
        self.estimate
    }

    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<O> {
        let started = Instant::now();
        if let Some(skipped) = time_is_over(context, started) {
            return skipped.into();
        }
        let result = match &self.work {
            Work::Function(function) => self.call(function, context, input, started).await,
            // Boxed, so that a function's run stays small.
            Work::Task {
                template,
                write,
                read,
            } => match write(input) {
                Err(failure) => failure.into(),
                Ok(payload) => {
                    let task = Task::clone(template).payload(payload);
                    let told = match Box::pin(self.ask(task, context)).await {
                        Ok(outcome) => told(outcome, *read),
                        Err(result) => result,
                    };
                    told.with_duration(started.elapsed())
                }
            },
        };
        result.with_trace(context.trace().child())
    }
}

/// What an outcome says.
fn told<O>(outcome: TaskOutcome, read: fn(Value) -> Result<O, StepFailure>) -> StepResult<O> {
    let (cost, attempts) = (outcome.cost(), outcome.attempts());
    let agent = outcome.agent().cloned();
    let result = match StepFailure::of_outcome(&outcome) {
        Some(failure) if failure.is_budget() && attempts == 0 => {
            let detail = failure.message().to_owned();
            SkipReason::BudgetExhausted { detail }.into()
        }
        Some(failure) => failure.into(),
        None => {
            let value = outcome.into_result().map_err(StepFailure::from);
            StepResult::from(value.and_then(read))
        }
    };
    let result = result.with_cost(cost).with_attempts(attempts);
    match agent {
        Some(agent) => result.with_agent(agent),
        None => result,
    }
}

impl<I, O> fmt::Debug for Specialist<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.work {
            Work::Function(_) => "function",
            Work::Task { .. } => "agent",
        };
        f.debug_struct("Specialist")
            .field("name", &self.name)
            .field("kind", &kind)
            .field("estimate", &self.estimate)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
