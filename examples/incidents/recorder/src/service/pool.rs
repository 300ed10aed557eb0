//! The pool of connections to the database, and statements timed by the caller.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row};

use super::Failure;
use crate::database;
use crate::metric;
use crate::role::{POSTGRES, Role};

/// How long a request waits for a connection.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Statements from this on are logged as slow.
const SLOW: Duration = Duration::from_millis(100);

/// A pool of connections.
#[derive(Debug)]
pub(crate) struct Database {
    pool: Pool,
}

/// A connection that goes back to the pool by itself.
pub(crate) struct Connection(Object);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Database {
    /// A pool of at most `size` connections, which are made when they are needed.
    pub(crate) fn connect(role: Role, base_port: u16, size: usize) -> Result<Self> {
        let manager = Manager::from_config(
            database::address(base_port, role.name()),
            NoTls,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(size)
            .wait_timeout(Some(WAIT_MAX))
            .create_timeout(Some(WAIT_MAX))
            .runtime(Runtime::Tokio1)
            .build()
            .context("failed to make the pool of connections")?;
        Ok(Self { pool })
    }

    /// Takes a connection, or fails after a second.
    pub(crate) async fn take(&self) -> Result<Connection, Failure> {
        let started = Instant::now();
        let taken = self.pool.get().await;
        metric::waited_for_connection(started.elapsed());
        taken
            .map(Connection)
            .map_err(|error| Failure::unavailable(format!("no database connection: {error}")))
    }

    /// Shows the state of the pool to Prometheus.
    pub(crate) fn show(&self) {
        let status = self.pool.status();
        metric::pool(
            status.max_size,
            status.size - status.available.min(status.size),
            status.waiting,
        );
    }

    /// Connections that the pool may have.
    pub(crate) fn size_max(&self) -> usize {
        self.pool.status().max_size
    }
}

impl Connection {
    /// Runs a statement that returns rows.
    pub(crate) async fn query(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let run = async {
            let prepared = self.0.prepare_cached(statement).await?;
            self.0.query(&prepared, values).await
        };
        timed(statement, run).await
    }

    /// Runs a statement without values: begin, commit, rollback.
    pub(crate) async fn run(&self, statement: &str) -> Result<(), Failure> {
        timed(statement, self.0.batch_execute(statement)).await
    }
}

async fn timed<T>(
    statement: &str,
    run: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failure> {
    let started = Instant::now();
    let outcome = run.await;
    let took = started.elapsed();
    metric::called(POSTGRES, took, outcome.is_ok());
    if took >= SLOW {
        let verb = statement.split(' ').next().unwrap_or_default();
        tracing::info!(verb, ms = took.as_millis() as u64, "slow statement");
    }
    Ok(outcome?)
}
