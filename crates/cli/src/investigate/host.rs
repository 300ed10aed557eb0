//! `investigate host`: this machine, now.

use std::time::Duration;

use universal_orchestrator_investigation::Incident;
use universal_orchestrator_investigation::source::host::{HostSampling, sample_host};

use crate::arguments::ThisHost;

/// Samples the machine; it takes as long as the user said.
pub(crate) fn incident(arguments: &ThisHost) -> Incident {
    let mut sampling = HostSampling::default();
    sampling.length = Duration::from_secs_f64(arguments.length);
    sampling.every = Duration::from_secs_f64((arguments.length / 5.0).min(1.0));
    sampling.logs = Some(arguments.logs.clone());
    sample_host(&sampling).into_incident()
}
