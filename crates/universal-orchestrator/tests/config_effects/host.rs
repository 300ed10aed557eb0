//! What surrounds the engine: `[plugins]`, `[status]`, `[shutdown]`, `[concurrency_keys]`, and the environment.

use std::collections::BTreeMap;

use universal_orchestrator::plugin::{HookSet, LinkError};
use universal_orchestrator::{
    AgentFilter, OrchestratorConfig, StartError, TaskFilter, UniversalOrchestrator,
};

use crate::common::*;

async fn start(text: &str, plugins: &[&'static str]) -> Result<UniversalOrchestrator, StartError> {
    let config = OrchestratorConfig::from_toml_str(text).unwrap();
    let mut builder = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .config(config);
    for name in plugins {
        builder = builder.plugin(manifest(name, HookSet::none()), Hooked::new());
    }
    builder.start().await
}

#[tokio::test(start_paused = true)]
async fn a_required_plugin_must_be_there_and_a_disabled_one_is_not() {
    for (text, given, expected) in [
        ("", &["p", "q"][..], Ok(vec!["p", "q"])),
        ("[plugins]\nrequired = [\"p\"]", &["p"], Ok(vec!["p"])),
        ("[plugins]\nrequired = [\"p\"]", &["q"], Err("p")),
        ("[plugins.p]\nenabled = true", &["p"], Ok(vec!["p"])),
        ("[plugins.p]\nenabled = true", &[], Err("p")),
        ("[plugins.p]\nenabled = false", &["p", "q"], Ok(vec!["q"])),
    ] {
        match (start(text, given).await, expected) {
            (Ok(o), Ok(names)) => {
                let there: Vec<String> = o.plugins().into_iter().map(|p| p.name).collect();
                assert_eq!(there, names, "{text}");
            }
            (Err(StartError::Link(LinkError::Required { name, .. })), Err(missing)) => {
                assert_eq!(name, missing, "{text}");
            }
            (result, _) => unreachable!("{text}: {:?}", result.map(drop)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_gets_the_settings_of_its_own_table_only() {
    let log = Log::default();
    let told = log.clone();
    let plugin = Hooked::new().on_start(move |context| {
        let settings: BTreeMap<String, u64> = context.section.parse()?;
        told.push(format!("{settings:?}"));
        Ok(())
    });
    let text = "[plugins.p]\nenabled = true\nlimit = 5\n[plugins.q]\nlimit = 6";
    let config = OrchestratorConfig::from_toml_str(text).unwrap();
    UniversalOrchestrator::builder()
        .without_linked_plugins()
        .config(config)
        .plugin(manifest("p", HookSet::none()), plugin)
        .plugin(manifest("q", HookSet::none()), Hooked::new())
        .start()
        .await
        .unwrap();
    assert_eq!(log.lines(), ["{\"limit\": 5}"], "without `enabled`");
}

#[tokio::test(start_paused = true)]
async fn lists_of_the_status_are_as_long_as_configured() {
    for (max, expected) in [(0, 0), (2, 2), (100, 3)] {
        let o = with_config(|c| {
            c.status.list_max = max;
            c.breaker.enabled = true;
            c.breaker.minimum_calls = 1;
            c.budget.tenant_per_day.tokens = Some(9);
        })
        .await;
        for name in ["a", "b", "c"] {
            o.register_agent(external(name, &[name])).await.unwrap();
            let d = o.delegate_task(task(name).tenant(name)).await.unwrap();
            let failure = universal_orchestrator::TaskFailure::permanent("no");
            o.fail_task(&d, failure).await.unwrap();
        }
        let status = o.status();
        assert_eq!(status.circuit_breakers.len(), expected, "{max}");
        assert_eq!(status.capabilities_index.len(), expected, "{max}");
        assert_eq!(status.capabilities_total, 3, "the rest is counted");
        assert_eq!(status.budget.len(), expected + usize::from(max == 100));
        assert_eq!(o.agents(&AgentFilter::all()).len(), expected, "{max}");
        assert_eq!(o.tasks(&TaskFilter::all()).len(), expected, "{max}");
    }
}

#[tokio::test(start_paused = true)]
async fn rates_look_back_as_far_as_configured() {
    for window in [6_000, 120_000] {
        let o = with_config(|c| c.status.window_ms = window).await;
        o.register_agent(worker("w", &["x"], sleeper()))
            .await
            .unwrap();
        for _ in 0..3 {
            drop(o.execute(task("x").payload(50)).await.unwrap());
        }
        let mean = || o.status().performance.average_task_duration_ms;
        tokio::time::sleep(ms(window * 9 / 10)).await;
        assert!((mean() - 50.0).abs() < 5.0, "{window}: {}", mean());
        tokio::time::sleep(ms(window / 5)).await;
        assert_eq!(mean(), 0.0, "{window}: forgotten");
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_work_finish_for_so_long() {
    for (drain, finished) in [(10_000, true), (2_000, false), (0, false)] {
        let o = with_config(|c| {
            c.shutdown.drain_ms = drain;
            c.tasks.cancel_grace_ms = 0;
        })
        .await;
        o.register_agent(worker("w", &["x"], sleeper()))
            .await
            .unwrap();
        let handle = o.submit_task(task("x").payload(5_000)).await.unwrap();
        settle().await;
        let report = o.shutdown().await;
        assert_eq!(handle.outcome().await.unwrap().is_success(), finished);
        assert_eq!(report.unfinished.is_empty(), finished, "{drain}");
        let took = report.took.as_millis() as u64;
        let expected = drain.min(5_000);
        assert!(took >= expected && took < expected + 50, "{drain}: {took}");
    }
}

/// How many attempts of a key run at once, and how many have begun after two seconds more.
async fn starts(change: fn(&mut OrchestratorConfig)) -> (u64, u64) {
    let o = with_config(change).await;
    let agent = worker("w", &["x"], sleeper()).concurrency(9);
    o.register_agent(agent).await.unwrap();
    for _ in 0..9 {
        let keyed = task("x").concurrency_key("k").payload(100_000);
        o.submit_task(keyed).await.unwrap();
    }
    settle().await;
    let first = o.status().tasks.running;
    tokio::time::sleep(ms(2_050)).await;
    (first, o.status().tasks.running)
}

#[tokio::test(start_paused = true)]
async fn each_key_of_concurrency_keys_limits_its_tasks() {
    fn key(c: &mut OrchestratorConfig) -> &mut universal_orchestrator::config::KeyLimit {
        let keys = &mut c.concurrency_keys.keys;
        keys.entry("k".to_owned()).or_default()
    }
    let cases: [crate::Set<(u64, u64)>; 6] = [
        ("the default", |_| {}, (1, 1)),
        (
            "default_max_in_flight",
            |c| c.concurrency_keys.default_max_in_flight = 3,
            (3, 3),
        ),
        ("max_in_flight", |c| key(c).max_in_flight = Some(4), (4, 4)),
        (
            "rate_per_second",
            |c| {
                key(c).max_in_flight = Some(9);
                key(c).rate_per_second = Some(2.0);
            },
            (1, 5),
        ),
        (
            "burst",
            |c| {
                key(c).max_in_flight = Some(9);
                key(c).rate_per_second = Some(2.0);
                key(c).burst = Some(3);
            },
            (3, 7),
        ),
        (
            "both limits",
            |c| {
                key(c).max_in_flight = Some(2);
                key(c).rate_per_second = Some(1.0);
            },
            (1, 2),
        ),
    ];
    for (what, set, expected) in cases {
        assert_eq!(starts(set).await, expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_environment_reaches_the_orchestrator_and_variables_of_programs_are_no_keys() {
    let variables = [
        ("UO_MAX_AGENTS", "1"),
        ("UO_DATA_DIR", "/var/lib/uo"),
        ("UO_SLA_FILE", "sla.toml"),
    ];
    let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = OrchestratorConfig::load_from(None, owned).unwrap();
    let o = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .config(config)
        .start()
        .await
        .unwrap();
    o.register_agent(external("a", &[])).await.unwrap();
    assert!(o.register_agent(external("b", &[])).await.is_err());
}
