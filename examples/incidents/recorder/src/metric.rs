//! Every metric that is shown to Prometheus: names, labels and buckets in one place.
//!
//! Counters of the crate `metrics` are whole numbers, so sums of seconds are kept as gauges that only rise.
#![expect(clippy::disallowed_macros, reason = "the names stand here only")]

use std::time::Duration;

use anyhow::{Context, Result};
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds; fine enough for quantiles of calls between a millisecond and the longest time limit.
const BUCKETS: [f64; 20] = [
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15,
    0.25, 0.5, 1.0, 1.5, 2.5, 5.0,
];

/// Makes this process keep metrics.
pub(crate) fn install() -> Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full("client_request_duration_seconds".to_owned()),
            &BUCKETS,
        )
        .context("failed to set buckets")?
        .install_recorder()
        .context("failed to install the recorder of metrics")
}

/// Shows a callee before the first call, so that the first failure is an increase.
pub(crate) fn announce(peer: &'static str) {
    counter!("client_requests_failed_total", "peer" => peer).absolute(0);
}

/// Notes a call as its caller saw it.
pub(crate) fn called(peer: &'static str, took: Duration, succeeded: bool) {
    histogram!("client_request_duration_seconds", "peer" => peer).record(took);
    if !succeeded {
        counter!("client_requests_failed_total", "peer" => peer).increment(1);
    }
}

/// Notes how long a caller waited for a connection of the pool, whether or not it got one.
pub(crate) fn waited_for_connection(took: Duration) {
    gauge!("db_pool_wait_seconds_sum").increment(took.as_secs_f64());
    counter!("db_pool_wait_seconds_count").increment(1);
}

/// Shows the state of the pool.
pub(crate) fn pool(size: usize, in_use: usize, waiting: usize) {
    gauge!("db_pool_size").set(size as f64);
    gauge!("db_pool_in_use").set(in_use as f64);
    gauge!("db_pool_waiting").set(waiting as f64);
}

/// Shows what a container used.
pub(crate) fn container_cpu(node: &'static str, nanoseconds: u64, limit_cores: f64) {
    gauge!("container_cpu_usage_seconds_total", "node" => node).set(nanoseconds as f64 / 1e9);
    gauge!("container_cpu_limit_cores", "node" => node).set(limit_cores);
}

/// Shows the memory of a container, and its limit where it has one.
pub(crate) fn container_memory(node: &'static str, bytes: u64, limit: Option<u64>) {
    gauge!("container_memory_bytes", "node" => node).set(bytes as f64);
    if let Some(limit) = limit {
        gauge!("container_memory_limit_bytes", "node" => node).set(limit as f64);
    }
}

/// Shows how full a file system is.
pub(crate) fn disk(node: &'static str, volume: &'static str, used: u64, size: u64) {
    gauge!("filesystem_used_bytes", "node" => node, "volume" => volume).set(used as f64);
    gauge!("filesystem_size_bytes", "node" => node, "volume" => volume).set(size as f64);
}

/// Shows the processors of the machine: seconds since its start, summed over cores.
pub(crate) fn host_cpu(busy: f64, all: f64) {
    gauge!("host_cpu_busy_seconds_total").set(busy);
    gauge!("host_cpu_seconds_total").set(all);
}

/// Shows the memory of the machine.
pub(crate) fn host_memory(used: u64, size: u64) {
    gauge!("host_memory_used_bytes").set(used as f64);
    gauge!("host_memory_size_bytes").set(size as f64);
}

/// What the database says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DatabaseState {
    pub(crate) connections: i64,
    pub(crate) connections_max: i64,
    pub(crate) waiting_for_locks: i64,
    pub(crate) rows_scanned: i64,
}

/// Shows the state of the database. `elapsed` since the last look is counted for each session that waits for a lock.
pub(crate) fn database(state: DatabaseState, elapsed: Duration) {
    gauge!("pg_connections").set(state.connections as f64);
    gauge!("pg_connections_max").set(state.connections_max as f64);
    gauge!("pg_sessions_waiting_for_lock").set(state.waiting_for_locks as f64);
    gauge!("pg_lock_wait_seconds_total")
        .increment(state.waiting_for_locks as f64 * elapsed.as_secs_f64());
    gauge!("pg_rows_scanned_total").set(state.rows_scanned as f64);
}
