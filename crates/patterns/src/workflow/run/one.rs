//! One step at work: once, in a loop, over a list, or at a gate.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio::task::coop::consume_budget;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::{ErrorCategory, RetryAdvice, SkipReason, StepFailure, StepOutcome, StepResult};
use crate::step::{SharedStep, contained, time_is_over};
use crate::strategy::STEPS_MAX;
use crate::workflow::compiled::{Compiled, CompiledStep, Each, Repeat};
use crate::workflow::expression::{Iteration, Readings};
use crate::workflow::gate::{GatePlan, GateView, Gates, OpenGate};
use crate::workflow::run::input::{Here, Prepared, taken};

/// What became of a step.
pub(super) struct Ended {
    pub(super) step: usize,
    pub(super) result: StepResult,
    /// Of a fan-out, what became of each item.
    pub(super) items: Vec<StepResult>,
    /// Of a gate, nothing: it takes no place among those at work.
    pub(super) was_gate: bool,
}

/// What a step needs to run, apart from the run.
pub(super) enum Job {
    Once {
        work: SharedStep<Value, Value>,
        input: Value,
    },
    Repeat {
        work: Option<SharedStep<Value, Value>>,
        input: Prepared,
        reads: LoopReads,
    },
    Each {
        work: Option<SharedStep<Value, Value>>,
        input: Prepared,
        items: Vec<Value>,
    },
    Gate {
        open: OpenGate,
        plan: GatePlan,
        deadline: Option<Instant>,
    },
}

/// What the condition of a loop reads besides the loop itself.
pub(super) struct LoopReads {
    pub(super) input: Value,
    pub(super) steps: Vec<(usize, Value)>,
    pub(super) status: Vec<(usize, &'static str)>,
}

/// Runs a job.
pub(super) async fn run(
    workflow: &Compiled,
    context: &OrchestrationContext,
    step: usize,
    job: Job,
) -> Ended {
    let started = Instant::now();
    let of = &workflow.steps[step];
    let mut ended = Ended {
        step,
        result: StepResult::skipped(SkipReason::NotNeeded),
        items: Vec::new(),
        was_gate: false,
    };
    match job {
        Job::Once { work, input } => {
            let result = contained(&*work, context, input).await;
            ended.result = given(of, result);
        }
        Job::Repeat { work, input, reads } => {
            if let Some(repeat) = &of.repeat {
                let again = Loop {
                    workflow,
                    context,
                    of,
                    repeat,
                    work,
                    input,
                    reads,
                };
                let result = Box::pin(again.run()).await;
                ended.result = result.with_duration(started.elapsed());
            }
        }
        Job::Each { work, input, items } => {
            if let Some(each) = &of.each {
                let all = Box::pin(over_items(context, of, work, &input, &items, each));
                ended.items = all.await;
                ended.result = collected(of, each, &ended.items).with_duration(started.elapsed());
            }
        }
        Job::Gate {
            open,
            plan,
            deadline,
        } => {
            ended.was_gate = true;
            let result = Box::pin(at_gate(context, of, open, &plan, deadline)).await;
            ended.result = result.with_duration(started.elapsed());
        }
    }
    ended
}

/// A result that is not what was declared is a failure.
fn given(of: &CompiledStep, result: StepResult) -> StepResult {
    result.and_then(|data| match of.gives.check(&data) {
        Ok(()) => Ok(data),
        Err(misfit) => {
            let text = format!("the result of {} does not fit: {misfit}", of.name);
            let failure = StepFailure::new(ErrorCategory::Invalid, text);
            Err(failure.with_partial(Some(data)))
        }
    })
}

/// One run of a step's work; without one it gives its input.
async fn once(
    context: &OrchestrationContext,
    of: &CompiledStep,
    work: Option<&SharedStep<Value, Value>>,
    input: Value,
) -> StepResult {
    if let Err(failure) = taken(of, &input) {
        return StepResult::failed(failure).with_attempts(0);
    }
    match work {
        Some(work) => given(of, contained(&**work, context, input).await),
        None => StepResult::success(input),
    }
}

struct Loop<'a> {
    workflow: &'a Compiled,
    context: &'a OrchestrationContext,
    of: &'a CompiledStep,
    repeat: &'a Repeat,
    work: Option<SharedStep<Value, Value>>,
    input: Prepared,
    reads: LoopReads,
}

