//! The plugin itself: hooks in, health out, tasks begun and ended.

use std::sync::Arc;

use metrics::Recorder;
use parking_lot::Mutex;
use tokio::time::Instant;
use universal_orchestrator::async_trait;
use universal_orchestrator::plugin::{
    HealthStatus, HookContext, HookPoint, HookSet, Observed, Plugin, PluginContext,
    PluginDescriptor, PluginError, PluginHealth, PluginManifest, PluginSection,
};

use crate::alert::Severity;
use crate::analyst::Analyst;
use crate::config::PerformanceConfig;
use crate::export::{self, Exporter};
use crate::names::OwnMetrics;
use crate::sample::{Sampler, SystemSampler};
use crate::service::{PerformanceService, load_configured};
use crate::shared::Shared;
use crate::worker::{self, Workers};
use crate::{EXAMPLE, NAME};

/// The plugin.
pub struct PerformancePlugin {
    shared: Arc<Shared>,
    exporter: Option<Exporter>,
    sampler: Mutex<Option<Box<dyn Sampler>>>,
    workers: Workers,
}

impl PerformancePlugin {
    /// Name, summary, hooks and an example of the section.
    pub const MANIFEST: PluginManifest = PluginManifest::new(
        NAME,
        "measures machine, latencies and rates, raises alerts, finds bottlenecks, serves Prometheus",
        HookSet::none()
            .observe(HookPoint::Register)
            .observe(HookPoint::Delegate)
            .observe(HookPoint::Complete)
            .observe(HookPoint::Fail)
            .observe(HookPoint::Retry)
            .observe(HookPoint::Cancel),
    )
    .example(EXAMPLE);

    /// Makes the plugin, which reads this machine.
    ///
    /// # Errors
    /// [`PluginError::Section`] when the configuration does not fit.
    pub fn new(config: PerformanceConfig) -> Result<Self, PluginError> {
        Self::with_sampler(config, SystemSampler::default())
    }

    /// Makes the plugin with another reader of the machine, for a host that `sysinfo` does not know, or for tests.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_sampler(
        config: PerformanceConfig,
        sampler: impl Sampler,
    ) -> Result<Self, PluginError> {
        config.validate()?;
        let exporter = match &config.prometheus_listen {
            Some(_) => Some(Exporter::new(&config)?),
            None => None,
        };
        Ok(Self {
            shared: Arc::new(Shared::new(config)),
            exporter,
            sampler: Mutex::new(Some(Box::new(sampler))),
            workers: Workers::default(),
        })
    }

    async fn listen(&self, exporter: &Exporter) -> Result<(), PluginError> {
        let config = self.shared.config();
        let Some(address) = config.listen_address()? else {
            return Ok(());
        };
        let (listener, bound) = export::bind(address).await?;
        self.shared.listens_at.get_or_init(|| bound);
        tracing::info!(%bound, "Prometheus metrics are at /metrics");
        self.workers.spawn(export::serve(
            listener,
            exporter.handle(),
            config.prometheus_connections_max,
            self.workers.stop_token(),
        ));
        Ok(())
    }
}

impl std::fmt::Debug for PerformancePlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PerformancePlugin")
            .field("config", &self.shared.config())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Plugin for PerformancePlugin {
    async fn start(&self, context: PluginContext) -> Result<(), PluginError> {
        let config = self.shared.config();
        if let Some(path) = &config.baseline_path {
            load_configured(&self.shared, path)?;
        }
        if let Some(exporter) = &self.exporter {
            self.listen(exporter).await?;
        }
        context
            .services
            .offer(Arc::new(PerformanceService::new(Arc::clone(&self.shared))));
        let metrics = || OwnMetrics::new(Arc::clone(&context.metrics), config.tracked_max);
        let analyst = Analyst::new(
            Arc::clone(&self.shared),
            context.control.clone(),
            metrics(),
            Instant::now(),
        );
        let stop = || self.workers.stop_token();
        self.workers
            .spawn(worker::analyse(Arc::clone(&self.shared), analyst, stop()));
        if let Some(sampler) = self.sampler.lock().take() {
            let shared = Arc::clone(&self.shared);
            self.workers
                .spawn(worker::sample(shared, sampler, metrics(), stop()));
        }
        Ok(())
    }

    fn recorder(&self) -> Option<Arc<dyn Recorder + Send + Sync>> {
        self.exporter.as_ref().map(Exporter::recorder)
    }

    async fn stop(&self) {
        self.workers.stop().await;
    }

    fn observe(&self, _: &HookContext<'_>, what: &Observed<'_>) {
        self.shared.observations.see(what);
    }

    fn health(&self) -> PluginHealth {
        let (unseen, worst, named) = self.shared.standing();
        let alerts = || format!("alerts: {}", named.join(", "));
        let broken = self.shared.broken.lock().clone();
        let health = match (worst, broken) {
            (Some(Severity::Critical), _) => PluginHealth::of(HealthStatus::Critical, alerts()),
            (_, Some(broken)) => PluginHealth::of(HealthStatus::Degraded, broken),
            (Some(Severity::Warning), _) => PluginHealth::of(HealthStatus::Degraded, alerts()),
            _ => PluginHealth::healthy(),
        };
        health
            .critical_alerts(unseen)
            .details(self.shared.details())
    }

    fn reconfigure(&self, section: &PluginSection) -> Result<(), PluginError> {
        let config: PerformanceConfig = section.parse()?;
        config.validate()?;
        self.shared.config().check_change(&config)?;
        self.shared.reconfigure(config);
        Ok(())
    }
}

fn build(section: &PluginSection) -> Result<Box<dyn Plugin>, PluginError> {
    Ok(Box::new(PerformancePlugin::new(section.parse()?)?))
}

/// What links in.
pub static PERFORMANCE: PluginDescriptor =
    PluginDescriptor::new(PerformancePlugin::MANIFEST, build);
