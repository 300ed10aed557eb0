//! Customers: requests at random times, at a rate that others may change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::database::{ACCOUNTS, CARDS, MERCHANTS};
use crate::role::Role;
use crate::service::{BalanceRequest, Client, PayRequest};

/// How long a customer waits.
const LIMIT: Duration = Duration::from_secs(5);
/// Customers that wait at the same time at most; more are turned away before they call.
const WAITING_MAX: usize = 512;
/// Part of the requests that pay; the others look at a balance.
const PAYING: f64 = 0.8;

/// Requests that come independently of each other and of the answers (a Poisson process).
#[derive(Debug)]
pub(crate) struct Load {
    /// Requests in a thousand seconds.
    rate: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Load {
    /// Starts with `per_second` requests.
    pub(crate) fn start(base_port: u16, per_second: f64, seed: u64) -> Result<Self> {
        let client = Client::new(base_port)?;
        let rate = Arc::new(AtomicU64::new(in_thousand_seconds(per_second)));
        let task = tokio::spawn(run(client, Arc::clone(&rate), Rng::with_seed(seed)));
        Ok(Self { rate, task })
    }

    /// Changes the rate from the next request on.
    pub(crate) fn set(&self, per_second: f64) {
        self.rate
            .store(in_thousand_seconds(per_second), Ordering::Relaxed);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// At least one, so that the time to the next request is finite.
fn in_thousand_seconds(per_second: f64) -> u64 {
    (per_second * 1e3).max(1.0) as u64
}

async fn run(client: Client, rate: Arc<AtomicU64>, mut rng: Rng) {
    let waiting = Arc::new(Semaphore::new(WAITING_MAX));
    let mut next = Instant::now();
    loop {
        let per_second = rate.load(Ordering::Relaxed) as f64 / 1e3;
        next += Duration::from_secs_f64(-(1.0 - rng.f64()).ln() / per_second);
        tokio::time::sleep_until(next).await;
        let Ok(place) = Arc::clone(&waiting).try_acquire_owned() else {
            continue;
        };
        let account = rng.i32(1..=ACCOUNTS);
        let pay = (rng.f64() < PAYING).then(|| PayRequest {
            account,
            merchant: rng.i32(1..=MERCHANTS),
            card: rng.i32(1..=CARDS),
            cents: rng.i64(100..20_000),
        });
        let client = client.clone();
        tokio::spawn(async move {
            // The metrics of the call tell how it went.
            let _ = match pay {
                Some(request) => client.call(Role::Gateway, "/pay", &request, LIMIT).await,
                None => {
                    let request = BalanceRequest { account };
                    client
                        .call(Role::Gateway, "/balance", &request, LIMIT)
                        .await
                }
            };
            drop(place);
        });
    }
}
