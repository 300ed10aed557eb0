//! A PostgreSQL of its own: data directory, port, user.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::containers::Containers;
use super::{Programs, Volume};
use crate::database;
use crate::role::{POSTGRES, POSTGRES_PORT};

/// Settings other than Debian's. Lock waits and slow statements are logged; nothing is computed in parallel.
const SETTINGS: [&str; 12] = [
    "listen_addresses=127.0.0.1",
    "max_connections=60",
    "shared_buffers=128MB",
    "max_wal_size=256MB",
    "max_parallel_workers_per_gather=0",
    "jit=off",
    "log_lock_waits=on",
    "deadlock_timeout=500ms",
    "log_min_duration_statement=300ms",
    "log_timezone=UTC",
    "log_line_prefix=%m [%p] %a ",
    "track_io_timing=on",
];

/// A running PostgreSQL.
#[derive(Debug)]
pub(super) struct Postgres {
    server: Child,
}

impl Postgres {
    pub(super) async fn start(
        folder: &Path,
        disk: &Volume,
        payments_disk: &Volume,
        base_port: u16,
        containers: &Containers,
        programs: &Programs,
    ) -> Result<Self> {
        let data = disk.path().join("data");
        let tablespace = payments_disk.path().join("space");
        let user = &programs.postgres_user;
        for path in [&data, &tablespace] {
            std::fs::create_dir(path)
                .with_context(|| format!("failed to make {}", path.display()))?;
            run(Command::new("chown").arg(user).arg(path)).await?;
        }
        let as_user = [
            format!("--reuid={user}"),
            format!("--regid={user}"),
            "--init-groups".to_owned(),
        ];
        run(Command::new("setpriv")
            .args(&as_user)
            .arg(programs.postgres_bin.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8"])
            .args(["--locale=C", "-D"])
            .arg(&data)
            .stdout(Stdio::null()))
        .await?;
        let log = File::create(folder.join("logs/postgres.log"))
            .context("failed to make the log of the database")?;
        let mut command = containers.command(POSTGRES, Path::new("setpriv"));
        command
            .args(&as_user)
            .arg(programs.postgres_bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &(base_port + POSTGRES_PORT).to_string(), "-k", ""]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let server = command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("failed to start the database")?;
        let started = Self { server };
        let client = started.wait(base_port).await?;
        database::fill(&client, &tablespace.to_string_lossy()).await?;
        Ok(started)
    }

    async fn wait(&self, base_port: u16) -> Result<tokio_postgres::Client> {
        for _ in 0..100 {
            if let Ok(client) = database::connect(base_port, "recorder").await {
                return Ok(client);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("the database does not answer; see logs/postgres.log")
    }

    /// Ends it as an administrator would: sessions are cut, data are kept in order.
    pub(super) async fn stop(mut self) {
        let pid = self.server.id().and_then(|id| Pid::from_raw(id as i32));
        if let Some(pid) = pid {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::INT);
            let _ = tokio::time::timeout(Duration::from_secs(10), self.server.wait()).await;
        }
    }
}

async fn run(command: &mut Command) -> Result<()> {
    let status = command
        .current_dir("/")
        .status()
        .await
        .with_context(|| format!("failed to start {:?}", command.as_std().get_program()))?;
    ensure!(
        status.success(),
        "{:?} ended with {status}",
        command.as_std().get_program()
    );
    Ok(())
}
