//! The database: address, tables, rows to start with, and what it says of itself.

use anyhow::{Context, Result};
use tokio_postgres::{Client, Config, NoTls};

use crate::metric::DatabaseState;
use crate::role::POSTGRES_PORT;

/// Accounts that there are.
pub(crate) const ACCOUNTS: i32 = 2_000;
/// Merchants that there are.
pub(crate) const MERCHANTS: i32 = 200;
/// Cards that there are.
pub(crate) const CARDS: i32 = 4_000;

/// Tables `entries` and `accounts` belong to the ledger, the others to payments.
/// Table `payments` lies in a tablespace of its own, on a disk of its own.
const SCHEMA: &str = "
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE entries (id bigserial PRIMARY KEY, account int NOT NULL, cents bigint NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE merchants (id int PRIMARY KEY, turnover bigint NOT NULL);
CREATE TABLE payments (id bigserial PRIMARY KEY, card int NOT NULL, merchant int NOT NULL, cents bigint NOT NULL,
    booked boolean NOT NULL DEFAULT false, at timestamptz NOT NULL DEFAULT now()) TABLESPACE payments_disk;
INSERT INTO accounts SELECT id, 0 FROM generate_series(1, 2000) AS id;
INSERT INTO merchants SELECT id, 0 FROM generate_series(1, 200) AS id;
INSERT INTO entries (account, cents, at)
    SELECT 1 + (n % 2000 * 7919) % 2000, 1 + n % 900, now() - n * interval '1 second' FROM generate_series(1, 800000) AS n;
INSERT INTO payments (card, merchant, cents, booked, at)
    SELECT 1 + (n % 4000 * 7919) % 4000, 1 + n % 200, 1 + n % 900, true, now() - n * interval '0.1 second' FROM generate_series(1, 200000) AS n;
CREATE INDEX entries_account ON entries (account, at);
CREATE INDEX payments_card ON payments (card, at);
VACUUM ANALYZE;
";

/// How to reach the database. Statements end after five seconds.
pub(crate) fn address(base_port: u16, application: &str) -> Config {
    let mut config = Config::new();
    config
        .host("127.0.0.1")
        .port(base_port + POSTGRES_PORT)
        .user("postgres")
        .dbname("postgres")
        .application_name(application)
        .options("-c statement_timeout=5000");
    config
}

/// Connects for the recorder itself.
pub(crate) async fn connect(base_port: u16, application: &str) -> Result<Client> {
    let (client, connection) = address(base_port, application)
        .connect(NoTls)
        .await
        .context("failed to connect to the database")?;
    tokio::spawn(async move {
        // The end of the connection shows in the next statement.
        let _ = connection.await;
    });
    Ok(client)
}

/// Makes tables and rows.
pub(crate) async fn fill(client: &Client, tablespace: &str) -> Result<()> {
    client
        .batch_execute("SET statement_timeout = 0")
        .await
        .context("failed to set the time limit")?;
    client
        .batch_execute(&format!(
            "CREATE TABLESPACE payments_disk LOCATION '{tablespace}'"
        ))
        .await
        .context("failed to make the tablespace")?;
    for statement in SCHEMA.split(";\n").filter(|text| !text.trim().is_empty()) {
        client
            .batch_execute(statement)
            .await
            .with_context(|| format!("failed to run {statement:?}"))?;
    }
    Ok(())
}

/// Asks the database how it is.
pub(crate) async fn state(client: &Client) -> Result<DatabaseState> {
    let row = client
        .query_one(
            "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
                current_setting('max_connections')::bigint,
                (SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'),
                (SELECT coalesce(sum(seq_tup_read) + sum(idx_tup_fetch), 0)::bigint FROM pg_stat_user_tables)",
            &[],
        )
        .await
        .context("failed to ask the database for its state")?;
    Ok(DatabaseState {
        connections: row.try_get(0)?,
        connections_max: row.try_get(1)?,
        waiting_for_locks: row.try_get(2)?,
        rows_scanned: row.try_get(3)?,
    })
}
