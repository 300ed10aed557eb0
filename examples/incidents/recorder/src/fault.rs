//! Begins a fault and ends it.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinHandle;

use crate::database;
use crate::load::Load;
use crate::order::Order;
use crate::plan::Fault;
use crate::role::Role;
use crate::setup::{Setup, Volume};

/// A fault that lasts, with what ends it.
#[derive(Debug)]
pub(crate) enum Lasting {
    Nothing,
    Surge(f64),
    Order(Role),
    Index(&'static str),
    Locks(JoinHandle<()>),
    File(PathBuf),
}

/// Begins the fault.
pub(crate) async fn begin(fault: Fault, setup: &Setup, load: &Load, rate: f64) -> Result<Lasting> {
    Ok(match fault {
        Fault::None => Lasting::Nothing,
        Fault::Surge(factor) => {
            load.set(rate * factor);
            Lasting::Surge(rate)
        }
        Fault::Process(role, order) => {
            setup.order(role, order).await?;
            Lasting::Order(role)
        }
        Fault::DropIndex(index, again) => {
            let client = database::connect(setup.base_port, "migration").await?;
            client
                .batch_execute(&format!("DROP INDEX {index}"))
                .await
                .with_context(|| format!("failed to drop {index}"))?;
            Lasting::Index(again)
        }
        Fault::Lock(statement, hold_ms, rest_ms) => {
            let client = database::connect(setup.base_port, "nightly-batch").await?;
            Lasting::Locks(tokio::spawn(async move {
                loop {
                    let locked = client.batch_execute(&format!("BEGIN; {statement}")).await;
                    if let Err(error) = locked {
                        tracing::error!(error = %error, "the locks were not taken");
                    }
                    tokio::time::sleep(Duration::from_millis(hold_ms)).await;
                    if let Err(error) = client.batch_execute("ROLLBACK").await {
                        tracing::error!(error = %error, "the locks were not given back");
                    }
                    tokio::time::sleep(Duration::from_millis(rest_ms)).await;
                }
            }))
        }
        Fault::FillPaymentsDisk => Lasting::File(fill(setup.payments_disk())?),
    })
}

/// Writes a file until the disk has no byte left.
fn fill(volume: &Volume) -> Result<PathBuf> {
    let path = volume.path().join("export-of-last-year.csv");
    let mut file = File::create(&path).context("failed to make the file that fills the disk")?;
    for size in [1 << 16, 1 << 10, 1] {
        let block = vec![b'.'; size];
        // It ends with the error that is wanted: no space left.
        while file.write_all(&block).is_ok() {}
    }
    Ok(path)
}

impl Lasting {
    /// Ends the fault.
    pub(crate) async fn end(self, setup: &Setup, load: &Load) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Surge(rate) => {
                load.set(rate);
                Ok(())
            }
            Self::Order(role) => setup.order(role, Order::None).await,
            Self::Index(again) => {
                let client = database::connect(setup.base_port, "migration").await?;
                client
                    .batch_execute(again)
                    .await
                    .with_context(|| format!("failed to run {again}"))
            }
            Self::Locks(task) => {
                // The session ends with its task, and gives its locks back.
                task.abort();
                Ok(())
            }
            Self::File(path) => std::fs::remove_file(&path)
                .with_context(|| format!("failed to remove {}", path.display())),
        }
    }
}
