//! Calls: who may, how many, until when.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use serde_json::{Value, json};
use tokio::sync::Notify;
use universal_orchestrator_patterns::{
    CallRefusal, ErrorCategory, Facade, Layer, OrchestrationContext, OrchestrationKind,
    OrchestrationSpec, SkipReason, StepResult, orchestration_fn,
};

use crate::common::{context, orchestrator};
use crate::{echo, spec};

#[tokio::test(start_paused = true)]
async fn a_missing_name_is_refused_with_those_that_are_there() {
    let (o, facade) = (orchestrator().await, Facade::new());
    facade.register(spec("one"), echo()).await.unwrap();
    let call = facade
        .orchestrate("two", &context(&o), json!({"kept": 1}))
        .await;
    let refused = call.unwrap_err();
    assert_eq!(
        refused.to_string(),
        r#"call was refused: no orchestration is named "two": there is one"#
    );
    assert_eq!(refused.into_input(), json!({"kept": 1}));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_input_that_does_not_fit_says_where() {
    let (o, facade) = (orchestrator().await, Facade::new());
    let double =
        orchestration_fn(|n: u32, _: OrchestrationContext| async move { StepResult::success(n) });
    facade.register(spec("double"), double).await.unwrap();
    let result = facade
        .orchestrate("double", &context(&o), json!("x"))
        .await
        .unwrap();
    let failure = result.failure().unwrap();
    assert_eq!(failure.category(), ErrorCategory::Invalid);
    assert!(
        failure
            .message()
            .starts_with("input does not fit u32: invalid type")
    );
    o.shutdown().await;
}

/// An orchestration that calls another one.
fn calls(
    facade: &Facade,
    other: &'static str,
) -> impl universal_orchestrator_patterns::Orchestration {
    let facade = facade.clone();
    orchestration_fn(move |input: Value, context: OrchestrationContext| {
        let facade = facade.clone();
        async move {
            let child = context.child().build().unwrap();
            match facade.orchestrate(other, &child, input).await {
                Ok(result) => result,
                Err(refused) => StepResult::success(json!(refused.reason().to_string())),
            }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_layer_calls_itself_and_lower_ones_only() {
    let (o, facade) = (orchestrator().await, Facade::new());
    let layers = [Layer::Infrastructure, Layer::Domain, Layer::Application];
    for callee in layers {
        let spec = OrchestrationSpec::new(callee.as_str(), callee, OrchestrationKind::Sequential);
        facade.register(spec, echo()).await.unwrap();
    }
    for caller in layers {
        for callee in layers {
            let spec = OrchestrationSpec::new("caller", caller, OrchestrationKind::Coordination);
            facade
                .register(spec, calls(&facade, callee.as_str()))
                .await
                .unwrap();
            let result = facade
                .orchestrate("caller", &context(&o), json!("reached"))
                .await;
            let data = result.unwrap().into_data().unwrap();
            if callee <= caller {
                assert_eq!(data, "reached", "{caller} {callee}");
            } else {
                let text = format!(
                    "orchestration caller of layer {caller} may not call {callee} of layer {callee}: move one of them, or let a higher one call both"
                );
                assert_eq!(data, json!(text));
            }
            facade.unregister("caller").await.unwrap();
        }
    }
    facade.shutdown().await;
    o.shutdown().await;
}

/// An orchestration whose calls wait until they are let go.
fn gate() -> (
    Arc<Notify>,
    impl universal_orchestrator_patterns::Orchestration,
) {
    let notify = Arc::new(Notify::new());
    let shared = Arc::clone(&notify);
    let orchestration = orchestration_fn(move |_: Value, _: OrchestrationContext| {
        let notify = Arc::clone(&shared);
        async move {
            notify.notified().await;
            StepResult::success(1)
        }
    });
    (notify, orchestration)
}

#[tokio::test(start_paused = true)]
async fn overlapping_calls_wait_for_a_place_and_only_so_many_may_wait() {
    let (o, facade) = (orchestrator().await, Facade::new());
    let (go, orchestration) = gate();
    let narrow = spec("gate").concurrency(1).waiting_max(1);
    facade.register(narrow, orchestration).await.unwrap();
    let context = context(&o);
    let mut first = facade.orchestrate("gate", &context, json!(1)).boxed();
    let mut second = facade.orchestrate("gate", &context, json!(2)).boxed();
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());
    let view = facade.get("gate").unwrap();
    assert_eq!((view.in_flight, view.waiting), (1, 1));
    let third = facade
        .orchestrate("gate", &context, json!(3))
        .await
        .unwrap_err();
    assert!(matches!(
        third.reason(),
        CallRefusal::Overloaded {
            in_flight: 1,
            waiting: 1,
            ..
        }
    ));
    go.notify_one();
    assert!(first.await.unwrap().is_success());
    go.notify_one();
    assert!(second.await.unwrap().is_success());
    let view = facade.get("gate").unwrap();
    assert_eq!((view.in_flight, view.waiting, view.succeeded), (0, 0, 2));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_ends_with_its_deadline_and_its_context() {
    let (o, facade) = (orchestrator().await, Facade::new());
    let (_go, orchestration) = gate();
    facade
        .register(spec("gate").concurrency(1), orchestration)
        .await
        .unwrap();
    let context = context(&o);
    let mut first = facade.orchestrate("gate", &context, json!(1)).boxed();
    assert!((&mut first).now_or_never().is_none());
    let hurried = context
        .child()
        .deadline_in(Duration::from_secs(1))
        .build()
        .unwrap();
    let late = facade
        .orchestrate("gate", &hurried, json!(2))
        .await
        .unwrap_err();
    assert!(
        matches!(late.reason(), CallRefusal::TooLate { why, .. } if why.starts_with("the deadline"))
    );
    let cancelled = context.child().build().unwrap();
    let mut waits = facade.orchestrate("gate", &cancelled, json!(3)).boxed();
    assert!((&mut waits).now_or_never().is_none());
    cancelled.cancel();
    let error = waits.await.unwrap_err();
    assert!(
        matches!(error.reason(), CallRefusal::TooLate { why, .. } if why.contains("cancelled"))
    );
    assert_eq!(facade.get("gate").unwrap().waiting, 0);
    drop(first);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_would_wait_for_itself_is_refused() {
    let (o, facade) = (orchestrator().await, Facade::new());
    let again = calls(&facade, "again");
    facade
        .register(spec("again").concurrency(2), again)
        .await
        .unwrap();
    let result = facade
        .orchestrate("again", &context(&o), json!(1))
        .await
        .unwrap();
    let text = "orchestration again would wait for itself: its callers hold all of its 2 places; raise its concurrency";
    assert_eq!(result.data(), Some(&json!(text)));
    facade.shutdown().await;
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_is_skipped_and_a_slow_one_is_cut_off() {
    let (o, facade) = (orchestrator().await, Facade::new());
    let (_go, orchestration) = gate();
    let slow = spec("gate").call_timeout(Duration::from_secs(5));
    facade.register(slow, orchestration).await.unwrap();
    let context = context(&o);
    let past = context.child().deadline_in(Duration::ZERO).build().unwrap();
    let result = facade.orchestrate("gate", &past, json!(1)).await.unwrap();
    assert_eq!(result.skip_reason(), Some(&SkipReason::DeadlinePassed));
    let started = tokio::time::Instant::now();
    let result = facade
        .orchestrate("gate", &context, json!(1))
        .await
        .unwrap();
    assert_eq!(
        result.failure().map(|f| (f.category(), f.is_retryable())),
        Some((ErrorCategory::Timeout, true))
    );
    assert_eq!(started.elapsed().as_secs(), 5);
    let hurried = context
        .child()
        .deadline_in(Duration::from_secs(2))
        .build()
        .unwrap();
    let result = facade
        .orchestrate("gate", &hurried, json!(1))
        .await
        .unwrap();
    assert_eq!(
        result.failure().map(|f| (f.category(), f.is_retryable())),
        Some((ErrorCategory::Timeout, false))
    );
    assert_eq!(result.duration(), Duration::from_secs(2));
    o.shutdown().await;
}
