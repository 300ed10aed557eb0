//! Scores payments. The work is computing.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use sha2::{Digest, Sha256};

use super::{Context, Failure, PayRequest, Shared};

/// Rounds of hashing that stand for a model: some milliseconds.
const ROUNDS: usize = 16_000;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new().route("/score", post(score))
}

async fn score(
    State(context): Shared,
    Json(request): Json<PayRequest>,
) -> Result<Vec<u8>, Failure> {
    context.faults.meet().await?;
    let computed = tokio::task::spawn_blocking(move || {
        let mut state = request.cents.to_le_bytes().to_vec();
        for _ in 0..ROUNDS {
            state = Sha256::digest(&state).to_vec();
        }
        state.truncate(1);
        state
    });
    computed
        .await
        .map_err(|error| Failure::internal(format!("scoring failed: {error}")))
}
