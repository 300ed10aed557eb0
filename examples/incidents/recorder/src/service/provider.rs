//! A provider outside: answers after a while.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;

use super::{Context, Failure, Shared};

/// Answers after some of these milliseconds, evenly spread.
pub(super) fn routes(ms: RangeInclusive<u64>) -> Router<Arc<Context>> {
    let answer = async move |State(context): Shared| -> Result<(), Failure> {
        context.faults.meet().await?;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(ms))).await;
        Ok(())
    };
    Router::new().route("/answer", post(answer))
}
