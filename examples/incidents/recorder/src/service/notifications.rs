//! Hands messages to the mail relay.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};

use super::{Context, Failure, PayRequest, Shared};
use crate::role::Role;

const LIMIT: Duration = Duration::from_millis(1_500);

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new().route("/notify", post(notify))
}

async fn notify(State(context): Shared, Json(request): Json<PayRequest>) -> Result<(), Failure> {
    context.faults.meet().await?;
    let client = &context.client;
    client
        .call(Role::MailRelay, "/answer", &request, LIMIT)
        .await
}
