//! Books a payment. It keeps its connection while it asks the card network, as many services do.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};

use super::{Context, Failure, PayRequest, Shared};
use crate::role::Role;

const LIMIT: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new().route("/pay", post(pay))
}

async fn pay(State(context): Shared, Json(request): Json<PayRequest>) -> Result<(), Failure> {
    context.faults.meet().await?;
    let client = &context.client;
    client
        .call(Role::FraudCheck, "/score", &request, LIMIT)
        .await?;
    let connection = context.database()?.take().await?;
    connection
        .query(
            "SELECT count(*) FROM payments WHERE card = $1 AND at > now() - interval '1 hour'",
            &[&request.card],
        )
        .await?;
    let inserted = connection
        .query(
            "INSERT INTO payments (card, merchant, cents) VALUES ($1, $2, $3) RETURNING id",
            &[&request.card, &request.merchant, &request.cents],
        )
        .await?;
    let id: i64 = match inserted.first() {
        Some(row) => row.try_get(0)?,
        None => return Err(Failure::internal("the payment was not inserted")),
    };
    client
        .call(Role::CardNetwork, "/answer", &request, LIMIT)
        .await?;
    connection
        .query("UPDATE payments SET booked = true WHERE id = $1", &[&id])
        .await?;
    connection
        .query(
            "UPDATE merchants SET turnover = turnover + $1 WHERE id = $2",
            &[&request.cents, &request.merchant],
        )
        .await?;
    drop(connection);
    client.call(Role::Ledger, "/entry", &request, LIMIT).await?;
    client
        .call(Role::Notifications, "/notify", &request, LIMIT)
        .await
}
