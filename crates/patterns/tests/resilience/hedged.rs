//! Hedged requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use universal_orchestrator::Amount;
use universal_orchestrator_patterns::{Hedged, Specialist, Step, StepContext, StepFailure};

use crate::common::{context, orchestrator, tokens, with_budget};

/// The first copy hangs, the others take 100 milliseconds.
fn first_hangs() -> (Specialist<u32, u32>, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let work = move |n: u32, _: StepContext| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            if call == 0 {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, StepFailure>(n)
        }
    };
    (Specialist::function("first hangs", work), calls)
}

#[tokio::test(start_paused = true)]
async fn a_second_copy_answers_for_one_that_hangs_and_both_are_paid() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(10));
    let (step, calls) = first_hangs();
    let hedged = Hedged::new(step.estimate(Amount::tokens(3)), Duration::from_secs(1)).copies(4);
    let result = hedged.run(&context, 1).await;
    assert_eq!(
        (result.data(), result.duration()),
        (Some(&1), Duration::from_millis(1_100))
    );
    assert_eq!((result.attempts(), calls.load(Ordering::SeqCst)), (2, 2));
    // The one that was cut off is charged its estimate, the other bought nothing.
    assert_eq!(
        (
            result.cost().tokens,
            context.account().unwrap().spent.tokens
        ),
        (3, 3)
    );
    assert!(context.account().unwrap().reserved.is_zero());
    assert!(!context.is_cancelled());
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn one_copy_is_no_hedge_and_a_quick_answer_needs_none() {
    let o = orchestrator().await;
    let context = context(&o)
        .child()
        .deadline_in(Duration::from_secs(9))
        .build()
        .unwrap();
    let (step, calls) = first_hangs();
    let result = Hedged::new(step, Duration::from_secs(1))
        .copies(0)
        .run(&context, 1)
        .await;
    assert!(result.failure().is_some());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    o.shutdown().await;
}
