//! What agents are given and report fills their windows, and that has consequences.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{orchestrator, reader, service, session, task};
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, Amount, HealthStatus, Task, TaskContext,
    UniversalOrchestrator, Value, agent_fn, json,
};
use universal_orchestrator_context::{NewFragment, Shown, WindowStage};
use universal_orchestrator_testkit::settle;

/// An agent that reports the tokens that its payload says.
async fn spender(o: &UniversalOrchestrator, metadata: Value) -> universal_orchestrator::AgentId {
    let agent = agent_fn(|tokens: u64, context: TaskContext| async move {
        context
            .charge(Amount::tokens(tokens))
            .map_err(|error| AgentError::permanent(error.to_string()))?;
        Ok::<_, AgentError>(())
    });
    let spec = AgentSpec::new("spender", AgentRole::Worker).capabilities(["spend"]);
    o.register_agent(spec.metadata(metadata).in_process(agent))
        .await
        .unwrap()
}

fn spend(tokens: u64) -> Task {
    Task::new("spend").requires(["spend"]).payload(tokens)
}

fn alerts(o: &UniversalOrchestrator) -> Vec<String> {
    o.status()
        .alerts
        .iter()
        .map(|alert| alert.text.clone())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_window_warns_asks_for_sleep_and_starts_anew_after_it() {
    let mut config = universal_orchestrator_testkit::quiet_config();
    config.tick_interval_ms = 1_000;
    let plugin = universal_orchestrator_context::ContextPlugin::new(
        universal_orchestrator_context::ContextConfig::default(),
    );
    let manifest = universal_orchestrator_context::ContextPlugin::MANIFEST;
    let builder =
        universal_orchestrator_testkit::test_builder(config).plugin(manifest, plugin.unwrap());
    let o = builder.start().await.unwrap();
    let agent = spender(&o, json!({"context_window_tokens": 1000})).await;
    o.execute(spend(600)).await.unwrap().into_result().unwrap();
    settle().await;
    assert_eq!(alerts(&o), [""; 0]);
    o.execute(spend(100)).await.unwrap().into_result().unwrap();
    settle().await;
    assert_eq!(
        alerts(&o),
        ["agent spender has 700 of 1000 tokens in its context window: it fills up"]
    );
    o.execute(spend(300)).await.unwrap().into_result().unwrap();
    settle().await;
    let told = alerts(&o);
    assert!(
        told.len() == 2
            && told[1].ends_with("let it sleep, so that it starts with an empty window"),
        "{told:?}"
    );
    let status = o.status();
    let health = &status.plugins[0].health;
    assert_eq!(health.status, HealthStatus::Degraded);
    assert_eq!(health.details["windows"][0]["used_tokens"], 1000);
    assert_eq!(health.details["windows"][0]["stage"], "sleep");

    o.sleep_agent(&agent).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(service(&o).window(&agent), None);
    assert_eq!(o.status().plugins[0].health.status, HealthStatus::Healthy);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_window_gets_compressed_fragments_only() {
    let o = orchestrator("window_tokens = 10000").await;
    let seen = reader(&o, "a").await;
    let service = service(&o);
    let s = session("s");
    service.create(&s).unwrap();
    let log: String = (0..100)
        .map(|n| format!("12:00:{:02} INFO got {n}\n", n % 60))
        .collect();
    service.add(&s, NewFragment::new(log)).await.unwrap();
    let mut window = 0;
    for n in 0..12 {
        o.execute(task("a", "s", n))
            .await
            .unwrap()
            .into_result()
            .unwrap();
        let agent = universal_orchestrator::AgentId::new("a").unwrap();
        window = service.window(&agent).map_or(0, |usage| usage.used_tokens);
    }
    let seen = seen.lock().clone();
    let shown: Vec<Shown> = seen
        .iter()
        .flatten()
        .map(|c| c.explanation.fragments[0].shown)
        .collect();
    assert_eq!(shown[0], Shown::Whole);
    assert!(matches!(shown[11], Shown::Compressed(_)), "{shown:?}");
    let sum: usize = seen.iter().flatten().map(|context| context.tokens).sum();
    assert_eq!(window, sum as u64);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn reported_tokens_include_the_context_and_are_not_counted_twice() {
    let o = orchestrator("").await;
    let agent = spender(&o, Value::Null).await;
    let service = service(&o);
    service.create(&session("s")).unwrap();
    service
        .add(
            &session("s"),
            NewFragment::new("some words that an agent reads"),
        )
        .await
        .unwrap();
    o.execute(spend(500).metadata("context.session", "s"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    let usage = service.window(&agent).unwrap();
    assert_eq!((usage.used_tokens, usage.window_tokens), (500, 128_000));
    assert_eq!(usage.stage, WindowStage::Free);
    assert!(service.clear_window(&agent));
    o.execute(spend(7)).await.unwrap().into_result().unwrap();
    assert_eq!(service.window(&agent).unwrap().used_tokens, 7);
    o.deregister_agent(&agent).await.unwrap();
    assert_eq!(service.window(&agent), None);
    drop(Arc::clone(&service));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn windows_of_no_size_are_not_watched() {
    let o = orchestrator("window_tokens = 0").await;
    let agent = spender(&o, Value::Null).await;
    o.execute(spend(7)).await.unwrap().into_result().unwrap();
    assert_eq!(service(&o).window(&agent), None);
    o.shutdown().await;
}
