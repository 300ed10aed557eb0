//! Check R2: long-lived orchestrations survive a million calls; what every method does wrong is contained; contexts propagate and do not change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use universal_orchestrator::Amount;
use universal_orchestrator_patterns::{
    Background, ErrorCategory, Facade, Orchestration, OrchestrationContext, SkipReason,
    StepFailure, StepResult, orchestration_fn,
};

use crate::common::{context, orchestrator, tokens, with_budget};
use crate::spec;

struct Counter(AtomicU64);

#[async_trait]
impl Orchestration for Counter {
    async fn orchestrate(&self, _: &OrchestrationContext, _: Value) -> StepResult {
        StepResult::success(json!(self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }
}

#[tokio::test]
async fn r2_a_long_lived_orchestration_survives_a_million_calls() {
    const CALLS: u64 = 1_000_000;
    let (o, facade) = (orchestrator().await, Facade::new());
    facade
        .register(spec("counter"), Counter(AtomicU64::new(0)))
        .await
        .unwrap();
    let context = context(&o);
    for n in 1..=CALLS {
        let result = facade
            .orchestrate("counter", &context, Value::Null)
            .await
            .unwrap();
        assert_eq!(result.data().and_then(Value::as_u64), Some(n));
    }
    let view = facade.get("counter").unwrap();
    assert_eq!(
        (view.succeeded, view.in_flight, view.running),
        (CALLS, 0, true)
    );
    o.shutdown().await;
}

/// Panics, fails or declines in one of its methods.
struct Misbehaves(&'static str);

#[async_trait]
impl Orchestration for Misbehaves {
    async fn orchestrate(&self, _: &OrchestrationContext, _: Value) -> StepResult {
        match self.0 {
            "panic in orchestrate" => panic!("told to"),
            "fail in orchestrate" => StepFailure::permanent("told to").into(),
            _ => StepResult::success(Value::Null),
        }
    }

    fn accepts(&self, _: &OrchestrationContext, _: &Value) -> Result<(), String> {
        match self.0 {
            "panic in accepts" => panic!("told to"),
            "decline" => Err("told to".to_owned()),
            _ => Ok(()),
        }
    }

    async fn start(&self, _: &Background) -> Result<(), StepFailure> {
        match self.0 {
            "panic in start" => panic!("told to"),
            "fail in start" => Err(StepFailure::permanent("told to")),
            _ => Ok(()),
        }
    }

    async fn stop(&self) {
        if self.0 == "panic in stop" {
            panic!("told to");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r2_what_every_method_does_wrong_is_contained() {
    let (o, facade) = (orchestrator().await, Facade::new());
    let context = context(&o);
    for (how, category) in [
        ("panic in start", ErrorCategory::Panicked),
        ("fail in start", ErrorCategory::Work),
    ] {
        let refused = facade
            .register(spec("x"), Misbehaves(how))
            .await
            .unwrap_err();
        let text = refused.reason().to_string();
        assert!(
            text.starts_with("orchestration x did not start: ") && text.contains(category.as_str()),
            "{text}"
        );
        assert!(facade.get("x").is_none());
    }
    for (how, category) in [
        ("panic in orchestrate", ErrorCategory::Panicked),
        ("panic in accepts", ErrorCategory::Panicked),
        ("fail in orchestrate", ErrorCategory::Work),
    ] {
        facade.register(spec("x"), Misbehaves(how)).await.unwrap();
        for calls in 1..=2 {
            let result = facade
                .orchestrate("x", &context, Value::Null)
                .await
                .unwrap();
            assert_eq!(
                result.failure().map(StepFailure::category),
                Some(category),
                "{how}"
            );
            let view = facade.get("x").unwrap();
            let panics = if category == ErrorCategory::Panicked {
                calls
            } else {
                0
            };
            assert_eq!(
                (view.failed, view.panics, view.in_flight),
                (calls, panics, 0)
            );
        }
        facade.unregister("x").await.unwrap();
    }
    facade
        .register(spec("x"), Misbehaves("decline"))
        .await
        .unwrap();
    let result = facade
        .orchestrate("x", &context, Value::Null)
        .await
        .unwrap();
    assert_eq!(
        result.skip_reason(),
        Some(&SkipReason::Declined {
            detail: "told to".to_owned()
        })
    );
    facade.unregister("x").await.unwrap();
    facade
        .register(spec("x"), Misbehaves("panic in stop"))
        .await
        .unwrap();
    let removed = facade.unregister("x").await.unwrap();
    assert_eq!(
        removed.stop_failed.as_deref(),
        Some("panicked: stop of x panicked: told to")
    );
    assert!(facade.get("x").is_none());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn r2_deadline_cancellation_budget_and_values_reach_the_inner_call() {
    let (o, facade) = (orchestrator().await, Facade::new());
    let seen = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let inner = orchestration_fn(move |_: Value, context: OrchestrationContext| {
        let log = Arc::clone(&log);
        async move {
            let entry = (
                context.time_left(),
                context.get::<u32>().copied(),
                context
                    .spending()
                    .begin(Amount::tokens(6))
                    .map(|hold| hold.finish(Amount::default()))
                    .is_ok(),
                context.depth(),
            );
            log.lock().push(entry);
            std::future::pending::<()>().await;
            StepResult::success(Value::Null)
        }
    });
    facade.register(spec("inner"), inner).await.unwrap();
    let within = facade.clone();
    let outer = orchestration_fn(move |input: Value, context: OrchestrationContext| {
        let facade = within.clone();
        async move {
            let child = context
                .child()
                .with(2_u32)
                .deadline_in(Duration::from_secs(3))
                .budget(tokens(5))
                .build()
                .unwrap();
            let result = facade.orchestrate("inner", &child, input).await.unwrap();
            assert_eq!(
                context.get::<u32>(),
                Some(&1),
                "a child's value changes nothing above"
            );
            result
        }
    });
    facade.register(spec("outer"), outer).await.unwrap();
    let context = with_budget(&o, tokens(100));
    let context = context
        .child()
        .with(1_u32)
        .deadline_in(Duration::from_secs(9))
        .build()
        .unwrap();
    let result = facade
        .orchestrate("outer", &context, Value::Null)
        .await
        .unwrap();
    assert_eq!(
        result.failure().map(StepFailure::category),
        Some(ErrorCategory::Timeout)
    );
    assert_eq!(result.duration(), Duration::from_secs(3));
    let again = async {
        tokio::join!(facade.orchestrate("outer", &context, Value::Null), async {
            context.cancel()
        })
    };
    let (result, ()) = again.await;
    assert_eq!(
        result.unwrap().failure().map(StepFailure::category),
        Some(ErrorCategory::Cancelled)
    );
    let expected = (Some(Duration::from_secs(3)), Some(2), false, 4);
    assert_eq!(*seen.lock(), [expected, expected]);
    facade.shutdown().await;
    drop(context);
    o.shutdown().await;
}
