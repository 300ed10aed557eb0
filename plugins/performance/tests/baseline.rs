//! A baseline is saved, compared with, and never half written.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod common;

use std::fs;

use common::{Machine, agents, look, ms, pass, seconds, section, service, start, work};
use universal_orchestrator::{Task, TaskFailure, UniversalOrchestrator};
use universal_orchestrator_performance::{
    Baseline, BaselineError, PerformanceConfig, PerformancePlugin,
};
use universal_orchestrator_testkit::{quiet_config, test_builder};

/// Twenty tasks that take so long, all in the window.
async fn twenty(o: &UniversalOrchestrator, time: u64) {
    for _ in 0..20 {
        work(o, Task::new("t").requires(["x"]), ms(time)).await;
    }
    look(o).await;
}

#[tokio::test(start_paused = true)]
async fn a_slowdown_against_the_saved_baseline_is_an_alert() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.json");
    let o = start(seconds(), &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    let service = service(&o);
    let refused = service.save_baseline(&path).unwrap_err();
    assert!(
        matches!(
            refused,
            BaselineError::TooLittle {
                ended: 0,
                needed: 10
            }
        ),
        "{refused}"
    );
    assert_eq!(service.regressions(), None);
    twenty(&o, 100).await;
    service.save_baseline(&path).unwrap();
    assert_eq!(service.regressions(), Some(Vec::new()));

    pass(ms(12_000)).await;
    twenty(&o, 115).await;
    assert_eq!(
        service.regressions(),
        Some(Vec::new()),
        "fifteen per cent are allowed"
    );
    pass(ms(12_000)).await;
    twenty(&o, 130).await;
    let found = service.regressions().unwrap();
    let p95 = found
        .iter()
        .find(|one| one.of == "t" && one.figure == "execution_p95_ms")
        .unwrap();
    assert!((p95.worse_by - 30.0).abs() < 2.0, "{p95:?}");
    let rules: Vec<String> = service
        .alerts()
        .into_iter()
        .map(|alert| alert.rule)
        .collect();
    assert_eq!(rules, ["regression"]);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn more_failures_than_in_the_baseline_are_a_regression() {
    let o = start(section("regression_error_points = 20"), &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    let service = service(&o);
    twenty(&o, 1).await;
    service.use_baseline(Baseline::of(&service.snapshot()).unwrap());
    // Five of twenty-five are twenty per cent, six of twenty-six are more.
    for (fails, expected) in [(5, false), (1, true)] {
        for _ in 0..fails {
            let delegation = o
                .delegate_task(Task::new("t").requires(["x"]))
                .await
                .unwrap();
            o.fail_task(&delegation, TaskFailure::permanent("no"))
                .await
                .unwrap();
        }
        look(&o).await;
        let found = service.regressions().unwrap();
        let is_found = found.iter().any(|one| one.figure == "error_rate_percent");
        assert_eq!(is_found, expected, "{found:#?}");
    }
    o.shutdown().await;
}

async fn start_from(config: PerformanceConfig) -> Result<UniversalOrchestrator, String> {
    let plugin = PerformancePlugin::with_sampler(config, Machine::calm()).unwrap();
    let builder = test_builder(quiet_config()).plugin(PerformancePlugin::MANIFEST, plugin);
    builder
        .start()
        .await
        .map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
}

#[tokio::test(start_paused = true)]
async fn the_configured_baseline_is_loaded_a_missing_one_is_none_and_a_broken_one_stops_the_start()
{
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.json");
    let mut config = seconds();
    config.baseline_path = Some(path.clone());
    let o = start_from(config.clone()).await.unwrap();
    agents(&o, "x", &["a"]).await;
    assert_eq!(service(&o).regressions(), None);
    twenty(&o, 10).await;
    service(&o).save_baseline(&path).unwrap();
    o.shutdown().await;

    let o = start_from(config.clone()).await.unwrap();
    assert_eq!(service(&o).regressions(), Some(Vec::new()));
    o.shutdown().await;

    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let error = start_from(config.clone()).await.unwrap_err();
    assert!(
        error.contains("baseline_path") && error.contains("save it again"),
        "{error}"
    );
    fs::write(&path, text.replace("\"version\": 1", "\"version\": 7")).unwrap();
    let error = start_from(config).await.unwrap_err();
    assert!(error.contains("version 7"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.json");
    let o = start(seconds(), &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    twenty(&o, 10).await;
    service(&o).save_baseline(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let nowhere = folder.path().join("missing/baseline.json");
    let error = service(&o).save_baseline(nowhere).unwrap_err();
    assert!(matches!(error, BaselineError::File { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left beside it");
    assert_eq!(
        service(&o).regressions(),
        Some(Vec::new()),
        "the one in use stays"
    );
    o.shutdown().await;
}
