//! What a plugin is beside its hooks: how it starts, offers services, is reconfigured, says how it is, and stops.

use std::sync::Arc;

use serde_json::json;
use universal_orchestrator::plugin::{
    HookSet, LinkError, PluginError, PluginHealth, PluginManifest,
};
use universal_orchestrator::{
    AgentError, HealthStatus, StartError, TaskContext, UniversalOrchestrator, agent_fn,
};

use crate::common::*;

#[tokio::test(start_paused = true)]
async fn plugins_are_reconfigured_at_run_time_or_stay_as_they_are() {
    let log = Log::default();
    let o = with_plugins(
        |_| {},
        vec![
            (
                manifest("yes", HookSet::none()),
                Hooked::new().on_reconfigure(&log),
            ),
            (manifest("no", HookSet::none()), Hooked::new()),
        ],
    )
    .await;
    o.reconfigure_plugin("yes", "limit = 5").unwrap();
    assert_eq!(log.take(), ["{\"limit\": 5}"]);
    for bad in ["limit = \"five\"", "limit ="] {
        let error = o.reconfigure_plugin("yes", bad).unwrap_err();
        assert!(error.to_string().contains("[plugins.yes]"), "{error}");
    }
    assert!(log.take().is_empty());
    assert!(matches!(
        o.reconfigure_plugin("no", "").unwrap_err(),
        PluginError::NotReconfigurable
    ));
}

trait Greeter: Send + Sync {
    fn greet(&self) -> String;
}

struct English;

impl Greeter for English {
    fn greet(&self) -> String {
        "hello".to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_is_seen_by_later_plugins_agents_and_users_by_its_type() {
    let log = Log::default();
    let seen = log.clone();
    let o = with_plugins(
        |_| {},
        vec![
            (
                manifest("z_offers", HookSet::none()),
                Hooked::new().on_start(|context| {
                    assert!(context.section.is_empty());
                    context.services.offer::<dyn Greeter>(Arc::new(English));
                    Ok(())
                }),
            ),
            (
                manifest("a_uses", HookSet::none()).after(&["z_offers"]),
                Hooked::new().on_start(move |context| {
                    let greeter = context.services.get::<dyn Greeter>();
                    seen.push(greeter.map_or_else(String::new, |g| g.greet()));
                    Ok(())
                }),
            ),
        ],
    )
    .await;
    assert_eq!(log.take(), ["hello"]);
    assert_eq!(o.service::<dyn Greeter>().unwrap().greet(), "hello");
    assert!(
        o.service::<English>().is_none(),
        "by the type it was offered under"
    );
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        let greeter = context.service::<dyn Greeter>();
        Ok::<_, AgentError>(greeter.map(|g| g.greet()))
    });
    o.register_agent(worker("w", &["x"], agent)).await.unwrap();
    let outcome = o.execute(task("x")).await.unwrap();
    assert_eq!(outcome.result(), &json!("hello"));
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_does_not_start_is_named_and_those_before_it_are_stopped() {
    for panics in [false, true] {
        let log = Log::default();
        let hooks = HookSet::none;
        let fails = Hooked::new().on_start(move |_| {
            if panics {
                std::panic::panic_any("told to panic");
            }
            Err(PluginError::failed("no licence"))
        });
        let error = UniversalOrchestrator::builder()
            .without_linked_plugins()
            .plugin(
                manifest("a", hooks()),
                Hooked::new().on_stop(&log, "a", ms(0)),
            )
            .plugin(
                manifest("b", hooks()),
                Hooked::new().on_stop(&log, "b", ms(0)),
            )
            .plugin(manifest("c", hooks()), fails.on_stop(&log, "c", ms(0)))
            .plugin(
                manifest("d", hooks()),
                Hooked::new().on_stop(&log, "d", ms(0)),
            )
            .start()
            .await
            .unwrap_err();
        let why = ["no licence", "panicked: told to panic"][usize::from(panics)];
        assert_eq!(
            error.to_string(),
            format!("plugin \"c\" did not start: {why}")
        );
        assert!(matches!(error, StartError::Plugin { name: "c", .. }));
        assert_eq!(log.lines(), ["stop b", "stop a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn plugins_stop_in_the_opposite_order_and_stuck_ones_are_reported() {
    let log = Log::default();
    let o = with_plugins(
        |_| {},
        vec![
            (
                manifest("a", HookSet::none()).after(&["b"]),
                Hooked::new().on_stop(&log, "a", ms(0)),
            ),
            (
                manifest("b", HookSet::none()),
                Hooked::new().on_stop(&log, "b", secs(3_600)),
            ),
            (
                manifest("c", HookSet::none()),
                Hooked::new().on_stop(&log, "c", ms(0)),
            ),
        ],
    )
    .await;
    let report = o.shutdown().await;
    assert_eq!(log.lines(), ["stop c", "stop a", "stop b"]);
    assert_eq!(report.stuck_plugins, ["b"]);
    assert_eq!(report.took, ms(100));
    assert!(o.shutdown().await.unfinished.is_empty());
    assert_eq!(log.lines().len(), 3, "a second call stops nothing again");
}

#[tokio::test(start_paused = true)]
async fn the_health_of_plugins_is_part_of_the_status() {
    let sick = PluginHealth::of(HealthStatus::Critical, "disk full");
    let o = with_plugins(
        |_| {},
        vec![(
            manifest("disk", HookSet::none()),
            Hooked::new().with_health(sick),
        )],
    )
    .await;
    let status = o.status();
    assert_eq!(status.health_status, HealthStatus::Critical);
    assert_eq!(status.critical_alerts, 1);
    assert_eq!(status.health_issues, ["plugin disk: disk full"]);
    o.disable_plugin("disk").unwrap();
    assert_eq!(o.status().health_status, HealthStatus::Healthy);
}

#[tokio::test(start_paused = true)]
async fn plugin_sets_that_do_not_work_are_refused_with_names() {
    let start = |plugins: Vec<PluginManifest>| async move {
        let mut builder = UniversalOrchestrator::builder().without_linked_plugins();
        for manifest in plugins {
            builder = builder.plugin(manifest, Hooked::new());
        }
        match builder.start().await {
            Err(StartError::Link(error)) => error,
            other => unreachable!("{other:?}"),
        }
    };
    let plain = |name| manifest(name, HookSet::none());
    let error = start(vec![plain("a"), plain("a")]).await;
    assert!(matches!(error, LinkError::Duplicate { name: "a", .. }));
    let error = start(vec![plain("a").after(&["ghost"])]).await;
    assert!(matches!(
        error,
        LinkError::UnknownAfter { after: "ghost", .. }
    ));
    let error = start(vec![plain("a").after(&["b"]), plain("b").after(&["a"])]).await;
    assert!(matches!(error, LinkError::Cycle { .. }));
}
