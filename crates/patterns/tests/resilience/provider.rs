//! Check R6: limits of a provider that all runs share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::time::Instant;
use universal_orchestrator::RetryPolicy;
use universal_orchestrator_patterns::{
    ErrorCategory, Parallel, Provider, ProviderLimits, Rate, Retry, RetryAdvice, Specialist,
    StepContext, StepFailure, Throttled,
};

use crate::common::{context, orchestrator};

/// A remote service that takes one call a second and refuses what comes earlier. A call takes 400 milliseconds.
struct Service {
    free_at: Mutex<Instant>,
    calls: AtomicU32,
    refused: AtomicU32,
}

impl Service {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            free_at: Mutex::new(Instant::now()),
            calls: AtomicU32::new(0),
            refused: AtomicU32::new(0),
        })
    }

    fn specialist(self: &Arc<Self>, name: String) -> Specialist<u32, u32> {
        let service = Arc::clone(self);
        Specialist::function(name, move |n: u32, _: StepContext| {
            let service = Arc::clone(&service);
            async move {
                service.calls.fetch_add(1, Ordering::SeqCst);
                {
                    let mut free_at = service.free_at.lock();
                    let now = Instant::now();
                    if now < *free_at {
                        service.refused.fetch_add(1, Ordering::SeqCst);
                        return Err(StepFailure::throttled("429", *free_at - now));
                    }
                    *free_at = now + Duration::from_secs(1);
                }
                tokio::time::sleep(Duration::from_millis(400)).await;
                Ok(n)
            }
        })
    }
}

fn one_a_second() -> ProviderLimits {
    ProviderLimits {
        rate: Some(Rate {
            calls: 1,
            per: Duration::from_secs(1),
            burst: 1,
        }),
        ..ProviderLimits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn r6_25_calls_on_5_throttled_providers_finish_in_the_ideal_time_without_a_retry_storm() {
    let o = orchestrator().await;
    let services: Vec<_> = (0..5).map(|_| Service::new()).collect();
    let providers: Vec<_> = (0..5)
        .map(|n| Arc::new(Provider::new(format!("p{n}"), one_a_second())))
        .collect();
    let policy = RetryPolicy::exponential(5, Duration::from_millis(100), Duration::from_secs(10));
    // Five runs at once, each with one call of every provider: the limits are shared by all runs.
    let run = |run: usize| {
        let (o, services, providers) = (o.clone(), services.clone(), providers.clone());
        async move {
            let all = services.iter().zip(providers).enumerate().fold(
                Parallel::new("run"),
                |all, (n, (service, provider))| {
                    let throttled =
                        Throttled::new(service.specialist(format!("{run}/{n}")), provider);
                    all.step(Retry::new(throttled, policy))
                },
            );
            all.report(&context(&o), 1).await
        }
    };
    let started = Instant::now();
    let reports = futures::future::join_all((0..5).map(run)).await;
    // The fifth call of each provider begins after four seconds and takes 0.4.
    assert_eq!(started.elapsed(), Duration::from_millis(4_400));
    assert!(
        reports
            .iter()
            .all(universal_orchestrator_patterns::RunReport::is_complete)
    );
    for service in services {
        assert_eq!(
            (
                service.calls.load(Ordering::SeqCst),
                service.refused.load(Ordering::SeqCst)
            ),
            (5, 0)
        );
    }
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn r6_when_a_provider_throttles_all_the_same_everybody_waits_and_comes_back_one_by_one() {
    let o = orchestrator().await;
    let service = Service::new();
    // The service is busy for ten seconds with others, of whom nobody here knows.
    *service.free_at.lock() = Instant::now() + Duration::from_secs(10);
    let provider = Arc::new(Provider::new("p", one_a_second()));
    let policy = RetryPolicy::exponential(5, Duration::from_millis(100), Duration::from_secs(10));
    let all = (0..5).fold(Parallel::new("run"), |all, n| {
        all.step(Retry::new(
            Throttled::new(service.specialist(n.to_string()), Arc::clone(&provider)),
            policy,
        ))
    });
    let started = Instant::now();
    let report = all.report(&context(&o), 1).await;
    assert!(report.is_complete(), "{:?}", report.missing());
    assert_eq!(
        service.refused.load(Ordering::SeqCst),
        1,
        "the first one learns it, the others wait"
    );
    assert!(
        started.elapsed() <= Duration::from_millis(15_400),
        "{:?}",
        started.elapsed()
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_let_through_and_then_the_rate_holds() {
    let o = orchestrator().await;
    let context = context(&o);
    let rate = Rate {
        calls: 2,
        per: Duration::from_secs(1),
        burst: 3,
    };
    let provider = Provider::new(
        "p",
        ProviderLimits {
            rate: Some(rate),
            ..ProviderLimits::default()
        },
    );
    let started = Instant::now();
    let mut times = Vec::new();
    for _ in 0..6 {
        drop(provider.enter(&context).await.unwrap());
        times.push(started.elapsed().as_millis());
    }
    assert_eq!(times, [0, 0, 0, 500, 1_000, 1_500]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let again = Instant::now();
    for _ in 0..4 {
        drop(provider.enter(&context).await.unwrap());
    }
    assert_eq!(
        again.elapsed().as_millis(),
        500,
        "a pause earns one burst and no more"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn places_are_bounded_shared_and_given_back() {
    let o = orchestrator().await;
    let root = context(&o);
    let limits = ProviderLimits {
        concurrency: 2,
        rate: None,
        waiting_max: 1,
    };
    let provider = Provider::new("p", limits);
    let first = provider.enter(&root).await.unwrap();
    let _second = provider.enter(&root).await.unwrap();
    let mut third = Box::pin(provider.enter(&root));
    assert!((&mut third).now_or_never().is_none());
    let fourth = provider.enter(&root).await.unwrap_err();
    assert_eq!(
        fourth.to_string(),
        "overloaded: 1 calls wait for provider p, its limit: call it later, or raise waiting_max"
    );
    let view = provider.view();
    assert_eq!(
        (view.in_flight, view.waiting, view.refused, view.admitted),
        (2, 1, 1, 2)
    );
    drop(first);
    drop(third.await.unwrap());
    assert_eq!(provider.view().in_flight, 1);
    let hurried = root
        .child()
        .deadline_in(Duration::from_secs(1))
        .build()
        .unwrap();
    let _third = provider.enter(&root).await.unwrap();
    let late = provider.enter(&hurried).await.unwrap_err();
    assert_eq!(late.category(), ErrorCategory::Timeout);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_after_the_deadline_is_refused_at_once_and_given_back() {
    let o = orchestrator().await;
    let root = context(&o);
    let provider = Provider::new("p", one_a_second());
    drop(provider.enter(&root).await.unwrap());
    let hurried = root
        .child()
        .deadline_in(Duration::from_millis(500))
        .build()
        .unwrap();
    let started = Instant::now();
    let refused = provider.enter(&hurried).await.unwrap_err();
    assert_eq!(
        (refused.category(), refused.retry()),
        (ErrorCategory::Overloaded, RetryAdvice::Never)
    );
    assert_eq!(started.elapsed(), Duration::ZERO);
    let mut gone = Box::pin(provider.enter(&root));
    assert!((&mut gone).now_or_never().is_none());
    drop(gone);
    drop(provider.enter(&root).await.unwrap());
    assert_eq!(
        started.elapsed(),
        Duration::from_secs(1),
        "its turn was not lost"
    );
    o.shutdown().await;
}
