//! What the guide says about the facade.

use serde_json::json;
use universal_orchestrator_patterns::{
    OrchestrationContext, Parallel, Specialist, StepContext, StepFailure,
};

use crate::{Tested, with_readers};

fn doubles(name: &str) -> Specialist<u32, u32> {
    Specialist::function(name, |n: u32, _: StepContext| async move {
        Ok::<_, StepFailure>(n * 2)
    })
}

#[tokio::test(start_paused = true)]
async fn by_name() -> Tested {
    let orchestrator = with_readers().await?;
    let context = OrchestrationContext::builder(&orchestrator).build()?;
    use universal_orchestrator_patterns::{
        CallRefusal, Facade, Layer, OrchestrationKind, OrchestrationSpec, step_orchestration,
    };

    let facade = Facade::new();
    let observe = Parallel::new("observe")
        .step(doubles("a"))
        .step(doubles("b"));
    let spec = OrchestrationSpec::new("observe", Layer::Domain, OrchestrationKind::Parallel);
    facade
        .register(spec.concurrency(16), step_orchestration(observe))
        .await?;

    let result = facade.orchestrate("observe", &context, json!(21)).await?;
    assert_eq!(
        result.data().map(|report| &report["steps"][1]["data"]),
        Some(&json!(42))
    );

    let refused = facade.orchestrate("obsreve", &context, json!(21)).await;
    let reason = refused.map_err(|refused| refused.reason().clone());
    assert!(matches!(reason, Err(CallRefusal::Unknown(_))));
    facade.shutdown().await;
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

mod monitor {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use serde_json::{Value, json};
    use universal_orchestrator::async_trait;
    use universal_orchestrator_patterns::{
        Background, Lazy, Orchestration, OrchestrationContext, StepFailure, StepResult,
    };

    /// Looks at something every second, and tells what it has seen. Its model is loaded on first use.
    pub(super) struct Monitor {
        pub(super) seen: Arc<AtomicU32>,
        pub(super) model: Lazy<String>,
    }

    #[async_trait]
    impl Orchestration for Monitor {
        async fn start(&self, background: &Background) -> Result<(), StepFailure> {
            let (seen, stopping) = (Arc::clone(&self.seen), background.stopping().clone());
            let watch = async move {
                let mut every_second = tokio::time::interval(Duration::from_secs(1));
                while stopping
                    .run_until_cancelled(every_second.tick())
                    .await
                    .is_some()
                {
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            };
            let spawned = background.spawn("watch", watch);
            spawned.map_err(|error| StepFailure::permanent(error.to_string()))
        }

        async fn orchestrate(&self, _: &OrchestrationContext, _: Value) -> StepResult {
            let seen = self.seen.load(Ordering::Relaxed);
            let model = self.model.get().await;
            model
                .map(|model| json!({ "seen": seen, "model": model }))
                .into()
        }
    }
}

#[tokio::test(start_paused = true)]
async fn long_lived() -> Tested {
    use std::time::Duration;
    use universal_orchestrator_patterns::{
        Facade, Layer, Lazy, OrchestrationKind, OrchestrationSpec,
    };
    let orchestrator = with_readers().await?;
    let context = OrchestrationContext::builder(&orchestrator).build()?;
    let facade = Facade::new();
    let monitor = monitor::Monitor {
        seen: std::sync::Arc::default(),
        model: Lazy::new("model", || async {
            Ok::<_, StepFailure>("loaded".to_owned())
        }),
    };
    let spec = OrchestrationSpec::new(
        "monitor",
        Layer::Infrastructure,
        OrchestrationKind::Monitoring,
    );
    facade.register(spec, monitor).await?;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let result = facade.orchestrate("monitor", &context, json!(null)).await?;
    assert_eq!(
        result.data(),
        Some(&json!({ "seen": 3, "model": "loaded" }))
    );
    let removed = facade.unregister("monitor").await?;
    assert_eq!(removed.tasks_aborted, 0);
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}
