//! The processes of the payment service, each restarted after it ended.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::containers::Containers;
use crate::order::Order;
use crate::role::Role;

/// How long a process stays away after it ended.
const RESTART_AFTER: Duration = Duration::from_secs(3);

/// The running processes.
#[derive(Debug)]
pub(super) struct Processes {
    base_port: u16,
    orders: Orders,
    watchers: JoinSet<()>,
    http: reqwest::Client,
}

type Orders = Arc<Mutex<HashMap<Role, Order>>>;

/// What is needed to start one process, again and again.
#[derive(Clone, Debug)]
struct Launch {
    role: Role,
    base_port: u16,
    program: PathBuf,
    log: PathBuf,
    journal: PathBuf,
    containers: Arc<Containers>,
    orders: Orders,
}

impl Processes {
    pub(super) async fn start(
        folder: &Path,
        base_port: u16,
        containers: &Arc<Containers>,
        journal: &Path,
    ) -> Result<Self> {
        let program = std::env::current_exe().context("failed to find this program")?;
        let orders = Orders::default();
        let mut watchers = JoinSet::new();
        for role in Role::ALL {
            let launch = Launch {
                role,
                base_port,
                program: program.clone(),
                log: folder.join(format!("logs/{}.log", role.name())),
                journal: journal.to_owned(),
                containers: Arc::clone(containers),
                orders: Arc::clone(&orders),
            };
            let first = launch.spawn()?;
            watchers.spawn(launch.keep(first));
        }
        let started = Self {
            base_port,
            orders,
            watchers,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(20))
                .build()
                .context("failed to make an HTTP client")?,
        };
        for role in Role::ALL {
            started.wait(role).await?;
        }
        Ok(started)
    }

    async fn wait(&self, role: Role) -> Result<()> {
        let url = format!("http://127.0.0.1:{}/metrics", role.port(self.base_port));
        for _ in 0..100 {
            if self.http.get(&url).send().await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("{} does not answer; see its log", role.name())
    }

    pub(super) async fn order(&self, role: Role, order: Order) -> Result<()> {
        self.orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(role, order);
        let url = format!("http://127.0.0.1:{}/order", role.port(self.base_port));
        let mut last = None;
        // The process may be on its way back after a crash.
        for _ in 0..20 {
            match self.http.post(&url).json(&order).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => bail!("{} refused the order: {}", role.name(), answer.status()),
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        match last {
            Some(error) => Err(error).with_context(|| format!("{} took no order", role.name())),
            None => Ok(()),
        }
    }

    /// Ends all processes.
    pub(super) async fn stop(mut self) {
        self.watchers.shutdown().await;
    }
}

impl Launch {
    fn spawn(&self) -> Result<Child> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("failed to open {}", self.log.display()))?;
        let errors = log.try_clone().context("failed to share the log")?;
        let order = {
            let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
            orders.get(&self.role).copied().unwrap_or_default()
        };
        let mut command: Command = self.containers.command(self.role.name(), &self.program);
        command
            .args(["serve", self.role.name()])
            .args(["--base-port", &self.base_port.to_string()])
            .args(["--order", &serde_json::to_string(&order)?]);
        if self.role == Role::Ledger {
            command.arg("--journal").arg(&self.journal);
        }
        command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("failed to start {}", self.role.name()))
    }

    /// Waits for the end of the process and starts it again. Dropped, it ends the process.
    async fn keep(self, mut child: Child) {
        loop {
            let ended = child.wait().await;
            tracing::info!(node = self.role.name(), ?ended, "a process ended");
            tokio::time::sleep(RESTART_AFTER).await;
            match self.spawn() {
                Ok(next) => child = next,
                Err(error) => {
                    tracing::error!(node = self.role.name(), error = %error, "not restarted");
                    return;
                }
            }
        }
    }
}
