//! A task per call: `tokio::spawn` and join, without any agents.

use crate::RoundTrip;

/// Runs the no-op in a new task.
#[derive(Debug, Clone, Copy)]
pub struct TokioSpawn;

impl RoundTrip for TokioSpawn {
    async fn call(&mut self, input: u64) -> u64 {
        tokio::spawn(async move { input })
            .await
            .expect("the no-op does not panic")
    }
}
