//! Check R1: the states of the breaker around a step.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::Notify;
use universal_orchestrator::{BreakerSettings, BreakerState};
use universal_orchestrator_patterns::{
    Breaker, ErrorCategory, Guarded, RetryAdvice, Specialist, Step, StepContext, StepFailure,
};

use crate::common::{context, orchestrator, tokens, with_budget};

fn settings() -> BreakerSettings {
    BreakerSettings {
        minimum_calls: 4,
        half_open_probes: 2,
        open_for: Duration::from_secs(30),
        ..BreakerSettings::default()
    }
}

/// Fails as the number says: 0 succeeds, 1 fails, 2 waits until told.
fn told(go: &Arc<Notify>) -> (Guarded<u32, u32>, Arc<Breaker>, Arc<AtomicU32>) {
    let breaker = Arc::new(Breaker::new("model", settings()));
    let calls = Arc::new(AtomicU32::new(0));
    let (go, counter) = (Arc::clone(go), Arc::clone(&calls));
    let work = move |how: u32, _: StepContext| {
        let (go, counter) = (Arc::clone(&go), Arc::clone(&counter));
        async move {
            counter.fetch_add(1, Ordering::SeqCst);
            match how {
                0 => Ok(0),
                1 => Err(StepFailure::permanent("told to")),
                _ => {
                    go.notified().await;
                    Ok(2)
                }
            }
        }
    };
    (
        Guarded::new(Specialist::function("told", work), Arc::clone(&breaker)),
        breaker,
        calls,
    )
}

#[tokio::test(start_paused = true)]
async fn r1_a_breaker_opens_probes_and_closes() {
    let (o, go) = (orchestrator().await, Arc::new(Notify::new()));
    let context = context(&o);
    let (step, breaker, calls) = told(&go);
    for how in [0, 0, 1, 1] {
        assert_eq!(breaker.state(), BreakerState::Closed);
        let _ = step.run(&context, how).await;
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    tokio::time::advance(Duration::from_secs(10)).await;
    let refused = step.run(&context, 0).await;
    let failure = refused.failure().unwrap();
    assert_eq!(failure.category(), ErrorCategory::Unavailable);
    assert_eq!(failure.retry(), RetryAdvice::After(Duration::from_secs(20)));
    assert_eq!((refused.attempts(), calls.load(Ordering::SeqCst)), (0, 4));

    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    let mut probes: Vec<_> = (0..2).map(|_| step.run(&context, 2)).collect();
    for probe in &mut probes {
        assert!(probe.now_or_never().is_none());
    }
    let third = step.run(&context, 0).await;
    assert!(third.failure().is_some(), "two probes at once and no more");
    for probe in probes {
        go.notify_one();
        assert!(probe.await.is_success());
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn r1_a_failed_probe_opens_it_again_and_a_dropped_one_gives_its_place_back() {
    let (o, go) = (orchestrator().await, Arc::new(Notify::new()));
    let context = context(&o);
    let (step, breaker, _) = told(&go);
    for _ in 0..4 {
        let _ = step.run(&context, 1).await;
    }
    tokio::time::advance(Duration::from_secs(30)).await;
    for _ in 0..3 {
        let mut probe = step.run(&context, 2);
        assert!((&mut probe).now_or_never().is_none());
        drop(probe);
    }
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert!(step.run(&context, 1).await.failure().is_some());
    assert_eq!(breaker.state(), BreakerState::Open);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_callee_is_not_to_blame_for_does_not_count() {
    let o = orchestrator().await;
    let breaker = Arc::new(Breaker::new("model", settings()));
    let misfit = Specialist::function("misfit", |_: u32, _: StepContext| async move {
        Err::<u32, _>(StepFailure::new(ErrorCategory::Invalid, "told to"))
    });
    let step = Guarded::new(misfit, Arc::clone(&breaker));
    let poor = with_budget(&o, tokens(0));
    let (cancelled, rich) = (context(&o), context(&o));
    cancelled.cancel();
    for _ in 0..20 {
        for context in [&poor, &cancelled, &rich] {
            let _ = step.run(context, 1).await;
        }
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    drop(poor);
    o.shutdown().await;
}
