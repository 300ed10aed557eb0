//! What the example `feedback_coordinator` collects, and when its dependencies are built.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_examples::feedback::{Depot, Source};
use universal_orchestrator_patterns::{
    CallRefusal, Facade, OrchestrationContext, orchestration_fn,
};
use universal_orchestrator_patterns::{Layer, OrchestrationKind, OrchestrationSpec};

// The example is a program; its `main` runs as one, in `cargo xtask ci`.
#[path = "../examples/feedback_coordinator.rs"]
#[expect(dead_code, reason = "main is called by nobody here")]
mod program;

#[tokio::test(start_paused = true)]
async fn it_builds_what_it_needs_recovers_what_fails_and_names_what_is_missing() {
    let said = program::example().await.unwrap();
    let parts: Vec<_> = said.split("everything").collect();
    let [first, second, third] = parts[..] else {
        unreachable!("there are three calls: {said}");
    };
    assert!(
        first.starts_with("tools and users: 7 signals, 1 lines rejected, 2 of 7 readers built\n"),
        "{first}"
    );
    assert!(
        second.contains("21 signals, 1 lines rejected, 6 of 7 readers built"),
        "{second}"
    );
    assert!(second.contains("rag_retrieval was asked twice"), "{second}");
    assert!(second.contains("governance is missing: "), "{second}");
    assert!(!second.contains("threshold/"), "{second}");
    assert!(
        third.contains("26 signals, 1 lines rejected, 7 of 7 readers built"),
        "{third}"
    );
    assert!(
        !third.contains("missing") && !third.contains("twice"),
        "{third}"
    );

    // Three of four were overturned: what was learnt changes what is in use.
    let line = |name: &str| third.lines().find(|line| line.contains(name)).unwrap();
    assert!(
        line("threshold/spam").contains("0.25 from 4 signals, OUT"),
        "{third}"
    );
    assert!(
        line("threshold/abuse").contains("1.00 from 1 signals, in use"),
        "{third}"
    );
    assert!(line("tool/scrape").contains("OUT"), "{third}");
    assert!(line("model/small").contains("in use"), "{third}");
}

struct World {
    orchestrator: UniversalOrchestrator,
    depot: Arc<Depot>,
    facade: Facade,
    context: OrchestrationContext,
}

async fn world() -> World {
    let orchestrator = UniversalOrchestrator::builder().start().await.unwrap();
    let depot = Arc::new(Depot::default());
    let facade = program::facade(&depot).await.unwrap();
    let context = OrchestrationContext::builder(&orchestrator).with(facade.clone());
    let context = context.build().unwrap();
    World {
        orchestrator,
        depot,
        facade,
        context,
    }
}

impl World {
    async fn collect(&self) -> Value {
        let name = "feedback_coordinator";
        let result = self
            .facade
            .orchestrate(name, &self.context, json!({}))
            .await;
        result.unwrap().into_result().unwrap()
    }

    async fn end(self) {
        self.facade.shutdown().await;
        self.orchestrator.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn calls_at_the_same_time_build_each_dependency_once_and_side_by_side() {
    let world = world().await;
    let began = Instant::now();
    let (a, b, c) = tokio::join!(world.collect(), world.collect(), world.collect());
    assert_eq!((&a, &b), (&b, &c));
    // Opening one takes 20 ms, and so does opening seven.
    assert_eq!(began.elapsed(), Duration::from_millis(20));
    for source in Source::ALL {
        assert_eq!(world.depot.opened(source), 1, "{source:?}");
    }
    // The first signal of every source was taken.
    assert_eq!(a["signals"], 26);
    assert_eq!(world.collect().await, a);
    assert_eq!(
        began.elapsed(),
        Duration::from_millis(20),
        "nothing is built again"
    );
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_closed_for_long_is_tried_anew_by_each_call() {
    let world = world().await;
    world.depot.close(Source::AgentTask, 4);
    for _ in 0..2 {
        let data = world.collect().await;
        let missing: Vec<_> = data["missing"].as_object().unwrap().keys().collect();
        assert_eq!(missing, ["agent_task"]);
        assert_eq!((&data["signals"], &data["built"]), (&json!(22), &json!(6)));
    }
    let data = world.collect().await;
    assert_eq!(
        (&data["signals"], &data["missing"]),
        (&json!(26), &json!({}))
    );
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_the_lower_layer_may_not_call_the_coordinator() {
    let world = world().await;
    let name = "feedback_coordinator";
    let upwards = orchestration_fn(move |(): (), context: OrchestrationContext| async move {
        let facade = context.get::<Facade>().unwrap().clone();
        let refused = facade
            .orchestrate(name, &context, json!({}))
            .await
            .unwrap_err();
        let layer = matches!(refused.reason(), CallRefusal::Layer { .. });
        universal_orchestrator_patterns::StepResult::success(layer)
    });
    let spec = OrchestrationSpec::new("upwards", Layer::Domain, OrchestrationKind::Feedback);
    world.facade.register(spec, upwards).await.unwrap();
    let result = world
        .facade
        .orchestrate("upwards", &world.context, Value::Null)
        .await
        .unwrap();
    assert_eq!(result.into_data(), Some(json!(true)));
    world.end().await;
}
