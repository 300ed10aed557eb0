//! The resilience of the guide.

use std::sync::atomic::{AtomicU32, Ordering};

use universal_orchestrator_patterns::{OrchestrationContext, Specialist, StepContext, StepFailure};

use crate::{Tested, with_readers};

/// Answers at the second try.
fn flaky(name: &str) -> Specialist<u32, u32> {
    let calls = AtomicU32::new(0);
    Specialist::function(name, move |n: u32, _: StepContext| {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        async move {
            if call == 0 {
                return Err(StepFailure::retryable("try again"));
            }
            Ok(n)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn around_a_call() -> Tested {
    let orchestrator = with_readers().await?;
    let context = OrchestrationContext::builder(&orchestrator).build()?;
    use std::sync::Arc;
    use std::time::Duration;
    use universal_orchestrator::{BreakerSettings, RetryPolicy};
    use universal_orchestrator_patterns::{
        Breaker, Guarded, Provider, ProviderLimits, Rate, Retry, Step, Throttled,
    };

    // One of each for the whole process: all runs share them.
    let rate = Rate {
        calls: 10,
        per: Duration::from_secs(1),
        burst: 5,
    };
    let limits = ProviderLimits {
        rate: Some(rate),
        ..ProviderLimits::default()
    };
    let provider = Arc::new(Provider::new("model", limits));
    let breaker = Arc::new(Breaker::new("model", BreakerSettings::default()));

    // From the inside out: the call, within the limits, behind the breaker, tried again.
    let policy = RetryPolicy::exponential(4, Duration::from_millis(200), Duration::from_secs(10));
    let call = Throttled::new(flaky("ask"), Arc::clone(&provider));
    let call = Retry::new(Guarded::new(call, Arc::clone(&breaker)), policy);
    let result = call.run(&context, 7).await;
    assert_eq!((result.data(), result.attempts()), (Some(&7), 2));
    assert_eq!(provider.view().admitted, 2);
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn among_providers() -> Tested {
    let orchestrator = with_readers().await?;
    let context = OrchestrationContext::builder(&orchestrator).build()?;
    use std::time::Duration;
    use universal_orchestrator_patterns::{Hedged, Routed, Step};

    // The one that does best gets the calls; a slow answer is asked for a second time.
    let model = Routed::new("model").to(flaky("here")).to(flaky("there"));
    let model = Hedged::new(model, Duration::from_secs(2));
    assert!(model.run(&context, 1).await.failure().is_some());
    assert!(model.run(&context, 1).await.is_success());
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}
