//! Everything that runs while incidents are recorded, on loopback only.

mod containers;
mod exporter;
mod postgres;
mod processes;
mod prometheus;
mod volume;

pub(crate) use containers::CPU_CORES;
pub(crate) use prometheus::Prometheus;
pub(crate) use volume::Volume;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::task::JoinHandle;

use crate::order::Order;
use crate::role::Role;
use containers::Containers;
use postgres::Postgres;
use processes::Processes;

/// Bytes of the disks.
const JOURNAL_BYTES: u64 = 48 << 20;
const PAYMENTS_BYTES: u64 = 96 << 20;
const DATABASE_BYTES: u64 = 768 << 20;

/// A set-up that runs.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) base_port: u16,
    folder: PathBuf,
    payments_disk: Arc<Volume>,
    exporter: JoinHandle<()>,
    postgres: Postgres,
    prometheus: Prometheus,
    processes: Processes,
}

impl Setup {
    /// Starts everything and waits until it answers. `folder` is made and removed.
    pub(crate) async fn start(folder: &Path, base_port: u16, programs: &Programs) -> Result<Self> {
        std::fs::create_dir_all(folder.join("logs"))
            .with_context(|| format!("failed to make {}", folder.display()))?;
        let containers = Arc::new(Containers::new(base_port)?);
        let volume = |name: &'static str, node: &'static str, bytes: u64| {
            Volume::mount(folder, name, node, bytes).map(Arc::new)
        };
        let database_disk = volume("database", "postgres", DATABASE_BYTES)?;
        let payments_disk = volume("payments-disk", "postgres", PAYMENTS_BYTES)?;
        let journal = volume("journal", "ledger", JOURNAL_BYTES)?;
        let postgres = Postgres::start(
            folder,
            &database_disk,
            &payments_disk,
            base_port,
            &containers,
            programs,
        )
        .await?;
        let exporter = exporter::start(
            base_port,
            Arc::clone(&containers),
            vec![
                database_disk,
                Arc::clone(&payments_disk),
                Arc::clone(&journal),
            ],
        )
        .await?;
        let processes = Processes::start(folder, base_port, &containers, journal.path()).await?;
        let prometheus = Prometheus::start(folder, base_port, programs).await?;
        Ok(Self {
            base_port,
            folder: folder.to_owned(),
            payments_disk,
            exporter,
            postgres,
            prometheus,
            processes,
        })
    }

    pub(crate) fn prometheus(&self) -> &Prometheus {
        &self.prometheus
    }

    /// The disk of table `payments`.
    pub(crate) fn payments_disk(&self) -> &Volume {
        &self.payments_disk
    }

    /// The folder of the logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// Gives a process a fault, which it has again after it was restarted, or takes it away.
    pub(crate) async fn order(&self, role: Role, order: Order) -> Result<()> {
        self.processes.order(role, order).await
    }

    /// Ends everything and removes disks and groups.
    pub(crate) async fn stop(self) {
        self.processes.stop().await;
        self.prometheus.stop().await;
        self.postgres.stop().await;
        self.exporter.abort();
        // It was aborted. What it shared, the disks and the groups, goes with it.
        let _ = self.exporter.await;
    }
}

/// The programs that are not ours.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// Folder of `initdb` and `postgres`.
    pub(crate) postgres_bin: PathBuf,
    /// The user that the database runs as; not root.
    pub(crate) postgres_user: String,
    /// The program `prometheus`.
    pub(crate) prometheus: PathBuf,
}
