//! Check R1: each kind of resilience around a specialist, and around a strategy, with each behaviour; agents and functions alike.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator::{BreakerSettings, RetryPolicy};
use universal_orchestrator_patterns::{
    Breaker, ErrorCategory, Fallback, Guarded, Hedged, Provider, ProviderLimits, Retry, Routed,
    SharedStep, Step, StepFailure, Throttled,
};

use crate::common::{BEHAVIOURS, Behaviour, agent, context, function, orchestrator};

const KINDS: [&str; 7] = [
    "plain",
    "retry",
    "breaker",
    "throttled",
    "hedged",
    "routed",
    "all, around a strategy",
];

fn retry(step: impl Step<u32, u32> + 'static) -> Retry<u32, u32> {
    let policy = RetryPolicy {
        jitter: 0.0,
        ..RetryPolicy::exponential(3, Duration::from_secs(1), Duration::from_secs(10))
    };
    Retry::new(step, policy)
}

fn around(kind: &str, step: SharedStep<u32, u32>) -> SharedStep<u32, u32> {
    let breaker = || Arc::new(Breaker::new("b", BreakerSettings::default()));
    let provider = || Arc::new(Provider::new("p", ProviderLimits::default()));
    match kind {
        "plain" => step,
        "retry" => Arc::new(retry(step)),
        "breaker" => Arc::new(Guarded::new(step, breaker())),
        "throttled" => Arc::new(Throttled::new(step, provider())),
        "hedged" => Arc::new(Hedged::new(step, Duration::from_secs(4))),
        "routed" => Arc::new(Routed::new("r").to(step)),
        _ => {
            let guarded = Guarded::new(Throttled::new(step, provider()), breaker());
            Arc::new(retry(
                Fallback::new("chain").step(Hedged::new(guarded, Duration::from_secs(4))),
            ))
        }
    }
}

/// The category of the failure, the seconds, and how often the specialist was called.
fn expected(kind: &str, behaviour: Behaviour) -> (Option<ErrorCategory>, u64, u32) {
    use Behaviour::{Failing, Flapping, Hanging, Healthy, Slow};
    let work = Some(ErrorCategory::Work);
    let timeout = Some(ErrorCategory::Timeout);
    match (kind, behaviour) {
        (_, Healthy) => (None, 0, 1),
        // A second copy goes out after four seconds, and the first one wins.
        ("hedged", Slow) | ("all, around a strategy", Slow) => (None, 10, 2),
        ("hedged", Hanging) | ("all, around a strategy", Hanging) => (timeout, 60, 2),
        (_, Slow) => (None, 10, 1),
        (_, Hanging) => (timeout, 60, 1),
        ("retry", Failing) => (work, 3, 3),
        ("retry", Flapping) => (None, 1, 2),
        ("hedged", Failing) => (work, 0, 2),
        ("hedged", Flapping) => (None, 0, 2),
        ("all, around a strategy", Failing) => (work, 3, 6),
        ("all, around a strategy", Flapping) => (None, 0, 2),
        (_, Failing | Flapping) => (work, 0, 1),
    }
}

#[tokio::test(start_paused = true)]
async fn r1_each_kind_of_resilience_with_each_behaviour() {
    for agents in [false, true] {
        for kind in KINDS {
            for behaviour in BEHAVIOURS {
                let o = orchestrator().await;
                let (specialist, calls) = if agents {
                    agent(&o, "odd", behaviour).await
                } else {
                    function("odd", behaviour)
                };
                let step = around(kind, Arc::new(specialist.timeout(Duration::from_secs(300))));
                let context = context(&o)
                    .child()
                    .deadline_in(Duration::from_secs(60))
                    .build()
                    .unwrap();
                let started = Instant::now();
                let result = step.run(&context, 1).await;
                let seen = (
                    result.failure().map(StepFailure::category),
                    started.elapsed().as_secs(),
                    calls.load(Ordering::SeqCst),
                );
                assert_eq!(
                    seen,
                    expected(kind, behaviour),
                    "{kind} {behaviour:?} agents: {agents}"
                );
                assert_eq!(result.is_success(), seen.0.is_none());
                drop(context);
                o.shutdown().await;
            }
        }
    }
}
