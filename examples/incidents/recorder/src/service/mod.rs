//! The processes of the payment service.

mod client;
mod failure;
mod faults;
mod fraud_check;
mod gateway;
mod journal;
mod ledger;
mod notifications;
mod payments;
mod pool;
mod provider;

pub(crate) use client::Client;
pub(crate) use gateway::{BalanceRequest, PayRequest};

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use clap::Args;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::metric;
use crate::order::Order;
use crate::role::Role;
use failure::Failure;
use faults::Faults;
use journal::Journal;
use pool::Database;

/// One process of the payment service. The recorder starts them.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Which process.
    role: Role,
    /// First port of the set-up.
    #[arg(long)]
    base_port: u16,
    /// Folder of the ledger's journal.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// The fault to start with, as JSON.
    #[arg(long)]
    order: Option<String>,
}

/// What the handlers of a process share.
#[derive(Debug)]
struct Context {
    client: Client,
    database: Option<Database>,
    journal: Option<Journal>,
    faults: Faults,
    metrics: PrometheusHandle,
}

type Shared = State<Arc<Context>>;

impl Context {
    fn database(&self) -> Result<&Database, Failure> {
        self.database
            .as_ref()
            .ok_or_else(|| Failure::internal("no database is configured"))
    }
}

/// Serves until the process is ended.
pub(crate) async fn serve(arguments: ServeArguments) -> Result<()> {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_target(false)
        .init();
    let role = arguments.role;
    let metrics = metric::install()?;
    for callee in role.callees() {
        metric::announce(callee);
    }
    let database = match role.pool_size() {
        Some(size) => Some(Database::connect(role, arguments.base_port, size)?),
        None => None,
    };
    let journal = match &arguments.journal {
        Some(folder) => Some(Journal::open(folder).await?),
        None => None,
    };
    let context = Arc::new(Context {
        client: Client::new(arguments.base_port)?,
        database,
        journal,
        faults: Faults::default(),
        metrics,
    });
    if let Some(order) = &arguments.order {
        let order = serde_json::from_str(order).context("--order is no order")?;
        context.obey(order).await;
    }
    let own = match role {
        Role::Gateway => gateway::routes(),
        Role::Payments => payments::routes(),
        Role::Ledger => ledger::routes(),
        Role::FraudCheck => fraud_check::routes(),
        Role::Notifications => notifications::routes(),
        Role::CardNetwork => provider::routes(12..=28),
        Role::MailRelay => provider::routes(8..=20),
    };
    let router = own
        .route("/metrics", get(metrics_page))
        .route("/order", post(take_order))
        .with_state(context);
    let address = (Ipv4Addr::LOCALHOST, role.port(arguments.base_port));
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("failed to listen on port {}", address.1))?;
    tracing::info!(port = address.1, "listening");
    axum::serve(listener, router)
        .await
        .context("the server ended")
}

async fn metrics_page(State(context): Shared) -> String {
    if let Some(database) = &context.database {
        database.show();
    }
    context.metrics.render()
}

async fn take_order(State(context): Shared, Json(order): Json<Order>) {
    context.obey(order).await;
}

impl Context {
    /// Ends the fault that was, and begins the one ordered.
    async fn obey(&self, order: Order) {
        let folder = self.journal.as_ref().map(Journal::folder);
        self.faults
            .obey(order, self.database.as_ref(), folder)
            .await;
    }
}
