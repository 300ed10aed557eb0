//! What the example `resilience_monitor` says of an outage, and that it lives as long as it is registered.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_examples::shelf::Weather;
use universal_orchestrator_patterns::{
    ErrorCategory, Facade, Layer, Orchestration, OrchestrationContext, OrchestrationKind,
    OrchestrationSpec,
};

// The example is a program; its `main` runs as one, in `cargo xtask ci`.
#[path = "../examples/resilience_monitor.rs"]
#[expect(dead_code, reason = "main is called by nobody here")]
mod program;

#[tokio::test(start_paused = true)]
async fn every_strategy_works_and_does_its_part_in_an_outage() {
    let said = program::example().await.unwrap();
    let (well, rest) = said.split_once("main is down\n").unwrap();
    let (down, back) = rest.split_once("main is back\n").unwrap();
    let line = |of: &str, strategy: &str| {
        let found = of.lines().find(|line| line.contains(strategy));
        found
            .unwrap()
            .trim()
            .split_once(' ')
            .unwrap()
            .1
            .trim()
            .to_owned()
    };

    // The breaker and the routing answer from the first call on.
    for of in [well, back] {
        for strategy in [
            "fail_fast",
            "degrade",
            "retry",
            "circuit_breaker",
            "adaptive_routing",
        ] {
            let line = line(of, strategy);
            assert!(
                line.starts_with("6 of 6 answered"),
                "{strategy}: {line}\n{said}"
            );
        }
        assert_eq!(
            line(of, "degrade"),
            "6 of 6 answered, 12 attempts, by main and archive"
        );
    }
    assert_eq!(
        line(down, "fail_fast"),
        "0 of 6 answered, 6 attempts, by nobody"
    );
    assert_eq!(
        line(down, "degrade"),
        "6 of 6 answered, 12 attempts, by archive; main is missing"
    );
    assert_eq!(
        line(down, "retry"),
        "0 of 6 answered, 18 attempts, by nobody"
    );
    // Main was asked three times before the breaker opened, the mirror always.
    assert_eq!(
        line(down, "circuit_breaker"),
        "6 of 6 answered, 9 attempts, by mirror"
    );
    assert!(line(down, "adaptive_routing").ends_with("by nobody, then mirror"));

    let changes: Vec<_> = said
        .lines()
        .filter(|line| line.contains("probes were answered"))
        .collect();
    assert_eq!(
        changes,
        [
            "main is unhealthy: 6 of the last 10 probes were answered",
            "main is healthy: 7 of the last 10 probes were answered",
        ]
    );
    assert!(said.contains("91 calls, 3 background tasks"), "{said}");
    let end = "started 1 time, stopped 1 time, 0 background tasks aborted\n";
    assert!(said.ends_with(end), "{said}");
}

struct Running {
    orchestrator: UniversalOrchestrator,
    facade: Facade,
    shelves: program::Shelves,
    monitor: Arc<program::ResilienceMonitor>,
    context: OrchestrationContext,
}

async fn running() -> Running {
    let orchestrator = UniversalOrchestrator::builder().start().await.unwrap();
    let (facade, shelves) = (Facade::new(), program::Shelves::new());
    let monitor = Arc::new(program::ResilienceMonitor::new(shelves.clone()));
    let (layer, kind) = (Layer::Infrastructure, OrchestrationKind::Monitoring);
    let spec = OrchestrationSpec::new("resilience_monitor", layer, kind);
    let shared: Arc<dyn Orchestration> = Arc::<program::ResilienceMonitor>::clone(&monitor);
    facade.register_shared(spec, shared).await.unwrap();
    let context = OrchestrationContext::builder(&orchestrator)
        .build()
        .unwrap();
    Running {
        orchestrator,
        facade,
        shelves,
        monitor,
        context,
    }
}

impl Running {
    async fn ask(&self, input: Value) -> Result<Value, ErrorCategory> {
        let name = "resilience_monitor";
        let result = self.facade.orchestrate(name, &self.context, input).await;
        let result = result.unwrap();
        let category = result.failure().map(|failure| failure.category());
        category.map_or_else(|| Ok(result.into_data().unwrap()), Err)
    }
}

#[tokio::test(start_paused = true)]
async fn it_looks_after_its_services_between_the_calls_until_it_is_removed() {
    let running = running().await;
    let health = json!({ "operation": "health" });
    for _ in 0..1_000 {
        running.ask(health.clone()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = running.ask(health.clone()).await.unwrap();
    // Three services, a probe of each every 20 ms, the first at once; the last are still on their way.
    assert_eq!(seen["probes"], 3 * 50, "{seen}");
    assert_eq!(seen["services"]["mirror"]["mean_ms"], 8);

    running
        .shelves
        .mirror
        .set_weather(Weather::Slow(Duration::from_millis(90)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let seen = running.ask(health).await.unwrap();
    assert_eq!(seen["services"]["mirror"]["healthy"], false, "{seen}");
    assert_eq!(seen["services"]["main"]["healthy"], true);

    let removed = running
        .facade
        .unregister("resilience_monitor")
        .await
        .unwrap();
    assert_eq!((removed.calls_abandoned, removed.tasks_aborted), (0, 0));
    let counted = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    assert_eq!(
        (
            counted(&running.monitor.starts),
            counted(&running.monitor.stops)
        ),
        (1, 1)
    );
    let asked = running.shelves.main.asked();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(
        running.shelves.main.asked(),
        asked,
        "nobody probes any more"
    );
    running.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_spares_the_service_and_lets_a_probe_through_later() {
    let running = running().await;
    let search = json!({ "operation": "search", "strategy": "circuit_breaker", "word": "Sea" });
    running.shelves.main.set_weather(Weather::Down);
    for _ in 0..20 {
        let found = running.ask(search.clone()).await.unwrap();
        assert_eq!(found["by"], json!(["mirror"]));
        assert_eq!(found["titles"].as_array().unwrap().len(), 2);
    }
    let health = running.ask(json!({ "operation": "health" })).await.unwrap();
    assert_eq!(health["breaker"], "open");
    running.shelves.main.set_weather(Weather::Fine);
    tokio::time::sleep(Duration::from_millis(150)).await;
    let found = running.ask(search).await.unwrap();
    assert_eq!(found["by"], json!(["main"]));

    let strange = json!({ "operation": "search", "strategy": "prayer", "word": "sea" });
    assert_eq!(running.ask(strange).await, Err(ErrorCategory::Invalid));
    running.facade.shutdown().await;
    running.orchestrator.shutdown().await;
}
