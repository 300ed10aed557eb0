//! The plugin's background tasks: begun at start, ended and awaited at stop.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::analyst::Analyst;
use crate::names::{MetricName, OwnMetrics};
use crate::sample::Sampler;
use crate::shared::Shared;

/// Tasks that end with a token.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Workers {
    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().push(tokio::spawn(task));
    }

    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the performance plugin panicked");
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn every(shared: &Shared) -> Interval {
    let period = shared.config().interval();
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Makes a snapshot an interval, on a thread that may block.
pub(crate) async fn analyse(shared: Arc<Shared>, analyst: Analyst, stop: CancellationToken) {
    let mut interval = every(&shared);
    let mut slot = Some(analyst);
    while let Some(mut analyst) = slot.take() {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        let now = Instant::now();
        let looked = tokio::task::spawn_blocking(move || {
            let goes_on = analyst.look(now);
            goes_on.then_some(analyst)
        });
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            looked = looked => match looked {
                Ok(analyst) => slot = analyst,
                Err(error) => broke(&shared, "figures are no longer made", &error),
            },
        }
    }
}

/// Reads the machine an interval, on a thread that may block. One reading at a time: a slow one makes those after it be left out, and nothing waits for it.
pub(crate) async fn sample(
    shared: Arc<Shared>,
    sampler: Box<dyn Sampler>,
    metrics: OwnMetrics,
    stop: CancellationToken,
) {
    let mut interval = every(&shared);
    let mut idle = Some(sampler);
    let mut before: Option<Instant> = None;
    let mut under_way: Option<JoinHandle<Box<dyn Sampler>>> = None;
    let begin = |mut sampler: Box<dyn Sampler>, elapsed| {
        let shared = Arc::clone(&shared);
        tokio::task::spawn_blocking(move || {
            let reading = sampler.sample(elapsed);
            *shared.reading.lock() = Some(reading);
            sampler
        })
    };
    loop {
        // The first reading begins at once: the next ones differ from it.
        if let Some(sampler) = idle.take() {
            let now = Instant::now();
            let elapsed = before.map(|before| now.duration_since(before));
            before = Some(now);
            under_way = Some(begin(sampler, elapsed));
        }
        let ready = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            done = finished(&mut under_way) => Some(done),
            _ = interval.tick() => None,
        };
        match ready {
            Some(Ok(sampler)) => {
                metrics.counter(MetricName::Samples, &[]).increment(1);
                under_way = None;
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    _ = interval.tick() => {}
                }
                idle = Some(sampler);
            }
            Some(Err(error)) => {
                // What was read last says less and less of the machine.
                *shared.reading.lock() = None;
                broke(&shared, "the machine is no longer read", &error);
                return;
            }
            None => metrics
                .counter(MetricName::SamplesSkipped, &[])
                .increment(1),
        }
    }
}

/// Health says it from now on.
fn broke(shared: &Shared, what: &str, error: &JoinError) {
    tracing::error!(%error, "a part of the performance plugin ended: {what}");
    *shared.broken.lock() = Some(format!("{what}: {error}"));
}

async fn finished<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}
