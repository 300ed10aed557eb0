//! What goes wrong beside the plugin: it says so, and the orchestrator goes on.

mod common;

use std::time::Duration;

use common::{Machine, agents, look, ms, pass, seconds, service, start, work};
use universal_orchestrator::{HealthStatus, OrchestratorConfig, Task};
use universal_orchestrator_performance::{MachineReading, NAME, PerformancePlugin, Sampler};
use universal_orchestrator_testkit::{TestWallClock, quiet_config, test_builder};

struct Panics(u32);

impl Sampler for Panics {
    fn sample(&mut self, _: Option<Duration>) -> MachineReading {
        self.0 += 1;
        assert!(self.0 < 3, "no such device");
        let mut reading = MachineReading::unknown();
        reading.cpu_percent = Some(50.0);
        reading
    }
}

#[tokio::test(start_paused = true)]
async fn a_sampler_that_panics_degrades_health_and_nothing_else() {
    let plugin = PerformancePlugin::with_sampler(seconds(), Panics(0)).unwrap();
    let o = test_builder(quiet_config())
        .plugin(PerformancePlugin::MANIFEST, plugin)
        .start()
        .await
        .unwrap();
    pass(ms(1_500)).await;
    assert!(service(&o).snapshot().machine.is_some());
    pass(ms(3_000)).await;
    let status = o.status();
    assert_eq!(status.health_status, HealthStatus::Degraded);
    let issue = &status.health_issues[0];
    assert!(
        issue.contains("the machine is no longer read") && issue.contains("no such device"),
        "{issue}"
    );
    assert_eq!(
        service(&o).snapshot().machine,
        None,
        "an old reading is no reading"
    );
    agents(&o, "x", &["a"]).await;
    work(&o, Task::new("t").requires(["x"]), ms(1)).await;
    look(&o).await;
    assert_eq!(service(&o).snapshot().overall.succeeded, 1);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_back_moves_no_alert() {
    let machine = Machine::calm();
    let clock = TestWallClock::at(Duration::from_secs(1_800_000_000));
    let plugin = PerformancePlugin::with_sampler(seconds(), machine.clone()).unwrap();
    let o = test_builder(quiet_config())
        .wall_clock(clock.clone())
        .plugin(PerformancePlugin::MANIFEST, plugin)
        .start()
        .await
        .unwrap();
    machine.set(|reading| reading.disk_percent = Some(99.0));
    pass(ms(10_000)).await;
    clock.set(std::time::SystemTime::UNIX_EPOCH);
    pass(ms(10_000)).await;
    assert_eq!(
        o.status().critical_alerts,
        0,
        "thirty seconds have not passed"
    );
    pass(ms(15_000)).await;
    assert_eq!(o.status().critical_alerts, 1);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn two_in_one_process_know_nothing_of_each_other() {
    let (first, second) = (
        start(seconds(), &Machine::calm()).await,
        start(seconds(), &Machine::calm()).await,
    );
    agents(&first, "x", &["a"]).await;
    work(&first, Task::new("t").requires(["x"]), ms(1)).await;
    look(&first).await;
    look(&second).await;
    assert_eq!(service(&first).snapshot().overall.succeeded, 1);
    assert_eq!(service(&second).snapshot().overall.succeeded, 0);
    first.shutdown().await;
    second.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn disabled_it_sees_nothing_and_the_rest_goes_on() {
    let o = start(seconds(), &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    o.disable_plugin(NAME).unwrap();
    work(&o, Task::new("t").requires(["x"]), ms(1)).await;
    o.enable_plugin(NAME).unwrap();
    work(&o, Task::new("t").requires(["x"]), ms(1)).await;
    look(&o).await;
    assert_eq!(service(&o).snapshot().overall.succeeded, 1);
    assert_eq!(o.status().tasks.succeeded, 2);
    o.shutdown().await;
}

#[tokio::test]
async fn the_switch_of_the_migration_guide_requires_it() {
    let config = OrchestratorConfig::from_toml_str("enable_performance_plugin = true").unwrap();
    let o = universal_orchestrator::UniversalOrchestrator::start(config)
        .await
        .unwrap();
    assert!(o.plugins().iter().any(|plugin| plugin.name == NAME));
    o.shutdown().await;
}
