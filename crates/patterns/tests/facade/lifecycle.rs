//! Started once, stopped once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use universal_orchestrator_patterns::{
    Background, BackgroundError, ErrorCategory, Facade, Layer, Orchestration, OrchestrationContext,
    OrchestrationKind, OrchestrationSpec, RegisterRefusal, StepFailure, StepResult, TASKS_MAX,
};

use crate::common::{context, orchestrator};
use crate::{echo, spec};

/// Watches something every second, from its start to its stop.
#[derive(Default)]
struct Monitor {
    starts: AtomicU32,
    stops: AtomicU32,
    ticks: Arc<AtomicU32>,
    log: Option<(&'static str, Arc<Mutex<Vec<&'static str>>>)>,
}

#[async_trait]
impl Orchestration for Monitor {
    async fn orchestrate(&self, _: &OrchestrationContext, _: Value) -> StepResult {
        StepResult::success(json!(self.ticks.load(Ordering::SeqCst)))
    }

    async fn start(&self, background: &Background) -> Result<(), StepFailure> {
        self.starts.fetch_add(1, Ordering::SeqCst);
        let (ticks, stopping) = (Arc::clone(&self.ticks), background.stopping().clone());
        let watch = async move {
            let mut interval = tokio::time::interval(Duration::from_secs(1));
            while stopping
                .run_until_cancelled(interval.tick())
                .await
                .is_some()
            {
                ticks.fetch_add(1, Ordering::SeqCst);
            }
        };
        background
            .spawn("watch", watch)
            .map_err(|error| StepFailure::permanent(error.to_string()))
    }

