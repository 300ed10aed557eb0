//! The recorder.

use std::sync::Arc;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use universal_orchestrator::plugin::PluginError;

use crate::config::PerformanceConfig;
use crate::names::SharedRecorder;

/// A recorder that keeps what it is given, and writes it as Prometheus text.
pub(crate) struct Exporter {
    recorder: Arc<PrometheusRecorder>,
}

impl Exporter {
    pub(crate) fn new(config: &PerformanceConfig) -> Result<Self, PluginError> {
        let seconds: Vec<f64> = config
            .latency_buckets_ms
            .iter()
            .map(|ms| ms / 1e3)
            .collect();
        let builder = PrometheusBuilder::new()
            .set_buckets(&seconds)
            .map_err(|error| PluginError::caused("latency_buckets_ms was refused", error))?;
        Ok(Self {
            recorder: Arc::new(builder.build_recorder()),
        })
    }

    pub(crate) fn recorder(&self) -> SharedRecorder {
        Arc::clone(&self.recorder) as _
    }

    pub(crate) fn handle(&self) -> PrometheusHandle {
        self.recorder.handle()
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}
