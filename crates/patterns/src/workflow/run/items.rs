//! A step over a list.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio::task::coop::consume_budget;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::{ErrorCategory, RetryAdvice, SkipReason, StepFailure, StepOutcome, StepResult};
use crate::step::{SharedStep, time_is_over};
use crate::strategy::STEPS_MAX;
use crate::workflow::compiled::{CompiledStep, Each};
use crate::workflow::run::input::{Here, Prepared};
use crate::workflow::run::one::{ended_early, once};

/// Runs the work for each item, so many at once; the results in the order of the items.
pub(super) async fn over_items(
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
pub(super) fn collected(of: &CompiledStep, each: &Each, items: &[StepResult]) -> StepResult {
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
