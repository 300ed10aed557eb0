//! Keeps accounts and entries.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};

use super::{BalanceRequest, Context, Failure, PayRequest, Shared};
use crate::service::pool::Connection;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/entry", post(entry))
        .route("/balance", post(balance))
}

async fn entry(State(context): Shared, Json(request): Json<PayRequest>) -> Result<(), Failure> {
    context.faults.meet().await?;
    let connection = context.database()?.take().await?;
    connection.run("BEGIN").await?;
    match book(&context, &connection, &request).await {
        Ok(()) => connection.run("COMMIT").await,
        Err(failure) => {
            connection.run("ROLLBACK").await?;
            Err(failure)
        }
    }
}

async fn book(
    context: &Context,
    connection: &Connection,
    request: &PayRequest,
) -> Result<(), Failure> {
    connection
        .query(
            "UPDATE accounts SET balance = balance - $1 WHERE id = $2",
            &[&request.cents, &request.account],
        )
        .await?;
    connection
        .query(
            "INSERT INTO entries (account, cents) VALUES ($1, $2)",
            &[&request.account, &request.cents],
        )
        .await?;
    let Some(journal) = &context.journal else {
        return Ok(());
    };
    let line = format!(
        "debit account {} cents {} merchant {} card {}\n",
        request.account, request.cents, request.merchant, request.card
    );
    journal.append(&line).await
}

async fn balance(
    State(context): Shared,
    Json(request): Json<BalanceRequest>,
) -> Result<(), Failure> {
    context.faults.meet().await?;
    let connection = context.database()?.take().await?;
    connection
        .query(
            "SELECT id, cents FROM entries WHERE account = $1 ORDER BY at DESC LIMIT 20",
            &[&request.account],
        )
        .await?;
    connection
        .query(
            "SELECT balance FROM accounts WHERE id = $1",
            &[&request.account],
        )
        .await?;
    Ok(())
}
