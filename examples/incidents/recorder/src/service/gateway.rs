//! Where customers come in: pays and shows balances.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::{Context, Failure, Shared};
use crate::role::Role;

const LIMIT: Duration = Duration::from_secs(4);

/// A payment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct PayRequest {
    pub(crate) account: i32,
    pub(crate) merchant: i32,
    pub(crate) card: i32,
    pub(crate) cents: i64,
}

/// A look at an account.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct BalanceRequest {
    pub(crate) account: i32,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/pay", post(pay))
        .route("/balance", post(balance))
}

async fn pay(State(context): Shared, Json(request): Json<PayRequest>) -> Result<(), Failure> {
    context.faults.meet().await?;
    let client = &context.client;
    client.call(Role::Payments, "/pay", &request, LIMIT).await
}

async fn balance(
    State(context): Shared,
    Json(request): Json<BalanceRequest>,
) -> Result<(), Failure> {
    context.faults.meet().await?;
    let client = &context.client;
    client.call(Role::Ledger, "/balance", &request, LIMIT).await
}