impl Loop<'_> {
    async fn run(self) -> StepResult {
        let (mut cost, mut attempts) = (Amount::default(), 0_u32);
        let mut last = Value::Null;
        let mut number = 0;
        let repeat = self.repeat;
        let ended = loop {
            if number == repeat.iterations_max {
                // A loop with while is over only when its condition says so.
                break match repeat.until {
                    false => match self.holds(number.saturating_add(1), &last) {
                        Ok(false) => None,
                        Ok(true) => Some(self.endless()),
                        Err(failure) => Some(failure),
                    },
                    true => Some(self.endless()),
                };
            }
            number += 1;
            if !repeat.until {
                match self.holds(number, &last) {
                    Ok(true) => {}
                    Ok(false) if number == 1 => return SkipReason::ConditionFalse.into(),
                    Ok(false) => break None,
                    Err(failure) => break Some(failure),
                }
            }
            let input = self.input.here(Here {
                value: &last,
                number: number.into(),
            });
            let result = once(self.context, self.of, self.work.as_ref(), input).await;
            cost = cost.plus(&result.cost());
            attempts = attempts.saturating_add(result.attempts());
            match result.into_outcome() {
                StepOutcome::Success { data } => last = data,
                StepOutcome::Failure { failure } => break Some(*failure),
                StepOutcome::Skipped { skipped } if number == 1 => return skipped.into(),
                StepOutcome::Skipped { skipped } => break Some(ended_early(&skipped)),
            }
            if repeat.until {
                match self.holds(number, &last) {
                    Ok(true) => break None,
                    Ok(false) => {}
                    Err(failure) => break Some(failure),
                }
            }
            // A step that never waits must not hold up the thread.
            consume_budget().await;
            if let Some(reason) = time_is_over(self.context, Instant::now()) {
                break Some(ended_early(&reason));
            }
        };
        let result = match ended {
            None => StepResult::success(last),
            Some(failure) => {
                let partial = failure
                    .partial()
                    .cloned()
                    .or((!last.is_null()).then_some(last));
                StepResult::failed(failure.with_partial(partial))
            }
        };
        result.with_cost(cost).with_attempts(attempts)
    }

    fn endless(&self) -> StepFailure {
        let repeat = self.repeat;
        let word = if repeat.until { "until" } else { "while" };
        let text = format!(
            "{} ran {} times, and {word} {} did not end it",
            self.of.name, repeat.iterations_max, repeat.condition.text
        );
        StepFailure::permanent(text)
    }

    fn holds(&self, number: u32, last: &Value) -> Result<bool, StepFailure> {
        let steps = self.reads.steps.iter().map(|(step, value)| {
            let of = &self.workflow.steps[*step];
            (of.name.as_str(), &of.seen, value)
        });
        let status = self.reads.status.iter();
        let status = status.map(|(step, is)| (self.workflow.steps[*step].name.as_str(), *is));
        let readings = Readings {
            input: (&self.workflow.takes, &self.reads.input),
            steps: steps.collect(),
            status: status.collect(),
            iteration: Some(Iteration {
                number,
                last: (&self.of.gives, last),
            }),
        };
        is_true(self.workflow, &self.repeat.condition.parsed, &readings)
    }
}

/// Whether a condition is true; that it cannot be said is a failure.
pub(in crate::workflow) fn is_true(
    workflow: &Compiled,
    parsed: &crate::workflow::expression::Parsed,
    readings: &Readings<'_>,
) -> Result<bool, StepFailure> {
    let Some(evaluator) = &workflow.evaluator else {
        let text = "a condition in a workflow without expressions";
        return Err(StepFailure::new(ErrorCategory::Internal, text));
    };
    let value = evaluator.is_true(parsed, readings);
    value.map_err(|text| StepFailure::new(ErrorCategory::Invalid, text))
}

/// What a reason to begin nothing new means for work that has begun.
fn ended_early(reason: &SkipReason) -> StepFailure {
    let category = match reason {
        SkipReason::BudgetExhausted { .. } => ErrorCategory::Budget,
        SkipReason::DeadlinePassed => ErrorCategory::Timeout,
        SkipReason::Cancelled => ErrorCategory::Cancelled,
        _ => ErrorCategory::Dependency,
    };
    StepFailure::new(category, reason.to_string()).with_retry(RetryAdvice::Never)
}

/// Runs the work for each item, so many at once; the results in the order of the items.
async fn over_items(
    context: &OrchestrationContext,
    of: &CompiledStep,
    work: Option<SharedStep<Value, Value>>,
    input: &Prepared,
    items: &[Value],
    each: &Each,
) -> Vec<StepResult> {
    let mut results: Vec<Option<StepResult>> = Vec::new();
    results.resize_with(items.len(), || None);
    let mut queue = items.iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut stopped: Option<SkipReason> = None;
    loop {
        while running.len() < each.at_most {
            let Some((at, item)) = queue.next() else {
                break;
            };
            stopped = stopped.or_else(|| time_is_over(context, Instant::now()));
            if let Some(reason) = &stopped {
                results[at] = Some(reason.clone().into());
                continue;
            }
            let input = input.here(Here {
                value: item,
                number: at as u64,
            });
            let work = work.as_ref();
            running.push(async move { (at, once(context, of, work, input).await) });
        }
        let Some((at, result)) = running.next().await else {
            break;
        };
        // A budget without room begins nothing new; what runs holds its reservation and goes on.
        if let Some(reason @ SkipReason::BudgetExhausted { .. }) = result.skip_reason() {
            stopped.get_or_insert_with(|| reason.clone());
        }
        results[at] = Some(result);
        consume_budget().await;
    }
    results.into_iter().flatten().collect()
}

