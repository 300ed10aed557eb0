//! Calls of other processes, timed by the caller.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use super::Failure;
use crate::metric;
use crate::role::Role;

/// Calls from this on are logged as slow.
const SLOW: Duration = Duration::from_millis(150);

/// Calls the processes of one set-up.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base_port: u16,
}

impl Client {
    pub(crate) fn new(base_port: u16) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .context("failed to make an HTTP client")?;
        Ok(Self { http, base_port })
    }

    /// Calls `peer` and waits `limit` for its answer. An answer other than success is a failure.
    pub(crate) async fn call(
        &self,
        peer: Role,
        path: &str,
        body: &impl Serialize,
        limit: Duration,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let url = format!("http://127.0.0.1:{}{path}", peer.port(self.base_port));
        let sent = self.http.post(url).json(body).timeout(limit).send().await;
        let outcome = match sent {
            Ok(answer) if answer.status().is_success() => answer
                .bytes()
                .await
                .map(drop)
                .map_err(|error| error.to_string()),
            Ok(answer) => Err(format!("status {}", answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err(format!("no answer in {limit:?}")),
            Err(error) if error.is_connect() => Err("connection refused".to_owned()),
            Err(error) => Err(error.without_url().to_string()),
        };
        let took = started.elapsed();
        metric::called(peer.name(), took, outcome.is_ok());
        if took >= SLOW && outcome.is_ok() {
            tracing::info!(
                peer = peer.name(),
                ms = took.as_millis() as u64,
                "slow call"
            );
        }
        outcome.map_err(|text| Failure::upstream(format!("{} {path}: {text}", peer.name())))
    }
}
