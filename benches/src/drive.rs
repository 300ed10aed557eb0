//! How a bench drives calls: from tasks on the runtime, never from a thread outside of it.

use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use tokio::runtime::{Builder, Runtime};

/// The worker threads of every bench runtime.
pub const RUNTIME_WORKERS: usize = 2;

/// The agents (actors, services, slots) that every contestant starts with.
pub const AGENTS: usize = 50;

/// How long criterion measures; the arguments of the command win over it.
#[must_use]
pub fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
}

/// A no-op on one of the agents, asked for by one caller.
///
/// A clone is another caller: it may keep what a caller keeps in practice (a sender, a reserved slot).
pub trait RoundTrip: Clone + Send + 'static {
    /// Has one agent run the no-op, which echoes `input`, and returns what came back.
    fn call(&mut self, input: u64) -> impl Future<Output = u64> + Send;
}

/// Builds the runtime that every contestant runs on: two workers, timers, no I/O driver.
///
/// # Panics
///
/// As [`runtime_with`].
#[must_use]
pub fn runtime() -> Runtime {
    runtime_with(RUNTIME_WORKERS)
}

/// Builds such a runtime with another number of workers.
///
/// # Panics
///
/// Panics when there are to be none, or the threads cannot be started.
#[must_use]
pub fn runtime_with(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_time()
        .build()
        .expect("the machine can start a few threads")
}

/// Makes `iters` calls with `in_flight` callers and returns the time from the first call to the last answer.
///
/// The callers are tasks spawned on the runtime. Criterion's usual `block_on(call())` would call from a thread that is
/// no runtime worker, and time the futex that wakes it (7 to 23 µs) instead of the call (0.2 µs).
///
/// One caller is one task. More callers are as many tasks, each of which makes its share of the calls one after the
/// other, as the callers of a server do; the runtime's two workers share them. A `FuturesUnordered` in one task would
/// hold all calls on one worker and add its own bookkeeping to each. Starting and joining the tasks (about 50 µs for 256) is
/// inside the timed part, because no contestant can avoid it and it is small beside the tens of
/// thousands of calls of a sample. A call that never waits is not interrupted, so it has at most two in flight.
///
/// # Panics
///
/// Panics when a call does, or returns something other than its input.
#[must_use]
pub fn drive<O: RoundTrip>(rt: &Runtime, iters: u64, in_flight: u64, op: &O) -> Duration {
    let callers = in_flight.clamp(1, iters.max(1));
    let op = op.clone();
    let timed = rt.spawn(async move {
        let start = Instant::now();
        if callers == 1 {
            call_in_turn(op, iters).await;
            return start.elapsed();
        }
        let tasks: Vec<_> = (0..callers)
            .map(|n| iters / callers + u64::from(n < iters % callers))
            .map(|share| tokio::spawn(call_in_turn(op.clone(), share)))
            .collect();
        for task in tasks {
            task.await.expect("a call must not panic");
        }
        start.elapsed()
    });
    rt.block_on(timed).expect("a call must not panic")
}

async fn call_in_turn<O: RoundTrip>(mut op: O, calls: u64) {
    for input in 0..calls {
        assert_eq!(
            black_box(op.call(black_box(input)).await),
            input,
            "the no-op echoes its input"
        );
    }
}

/// Tells whether cargo started this program to measure: `cargo bench` passes `--bench`, `cargo test --benches` does not.
///
/// Criterion's benches know this by themselves; those with a `main` of their own ask here. All other arguments are
/// criterion's and mean nothing to them.
#[must_use]
pub fn started_by_cargo_bench() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Clone, Default)]
    struct Counting(Arc<AtomicU64>);

    impl RoundTrip for Counting {
        async fn call(&mut self, input: u64) -> u64 {
            self.0.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            input
        }
    }

    #[test]
    fn every_call_is_made_once() {
        let rt = runtime();
        for (iters, in_flight) in [(0, 1), (1, 1), (1, 256), (10, 3), (1000, 256)] {
            let op = Counting::default();
            let _ = drive(&rt, iters, in_flight, &op);
            assert_eq!(
                op.0.load(Ordering::Relaxed),
                iters,
                "{iters} calls, {in_flight} in flight"
            );
        }
    }

    #[test]
    #[should_panic(expected = "must not panic")]
    fn a_wrong_answer_is_not_timed() {
        #[derive(Clone)]
        struct Wrong;
        impl RoundTrip for Wrong {
            async fn call(&mut self, input: u64) -> u64 {
                input + 1
            }
        }
        let _ = drive(&runtime(), 1, 1, &Wrong);
    }
}