    async fn stop(&self) {
        self.stops.fetch_add(1, Ordering::SeqCst);
        if let Some((name, log)) = &self.log {
            log.lock().push(name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_monitor_lives_between_calls_and_ends_with_its_removal() {
    let (o, facade) = (orchestrator().await, Facade::new());
    let monitor = Arc::new(Monitor::default());
    let as_dyn: Arc<dyn Orchestration> = Arc::clone(&monitor) as _;
    facade
        .register_shared(spec("monitor"), as_dyn)
        .await
        .unwrap();
    let context = context(&o);
    for seconds in 1..=3_u32 {
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        let result = facade
            .orchestrate("monitor", &context, Value::Null)
            .await
            .unwrap();
        assert!(result.data().unwrap().as_u64().unwrap() >= u64::from(seconds));
    }
    assert_eq!(facade.get("monitor").unwrap().background_tasks, 1);
    let removed = facade.unregister("monitor").await.unwrap();
    assert_eq!(
        (
            removed.calls_abandoned,
            removed.tasks_aborted,
            removed.stop_failed
        ),
        (0, 0, None)
    );
    assert_eq!(
        (
            monitor.starts.load(Ordering::SeqCst),
            monitor.stops.load(Ordering::SeqCst)
        ),
        (1, 1)
    );
    let ticks = monitor.ticks.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(monitor.ticks.load(Ordering::SeqCst), ticks);
    assert!(facade.unregister("monitor").await.is_err());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_stops_the_last_registered_first() {
    let facade = Facade::new();
    let log = Arc::new(Mutex::new(Vec::new()));
    for name in ["first", "second", "third"] {
        let monitor = Monitor {
            log: Some((name, Arc::clone(&log))),
            ..Monitor::default()
        };
        facade.register(spec(name), monitor).await.unwrap();
    }
    let removed = facade.shutdown().await;
    assert_eq!(removed.len(), 3);
    assert_eq!(*log.lock(), ["third", "second", "first"]);
    assert!(facade.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_facade_aborts_what_runs() {
    let facade = Facade::new();
    let monitor = Arc::new(Monitor::default());
    let as_dyn: Arc<dyn Orchestration> = Arc::clone(&monitor) as _;
    facade
        .register_shared(spec("monitor"), as_dyn)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(facade);
    let ticks = monitor.ticks.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(monitor.ticks.load(Ordering::SeqCst), ticks);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_registered_comes_back() {
    let facade = Facade::with_room_for(1);
    let reason =
        |refused: universal_orchestrator_patterns::RegisterRefused| refused.reason().to_string();
    let bad = facade.register(spec(""), echo()).await.unwrap_err();
    assert_eq!(
        reason(bad),
        "orchestration name is empty: give it at least one character"
    );
    facade.register(spec("one"), echo()).await.unwrap();
    let duplicate = facade.register(spec("one"), echo()).await.unwrap_err();
    assert!(matches!(
        duplicate.reason(),
        RegisterRefusal::Duplicate { .. }
    ));
    let full = facade.register(spec("two"), echo()).await.unwrap_err();
    assert!(matches!(full.reason(), RegisterRefusal::TooMany { max: 1 }));
    facade.unregister("one").await.unwrap();
    facade
        .register_shared(spec("two"), full.into_orchestration())
        .await
        .unwrap();
    assert!(facade.get("two").is_some_and(|view| view.running));
}

#[tokio::test(start_paused = true)]
async fn orchestrations_are_found_by_layer_and_kind() {
    let facade = Facade::new();
    for (name, layer, kind) in [
        ("c", Layer::Domain, OrchestrationKind::Sequential),
        ("a", Layer::Domain, OrchestrationKind::Fallback),
        ("b", Layer::Application, OrchestrationKind::Sequential),
    ] {
        facade
            .register(OrchestrationSpec::new(name, layer, kind), echo())
            .await
            .unwrap();
    }
    let names = |views: Vec<universal_orchestrator_patterns::OrchestrationView>| {
        views.iter().map(|v| v.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(facade.list()), ["a", "b", "c"]);
    assert_eq!(names(facade.in_layer(Layer::Domain)), ["a", "c"]);
    assert_eq!(
        names(facade.of_kind(OrchestrationKind::Sequential)),
        ["b", "c"]
    );
    assert!(facade.get("d").is_none());
}

/// Hangs in one of its methods.
struct Hangs(&'static str);

#[async_trait]
impl Orchestration for Hangs {
    async fn orchestrate(&self, _: &OrchestrationContext, _: Value) -> StepResult {
        self.at("orchestrate").await;
        StepResult::success(Value::Null)
    }

    async fn start(&self, background: &Background) -> Result<(), StepFailure> {
        let never = std::future::pending();
        background
            .spawn("never", never)
            .map_err(|e| StepFailure::permanent(e.to_string()))?;
        self.at("start").await;
        Ok(())
    }

    async fn stop(&self) {
        self.at("stop").await;
    }
}

impl Hangs {
    async fn at(&self, method: &str) {
        if self.0 == method {
            std::future::pending::<()>().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_given_up_after_its_time() {
    let (o, facade) = (orchestrator().await, Facade::new());
    let quick = |name| spec(name).lifecycle_timeout(Duration::from_secs(2));
    let refused = facade
        .register(quick("start"), Hangs("start"))
        .await
        .unwrap_err();
    let RegisterRefusal::Start { failure, .. } = refused.reason() else {
        panic!("{refused}");
    };
    assert_eq!(failure.category(), ErrorCategory::Timeout);
    assert!(facade.list().is_empty());

    facade.register(quick("stop"), Hangs("stop")).await.unwrap();
    let removed = facade.unregister("stop").await.unwrap();
    assert_eq!(removed.tasks_aborted, 1);
    assert!(
        removed
            .stop_failed
            .is_some_and(|text| text.contains("longer than its timeout"))
    );

    facade
        .register(quick("call"), Hangs("orchestrate"))
        .await
        .unwrap();
    let context = context(&o);
    let both = async {
        tokio::join!(
            facade.orchestrate("call", &context, Value::Null),
            facade.unregister("call")
        )
    };
    let (call, removed) = both.await;
    assert_eq!(
        call.unwrap().failure().map(StepFailure::category),
        Some(ErrorCategory::Cancelled)
    );
    assert_eq!(removed.unwrap().calls_abandoned, 1);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_registration_that_is_dropped_leaves_nothing() {
    let facade = Facade::new();
    let mut starting = facade.register(spec("x"), Hangs("start")).boxed();
    assert!((&mut starting).now_or_never().is_none());
    assert!(facade.get("x").is_some_and(|view| !view.running));
    drop(starting);
    assert!(facade.get("x").is_none());
}

#[tokio::test(start_paused = true)]
async fn background_tasks_are_bounded() {
    struct Many(Mutex<Option<BackgroundError>>);
    #[async_trait]
    impl Orchestration for Many {
        async fn orchestrate(&self, _: &OrchestrationContext, _: Value) -> StepResult {
            let error = self.0.lock().take();
            StepResult::success(json!(error.map(|e| e.to_string())))
        }
        async fn start(&self, background: &Background) -> Result<(), StepFailure> {
            let spawn = |_| background.spawn("many", std::future::pending()).err();
            *self.0.lock() = (0..=TASKS_MAX).find_map(spawn);
            Ok(())
        }
    }
    let (o, facade) = (orchestrator().await, Facade::new());
    facade
        .register(spec("many"), Many(Mutex::new(None)))
        .await
        .unwrap();
    let result = facade
        .orchestrate("many", &context(&o), Value::Null)
        .await
        .unwrap();
    let text = "background task many is one more than 64: join some of them into one";
    assert_eq!(result.data(), Some(&json!(text)));
    o.shutdown().await;
}
