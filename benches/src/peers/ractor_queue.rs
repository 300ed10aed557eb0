//! ractor's factory with its priority queue: 100,000 jobs submitted and drained.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ractor::factory::queues::{PriorityManager, PriorityQueue, StandardPriority};
use ractor::factory::routing::QueuerRouting;
use ractor::factory::{
    Factory, FactoryArguments, FactoryRef, Job, Worker, WorkerId, worker_builder,
};
use ractor::{Actor, ActorProcessingErr};
use tokio::sync::Notify;

/// The priorities of ractor's standard scale.
const PRIORITIES: usize = StandardPriority::size();

/// A job's key is where the factory's queue looks for the priority.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct JobKey {
    number: usize,
}

/// The payload: a no-op needs none.
#[derive(Debug)]
struct NoOp;

struct ByKey;

impl PriorityManager<JobKey, StandardPriority> for ByKey {
    fn is_discardable(&self, _job: &JobKey) -> bool {
        false
    }

    fn get_priority(&self, job: &JobKey) -> Option<StandardPriority> {
        Some((job.number % PRIORITIES).into())
    }
}

/// Counts the jobs of one round down to none.
#[derive(Debug, Default)]
struct Countdown {
    left: AtomicUsize,
    done: Notify,
}

struct CountingWorker(Arc<Countdown>);

impl Worker for CountingWorker {
    type Key = JobKey;
    type Message = NoOp;
    type Arguments = ();
    type State = ();

    async fn pre_start(
        &self,
        _worker: WorkerId,
        _factory: &FactoryRef<JobKey, NoOp>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _worker: WorkerId,
        _factory: &FactoryRef<JobKey, NoOp>,
        Job { key, .. }: Job<JobKey, NoOp>,
        _state: &mut (),
    ) -> Result<JobKey, ActorProcessingErr> {
        if self.0.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.done.notify_one();
        }
        Ok(key)
    }
}

type Jobs = PriorityQueue<JobKey, NoOp, StandardPriority, ByKey, PRIORITIES>;

/// A factory whose backlog is ordered by five priorities.
///
/// Configuration: queuer routing, the only one that keeps the backlog in the factory's queue and is not sticky;
/// `PriorityQueue`, which the docs of `ractor::factory` name for priorities; unbounded, nothing discarded.
#[derive(Debug, Clone)]
pub struct RactorQueue {
    factory: FactoryRef<JobKey, NoOp>,
    countdown: Arc<Countdown>,
}

impl RactorQueue {
    /// Starts a factory with `workers` workers. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when the factory does not start.
    pub async fn setup(workers: usize) -> Self {
        let countdown = Arc::new(Countdown::default());
        let definition = Factory::<
            JobKey,
            NoOp,
            (),
            CountingWorker,
            QueuerRouting<JobKey, NoOp>,
            Jobs,
        >::default();
        let of_worker = Arc::clone(&countdown);
        let arguments = FactoryArguments::builder()
            .worker_builder(Box::new(worker_builder(move |_worker| {
                (CountingWorker(Arc::clone(&of_worker)), ())
            })))
            .queue(PriorityQueue::new(ByKey))
            .router(QueuerRouting::default())
            .num_initial_workers(workers)
            .build();
        // The handle is not kept: the factory ends with the runtime.
        let (factory, _) = Actor::spawn(None, definition, arguments)
            .await
            .expect("the factory starts");
        Self { factory, countdown }
    }

    /// Submits `jobs` jobs, spread over the priorities, and returns the time from the first submit until all are done.
    ///
    /// Runs in a task on the runtime, one round at a time.
    ///
    /// # Panics
    ///
    /// Panics when the factory is gone.
    pub async fn submit_drain(&self, jobs: usize) -> Duration {
        self.countdown.left.store(jobs, Ordering::Release);
        let start = Instant::now();
        for number in 0..jobs {
            self.factory
                .dispatch(JobKey { number }, NoOp)
                .expect("the factory lives as long as the runtime");
        }
        while self.countdown.left.load(Ordering::Acquire) > 0 {
            self.countdown.done.notified().await;
        }
        start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_ends_when_all_its_jobs_are_done_and_can_be_repeated() {
        let rt = crate::runtime();
        let queue = rt.block_on(RactorQueue::setup(5));
        for _ in 0..3 {
            let timed = queue.clone();
            rt.block_on(rt.spawn(async move { timed.submit_drain(1_000).await }))
                .expect("no panic");
            assert_eq!(queue.countdown.left.load(Ordering::Acquire), 0);
        }
    }
}