/// What the items come to together.
fn collected(of: &CompiledStep, each: &Each, items: &[StepResult]) -> StepResult {
    let cost = items
        .iter()
        .fold(Amount::default(), |sum, r| sum.plus(&r.cost()));
    let attempts = items
        .iter()
        .fold(0, |sum: u32, r| sum.saturating_add(r.attempts()));
    let successes = items.iter().filter(|r| r.is_success()).count();
    let data = || {
        let data = items
            .iter()
            .map(|r| r.data().cloned().unwrap_or(Value::Null));
        Value::Array(data.collect())
    };
    let required = each
        .required
        .map_or(items.len(), |number| number.min(items.len()));
    let first_skip = items.iter().find_map(StepResult::skip_reason);
    let result = if successes >= required {
        StepResult::success(data())
    } else if let (Some(skipped), 0) = (first_skip, attempts) {
        StepResult::skipped(skipped.clone())
    } else {
        let (mut text, mut category) = (String::new(), None);
        for (at, result) in items.iter().enumerate() {
            let why = match result.outcome() {
                StepOutcome::Success { .. } => continue,
                StepOutcome::Failure { failure } => {
                    category.get_or_insert((failure.category(), failure.retry()));
                    failure.to_string()
                }
                StepOutcome::Skipped { skipped } => {
                    let ended = ended_early(skipped);
                    category.get_or_insert((ended.category(), ended.retry()));
                    skipped.to_string()
                }
            };
            if text.len() < 1_024 {
                text.push_str(&format!("; item {at}: {why}"));
            }
        }
        let (category, retry) = category.unwrap_or((ErrorCategory::Work, RetryAdvice::Never));
        let text = format!(
            "{successes} of {} items of {} succeeded{text}",
            items.len(),
            of.name
        );
        let failure = StepFailure::new(category, text).with_retry(retry);
        StepResult::failed(failure.with_partial(Some(data())))
    };
    result.with_cost(cost).with_attempts(attempts)
}

/// A list that is not too long.
pub(super) fn items(of: &CompiledStep, list: Option<&Value>) -> Result<Vec<Value>, StepFailure> {
    let invalid = |text: String| Err(StepFailure::new(ErrorCategory::Invalid, text));
    match list {
        Some(Value::Array(items)) if items.len() > STEPS_MAX => {
            let count = items.len();
            invalid(format!(
                "{count} items for {}, and {STEPS_MAX} is the most; split the list",
                of.name
            ))
        }
        Some(Value::Array(items)) => Ok(items.clone()),
        _ => invalid(format!(
            "for_each of {} over a value that is no list",
            of.name
        )),
    }
}

/// Opens a gate.
pub(super) fn opened(
    gates: &Gates,
    workflow: &Compiled,
    context: &OrchestrationContext,
    of: &CompiledStep,
    plan: &GatePlan,
    input: Value,
) -> Result<(OpenGate, Option<Instant>), StepFailure> {
    let deadline = Instant::now().checked_add(plan.deadline);
    let view = |id| GateView {
        id,
        workflow: workflow.name.clone(),
        step: of.name.clone(),
        request: context.request().as_str().to_owned(),
        question: plan.question.clone(),
        choices: std::sync::Arc::clone(&plan.choices),
        input,
        default: plan.default.clone(),
        deadline: deadline.unwrap_or_else(|| Instant::now() + crate::workflow::gate::GATE_DEADLINE),
    };
    match gates.open(view) {
        Some(open) => Ok((open, deadline)),
        None => {
            let text = format!(
                "{} gates wait, and no further one is opened",
                crate::workflow::gate::GATES_MAX
            );
            Err(StepFailure::new(ErrorCategory::Overloaded, text))
        }
    }
}

async fn at_gate(
    context: &OrchestrationContext,
    of: &CompiledStep,
    mut open: OpenGate,
    plan: &GatePlan,
    deadline: Option<Instant>,
) -> StepResult {
    let ends = context.deadline();
    let first = [deadline, ends].into_iter().flatten().min();
    let timer = async {
        match first {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    let decision = tokio::select! {
        biased;
        decision = &mut open.decision => decision.ok(),
        () = context.cancellation().cancelled() => {
            let text = format!("{} was cancelled before a decision", of.name);
            return StepFailure::new(ErrorCategory::Cancelled, text).into();
        }
        () = timer => None,
    };
    let decision = match (decision, &plan.default) {
        (Some(decision), _) => decision,
        (None, Some(choice)) if deadline == first => open.default_to(choice),
        (None, _) => {
            let text = format!("nobody decided at {} in time", of.name);
            let failure = StepFailure::new(ErrorCategory::Timeout, text);
            return failure.with_retry(RetryAdvice::Never).into();
        }
    };
    StepResult::from(
        serde_json::to_value(decision)
            .map_err(|e| crate::orchestration::misfit::<Value>("data", e)),
    )
}
