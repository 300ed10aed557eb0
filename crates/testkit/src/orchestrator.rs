//! Orchestrators and clocks for tests.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use universal_orchestrator::{
    OrchestratorBuilder, OrchestratorConfig, UniversalOrchestrator, WallClock,
};

/// The seed of every test orchestrator whose configuration has none.
pub const TEST_SEED: u64 = 42;

/// A builder for tests: without linked plugins, with a fixed seed, and panicking when it is dropped with live tasks.
pub fn test_builder(mut config: OrchestratorConfig) -> OrchestratorBuilder {
    config.seed.get_or_insert(TEST_SEED);
    UniversalOrchestrator::builder()
        .config(config)
        .without_linked_plugins()
        .panic_when_dropped_with_live_tasks()
}

/// Starts what [`test_builder`] describes.
///
/// # Panics
/// When the configuration does not fit, with what to change.
pub async fn test_orchestrator(config: OrchestratorConfig) -> UniversalOrchestrator {
    match test_builder(config).start().await {
        Ok(orchestrator) => orchestrator,
        Err(error) => std::panic::panic_any(format!("test orchestrator did not start: {error}")),
    }
}

/// The defaults without anything periodic, so that paused time stands still until the test moves it.
#[must_use]
pub fn quiet_config() -> OrchestratorConfig {
    let mut config = OrchestratorConfig::default();
    config.health_check_interval_ms = 0;
    config.cleanup_interval_ms = 0;
    config.tick_interval_ms = 0;
    config
}

/// Lets everything that is ready on a current-thread runtime run, without moving paused time.
pub async fn settle() {
    const ROUNDS: usize = 24;
    for _ in 0..ROUNDS {
        tokio::task::yield_now().await;
    }
}

/// A wall clock that moves only when told. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct TestWallClock(Arc<Mutex<SystemTime>>);

impl TestWallClock {
    /// A clock that stands so long after 1970-01-01 UTC.
    #[must_use]
    pub fn at(since_epoch: Duration) -> Self {
        Self(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + since_epoch)))
    }

    /// Moves it forward.
    pub fn advance(&self, time: Duration) {
        *self.0.lock() += time;
    }

    /// Sets it, backwards too: wall clocks do that.
    pub fn set(&self, time: SystemTime) {
        *self.0.lock() = time;
    }
}

impl WallClock for TestWallClock {
    fn now(&self) -> SystemTime {
        *self.0.lock()
    }
}
