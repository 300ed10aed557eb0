//! shows Prometheus what containers, disks, database and machine say, four times a second.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use procfs::{Current, CurrentSI, KernelStats, Meminfo};
use tokio::task::JoinHandle;

use super::Volume;
use super::containers::Containers;
use super::volume;
use crate::database;
use crate::metric;
use crate::role::{EXPORTER_PORT, HOST};

const EVERY: Duration = Duration::from_millis(250);

/// Serves the metrics of this process, and looks from now on.
pub(super) async fn start(
    base_port: u16,
    containers: Arc<Containers>,
    volumes: Vec<Arc<Volume>>,
) -> Result<JoinHandle<()>> {
    let handle = metric::install()?;
    metric::announce("gateway");
    let address = (Ipv4Addr::LOCALHOST, base_port + EXPORTER_PORT);
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("failed to listen on port {}", address.1))?;
    let page = get(async move || handle.render());
    tokio::spawn(async move {
        // It serves as long as the program runs.
        let _ = axum::serve(listener, Router::new().route("/metrics", page)).await;
    });
    let client = database::connect(base_port, "exporter").await?;
    Ok(tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        let mut last = Instant::now();
        loop {
            ticks.tick().await;
            // Reading the memory of many processes takes long; the customers share this runtime.
            let (containers, volumes) = (Arc::clone(&containers), volumes.clone());
            match tokio::task::spawn_blocking(move || look(&containers, &volumes)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(error = %error, "a look failed"),
                Err(error) => tracing::debug!(error = %error, "a look ended early"),
            }
            match database::state(&client).await {
                Ok(state) => metric::database(state, last.elapsed()),
                Err(error) => tracing::debug!(error = %error, "the database did not say its state"),
            }
            last = Instant::now();
        }
    }))
}

fn look(containers: &Containers, volumes: &[Arc<Volume>]) -> Result<()> {
    for (node, cores) in Containers::nodes() {
        metric::container_cpu(node, containers.cpu_nanoseconds(node)?, cores);
        let limit = Containers::memory_limit(node);
        metric::container_memory(node, containers.memory_bytes(node)?, limit);
    }
    for volume in volumes {
        let (used, size) = volume.usage()?;
        metric::disk(volume.node, volume.name, used, size);
    }
    let (used, size) = volume::usage("/".as_ref())?;
    metric::disk(HOST, "root", used, size);
    let total = KernelStats::current()
        .context("failed to read /proc/stat")?
        .total;
    let idle = total.idle_ms() + total.iowait_ms().unwrap_or(0);
    let busy = total.user_ms()
        + total.nice_ms()
        + total.system_ms()
        + total.irq_ms().unwrap_or(0)
        + total.softirq_ms().unwrap_or(0);
    metric::host_cpu(busy as f64 / 1e3, (busy + idle) as f64 / 1e3);
    let memory = Meminfo::current().context("failed to read /proc/meminfo")?;
    let free = memory.mem_available.unwrap_or(memory.mem_free);
    metric::host_memory(memory.mem_total.saturating_sub(free), memory.mem_total);
    Ok(())
}
