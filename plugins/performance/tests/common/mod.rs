//! An orchestrator with the plugin, and a machine that says what the test wants.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it; a helper of a test fails it"
)]

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use universal_orchestrator::{AgentRole, AgentSpec, Task, UniversalOrchestrator};
use universal_orchestrator_performance::{
    MachineReading, PerformanceConfig, PerformancePlugin, PerformanceService, Sampler,
};
use universal_orchestrator_testkit::{quiet_config, test_builder};

/// A machine whose next reading the test sets.
#[derive(Debug, Clone)]
pub(crate) struct Machine(Arc<Mutex<MachineReading>>);

impl Machine {
    pub(crate) fn calm() -> Self {
        let mut reading = MachineReading::unknown();
        reading.cores = 4;
        reading.cpu_percent = Some(10.0);
        reading.memory_percent = Some(20.0);
        reading.disk_percent = Some(30.0);
        reading.load_one = Some(1.0);
        Self(Arc::new(Mutex::new(reading)))
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut MachineReading)) {
        change(&mut self.0.lock());
    }
}

impl Sampler for Machine {
    fn sample(&mut self, _: Option<Duration>) -> MachineReading {
        self.0.lock().clone()
    }
}

/// A section with a look a second and a window of ten.
pub(crate) fn seconds() -> PerformanceConfig {
    section("")
}

/// The same with more keys, as TOML.
pub(crate) fn section(toml: &str) -> PerformanceConfig {
    let base = "interval_ms = 1000\nwindow_ms = 10000\ntrend_points = 4\n";
    toml::from_str(&format!("{base}{toml}")).unwrap()
}

pub(crate) async fn start(config: PerformanceConfig, machine: &Machine) -> UniversalOrchestrator {
    let plugin = PerformancePlugin::with_sampler(config, machine.clone()).unwrap();
    test_builder(quiet_config())
        .plugin(PerformancePlugin::MANIFEST, plugin)
        .start()
        .await
        .unwrap()
}

pub(crate) fn service(o: &UniversalOrchestrator) -> Arc<PerformanceService> {
    o.service::<PerformanceService>().unwrap()
}

/// Registers external agents with a capability.
pub(crate) async fn agents(o: &UniversalOrchestrator, capability: &str, names: &[&str]) {
    for name in names {
        let spec = AgentSpec::new(name, AgentRole::Worker).capabilities([capability]);
        o.register_agent(spec).await.unwrap();
    }
}

/// A task of an external agent that takes so long.
pub(crate) async fn work(o: &UniversalOrchestrator, task: Task, time: Duration) {
    let delegation = o.delegate_task(task).await.unwrap();
    tokio::time::sleep(time).await;
    o.complete_task(&delegation, 1).await.unwrap();
}

/// Waits for two snapshots: the first may have been under way, the second has seen everything that was there.
pub(crate) async fn look(o: &UniversalOrchestrator) {
    let service = service(o);
    for _ in 0..2 {
        let before = service.snapshot();
        while Arc::ptr_eq(&before, &service.snapshot()) {
            tokio::time::sleep(ms(50)).await;
        }
    }
}

/// Lets paused time pass.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
