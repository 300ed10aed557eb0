//! Retries.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator::{Amount, RetryPolicy};
use universal_orchestrator_patterns::{
    ErrorCategory, Parallel, Retry, SkipReason, Specialist, Step, StepContext, StepFailure,
};

use crate::common::{Behaviour, context, function, orchestrator, tokens, with_budget};

fn policy() -> RetryPolicy {
    RetryPolicy::exponential(4, Duration::from_secs(1), Duration::from_secs(60))
}

#[tokio::test(start_paused = true)]
async fn costs_and_attempts_of_all_tries_are_counted() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(100));
    let tries = std::sync::atomic::AtomicU32::new(0);
    let buys = Specialist::function("buys", move |n: u32, step: StepContext| {
        let n = n + tries.fetch_add(1, Ordering::SeqCst);
        async move {
            step.charge(Amount::tokens(5))?;
            if n < 2 {
                Err(StepFailure::retryable("not yet"))
            } else {
                Ok(n)
            }
        }
    });
    let result = Retry::new(buys, policy()).run(&context, 0).await;
    assert_eq!(
        (result.data(), result.attempts(), result.cost().tokens),
        (Some(&2), 3, 15)
    );
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_never_retried_and_a_panic_neither() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(3));
    let buys = crate::common::buys("buys", 0, 5);
    let started = Instant::now();
    let result = Retry::new(buys, policy()).run(&context, 0).await;
    assert_eq!(
        result.failure().map(StepFailure::category),
        Some(ErrorCategory::Budget)
    );
    assert_eq!((result.attempts(), started.elapsed().as_secs()), (1, 0));
    let skipped = Retry::new(crate::common::buys("buys", 4, 4), policy())
        .run(&context, 0)
        .await;
    assert!(matches!(
        skipped.skip_reason(),
        Some(SkipReason::BudgetExhausted { .. })
    ));
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn it_waits_as_long_as_it_is_asked_to_and_not_past_the_deadline() {
    let o = orchestrator().await;
    let root = context(&o);
    let asks = || {
        let first = std::sync::atomic::AtomicBool::new(true);
        Specialist::function("asks", move |n: u32, _: StepContext| {
            let first = first.swap(false, Ordering::SeqCst);
            async move {
                if first {
                    Err(StepFailure::throttled("slow down", Duration::from_secs(20)))
                } else {
                    Ok(n)
                }
            }
        })
    };
    let result = Retry::new(asks(), policy()).run(&root, 1).await;
    assert_eq!((result.data(), result.duration().as_secs()), (Some(&1), 20));
    let hurried = root
        .child()
        .deadline_in(Duration::from_secs(20))
        .build()
        .unwrap();
    let started = Instant::now();
    let result = Retry::new(asks(), policy()).run(&hurried, 1).await;
    assert_eq!(
        result.failure().map(StepFailure::category),
        Some(ErrorCategory::Overloaded)
    );
    assert_eq!(
        started.elapsed(),
        Duration::ZERO,
        "it does not wait for nothing"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn jitter_is_repeatable_and_calls_that_fail_together_do_not_come_back_together() {
    let o = orchestrator().await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let context = context(&o);
        let (fails, calls) = function("fails", Behaviour::Failing);
        let retry = Arc::new(Retry::new(
            fails,
            RetryPolicy {
                max_attempts: 2,
                ..policy()
            },
        ));
        let all = (0..5).fold(Parallel::new("p"), |p, _| p.step(Arc::clone(&retry)));
        let report = all.report(&context, 1).await;
        let times: Vec<_> = report
            .steps()
            .iter()
            .map(|s| s.result().duration())
            .collect();
        assert_eq!(calls.load(Ordering::SeqCst), 10);
        runs.push(times);
    }
    assert_eq!(runs[0], runs[1]);
    let mut times = runs.remove(0);
    times.sort();
    times.dedup();
    assert_eq!(times.len(), 5);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_ends_the_wait() {
    let o = orchestrator().await;
    let context = context(&o);
    let (fails, _) = function("fails", Behaviour::Failing);
    let retry = Retry::new(fails, policy());
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        context.cancel();
    };
    let (result, ()) = tokio::join!(retry.run(&context, 1), cancel);
    assert_eq!(
        (result.attempts(), result.duration()),
        (1, Duration::from_millis(10))
    );
    o.shutdown().await;
}
