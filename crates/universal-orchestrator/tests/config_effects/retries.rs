//! `[retry]`: seen as the delays between attempts.

use std::time::Duration;

use universal_orchestrator::plugin::HookPoint;
use universal_orchestrator::{Event, OrchestratorConfig, UniversalOrchestrator};

use crate::common::*;
use crate::*;

/// The delays before the further attempts of a task that never succeeds.
pub(crate) async fn delays(o: &UniversalOrchestrator) -> Vec<Duration> {
    let mut events = o.events();
    o.register_agent(worker("w", &["x"], flaky()))
        .await
        .unwrap();
    drop(o.execute(task("x").payload(u32::MAX)).await.unwrap());
    let mut delays = Vec::new();
    while let Some(record) = events.try_next() {
        if let Event::TaskRetrying { delay, .. } = record.event {
            delays.push(delay);
        }
    }
    delays
}

#[tokio::test(start_paused = true)]
async fn each_key_of_retry_shapes_the_delays() {
    let cases: [Set<&[u64]>; 9] = [
        ("the defaults", |_| {}, &[100, 200]),
        (
            "max_attempts",
            |c| c.retry.max_attempts = 5,
            &[100, 200, 400, 800],
        ),
        ("max_attempts", |c| c.retry.max_attempts = 1, &[]),
        ("base_delay_ms", |c| c.retry.base_delay_ms = 7, &[7, 14]),
        ("base_delay_ms", |c| c.retry.base_delay_ms = 0, &[0, 0]),
        ("max_delay_ms", |c| c.retry.max_delay_ms = 150, &[100, 150]),
        ("multiplier", |c| c.retry.multiplier = 1.0, &[100, 100]),
        ("multiplier", |c| c.retry.multiplier = 5.0, &[100, 500]),
        (
            "both 0",
            |c| (c.retry.base_delay_ms, c.retry.max_delay_ms) = (0, 0),
            &[0, 0],
        ),
    ];
    for (key, set, expected) in cases {
        let o = with_config(|c| {
            c.retry.jitter = 0.0;
            set(c);
        })
        .await;
        let begun = tokio::time::Instant::now();
        let delays = delays(&o).await;
        let expected: Vec<_> = expected.iter().map(|millis| ms(*millis)).collect();
        assert_eq!(delays, expected, "{key}");
        let waited = begun.elapsed();
        let sum: Duration = expected.iter().sum();
        assert!(waited >= sum && waited < sum + ms(20), "{key}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn jitter_is_the_share_of_a_delay_that_is_random() {
    for (jitter, least) in [(0.0, 100), (0.5, 50), (0.2, 80), (1.0, 0)] {
        let mut seen = Vec::new();
        for seed in 0..20 {
            let o = with_config(|c: &mut OrchestratorConfig| {
                c.retry.jitter = jitter;
                c.retry.max_attempts = 2;
                c.seed = Some(seed);
            })
            .await;
            seen.extend(delays(&o).await);
        }
        assert_eq!(seen.len(), 20);
        let within = |delay: &Duration| (ms(least)..=ms(100)).contains(delay);
        assert!(seen.iter().all(within), "{jitter}: {seen:?}");
        let shortest = seen.iter().min().unwrap();
        assert!(*shortest <= ms(least + 20), "{jitter}: the range is used");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_s_own_policy_stands_above_the_configured_one() {
    let (o, recorder) = recorded(|c| c.retry.max_attempts = 9).await;
    o.register_agent(worker("w", &["x"], flaky()))
        .await
        .unwrap();
    let own = universal_orchestrator::RetryPolicy::immediate(2);
    let outcome = o.execute(task("x").payload(5).retry(own)).await.unwrap();
    assert_eq!(
        (outcome.attempts(), recorder.count(HookPoint::Retry)),
        (2, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_s_own_policy_asks_for_no_more_attempts_than_configured() {
    let o = with_config(|c: &mut OrchestratorConfig| c.retry.attempts_max = 2).await;
    o.register_agent(worker("w", &["x"], flaky()))
        .await
        .unwrap();
    let asks = |attempts| {
        let own = universal_orchestrator::RetryPolicy::immediate(attempts);
        o.execute(task("x").payload(1).retry(own))
    };
    assert_eq!(asks(2).await.unwrap().attempts(), 2);
    let refused = asks(3).await.unwrap_err();
    assert_eq!(refused.reason().as_str(), "invalid");
}
