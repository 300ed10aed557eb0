//! What the plugin offers to agents, users and other plugins.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use universal_orchestrator::plugin::PluginError;

use crate::alert::{AcknowledgeError, Alert};
use crate::find::{Baseline, BaselineError, Bottleneck, Regression, Trend};
use crate::shared::Shared;
use crate::signal::Signal;
use crate::snapshot::PerformanceSnapshot;

/// What the plugin offers: `orchestrator.service::<PerformanceService>()`.
///
/// Everything is of the last interval; nothing here takes the engine's lock.
#[derive(Debug, Clone)]
pub struct PerformanceService(Arc<Shared>);

impl PerformanceService {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Everything that was measured. Its `Serialize` is the JSON document.
    #[must_use]
    pub fn snapshot(&self) -> Arc<PerformanceSnapshot> {
        self.0.snapshot()
    }

    /// What limits throughput, the worst first.
    #[must_use]
    pub fn bottlenecks(&self) -> Vec<Bottleneck> {
        self.0.snapshot().bottlenecks.clone()
    }

    /// Alerts that are pending or fire, as they stand now.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.0.alerts.lock().active().cloned().collect()
    }

    /// Alerts that are over, at most `resolved_max`, the latest last.
    #[must_use]
    pub fn resolved_alerts(&self) -> Vec<Alert> {
        self.0.alerts.lock().resolved().cloned().collect()
    }

    /// Notices that were held back by the cooldown of their rule.
    #[must_use]
    pub fn notices_withheld(&self) -> u64 {
        self.0.alerts.lock().withheld()
    }

    /// Says that somebody knows: the alert is not told again and no longer counts in `critical_alerts`, until it resolves.
    ///
    /// # Errors
    /// [`AcknowledgeError`] when no alert of the rule fires.
    pub fn acknowledge(&self, rule: &str, by: &str) -> Result<(), AcknowledgeError> {
        self.0.alerts.lock().acknowledge(rule, by)
    }

    /// Where a value is going; `None` with fewer than four known points.
    #[must_use]
    pub fn trend(&self, signal: Signal) -> Option<Trend> {
        let config = self.0.config();
        let interval_s = config.interval().as_secs_f64();
        let history = self.0.history.lock();
        history.trend(signal, config.trend_points, interval_s)
    }

    /// Saves the figures of the window to a file and compares with them from now on. Does blocking I/O.
    ///
    /// # Errors
    /// [`BaselineError`]; the file is then as it was before.
    pub fn save_baseline(&self, path: impl AsRef<Path>) -> Result<(), BaselineError> {
        let baseline = Baseline::of(&self.0.snapshot())?;
        baseline.save(path.as_ref())?;
        self.use_baseline(baseline);
        Ok(())
    }

    /// Loads a baseline and compares with it from now on. Does blocking I/O.
    ///
    /// # Errors
    /// [`BaselineError`]; the comparison then goes on as before.
    pub fn load_baseline(&self, path: impl AsRef<Path>) -> Result<(), BaselineError> {
        self.use_baseline(Baseline::load(path.as_ref())?);
        Ok(())
    }

    /// Compares with these figures from now on.
    pub fn use_baseline(&self, baseline: Baseline) {
        *self.0.baseline.lock() = Some(Arc::new(baseline));
    }

    /// What is worse than the baseline now; `None` without one.
    #[must_use]
    pub fn regressions(&self) -> Option<Vec<Regression>> {
        let baseline = self.0.baseline.lock().clone()?;
        Some(baseline.compare(&self.0.snapshot(), &self.0.config()))
    }

    /// Where Prometheus scrapes, when something listens.
    #[must_use]
    pub fn prometheus_address(&self) -> Option<SocketAddr> {
        self.0.listens_at.get().copied()
    }
}

/// A baseline that the section names. A file that is not there is none.
pub(crate) fn load_configured(shared: &Shared, path: &Path) -> Result<(), PluginError> {
    match Baseline::load(path) {
        Ok(baseline) => *shared.baseline.lock() = Some(Arc::new(baseline)),
        Err(BaselineError::File { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            tracing::info!(?path, "there is no baseline yet");
        }
        Err(error) => {
            return Err(PluginError::caused(
                format!("baseline_path: {error}"),
                error,
            ));
        }
    }
    Ok(())
}
