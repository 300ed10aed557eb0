//! Latency under a fixed rate of arrivals, without coordinated omission.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use crate::RoundTrip;

/// The longest latency that is told apart from a longer one.
const NANOS_MAX: u64 = 60_000_000_000;

/// The latencies of one open-loop run.
#[derive(Debug, Clone)]
pub struct Latencies {
    nanos: Histogram<u64>,
}

impl Latencies {
    /// Collects latencies in nanoseconds; those above a minute count as a minute.
    #[must_use]
    pub fn from_nanos(latencies: impl IntoIterator<Item = u64>) -> Self {
        let mut nanos = Histogram::new_with_bounds(1, NANOS_MAX, 3)
            .expect("the bounds are constants and valid");
        for latency in latencies {
            nanos.saturating_record(latency);
        }
        Self { nanos }
    }

    /// Returns the latency that the share `quantile` (0 to 1) of the calls stayed within.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.nanos.value_at_quantile(quantile))
    }

    /// Returns the longest latency.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.nanos.max())
    }

    /// Returns how many calls were measured.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.nanos.len()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |latency: Duration| latency.as_secs_f64() * 1e6;
        write!(
            f,
            "p50 {:>9.2} µs   p99 {:>9.2} µs   max {:>9.2} µs   ({} calls)",
            micros(self.quantile(0.5)),
            micros(self.quantile(0.99)),
            micros(self.max()),
            self.calls()
        )
    }
}

/// Lets `calls` callers arrive at a fixed rate, whatever becomes of the earlier ones, and measures each.
///
/// A call's latency starts at the instant at which it was *meant* to start: when the contestant or
/// the runtime falls behind, the wait counts (no coordinated omission). Every caller is a task of
/// its own, so a latency includes one spawn, the same for all contestants. The arrivals are made
/// by one task on the same runtime, which yields between them.
///
/// The runtime should have one worker. With a second one, idle, every spawn of the arrivals wakes
/// it, and at 200,000 calls per second that alone makes the arrivals late: on a virtual machine with two
/// cores the median was 0.5 µs with one worker and 150 µs with two, of a task that does nothing.
///
/// # Panics
///
/// Panics when a call returns something other than its input, or when the rate is zero.
#[must_use]
pub fn open_loop<O: RoundTrip>(
    rt: &Runtime,
    rate_per_second: u64,
    calls: usize,
    op: &O,
) -> Latencies {
    assert!(rate_per_second > 0, "a rate of zero never ends");
    let run = Run::execute(rt, Some(rate_per_second), calls, op);
    Latencies::from_nanos(
        run.nanos
            .iter()
            .map(|latency| latency.load(Ordering::Relaxed)),
    )
}

/// Lets `calls` callers arrive as fast as they can be started, and returns how many calls were
/// answered in a second.
///
/// This is the peak of [`open_loop`]: that of [`drive`](crate::drive()) is higher, since its callers
/// are started once and not for every call.
///
/// # Panics
///
/// Panics when a call returns something other than its input.
#[must_use]
pub fn peak_rate<O: RoundTrip>(rt: &Runtime, calls: usize, op: &O) -> u64 {
    let start = Instant::now();
    let _ = Run::execute(rt, None, calls, op);
    ((calls as f64 / start.elapsed().as_secs_f64()) as u64).max(1)
}

/// What the callers of one run share: a slot each, so that recording a latency is one store.
struct Run {
    nanos: Vec<AtomicU64>,
    left: AtomicUsize,
    wrong: AtomicUsize,
    done: Notify,
}

impl Run {
    fn new(calls: usize) -> Self {
        Self {
            nanos: (0..calls).map(|_| AtomicU64::new(0)).collect(),
            left: AtomicUsize::new(calls),
            wrong: AtomicUsize::new(0),
            done: Notify::new(),
        }
    }

    /// Makes the calls and returns when all are over. Without a rate, all are due at once.
    fn execute<O: RoundTrip>(
        rt: &Runtime,
        rate_per_second: Option<u64>,
        calls: usize,
        op: &O,
    ) -> Arc<Self> {
        let run = Arc::new(Self::new(calls));
        let arrivals = rt.spawn(arrive(Arc::clone(&run), rate_per_second, op.clone()));
        rt.block_on(async {
            arrivals.await.expect("the arrivals do not panic");
            run.wait().await;
        });
        assert_eq!(
            run.wrong.load(Ordering::Relaxed),
            0,
            "the no-op echoes its input"
        );
        run
    }

    async fn wait(&self) {
        while self.left.load(Ordering::Acquire) > 0 {
            // The last caller's permit is stored when it comes before this line, so it cannot be missed.
            self.done.notified().await;
        }
    }
}

/// One caller's place in its run. Dropping it counts the call as over, also when it panicked: else the run would wait
/// for ever.
struct Caller {
    run: Arc<Run>,
    correct: bool,
}

impl Drop for Caller {
    fn drop(&mut self) {
        if !self.correct {
            self.run.wrong.fetch_add(1, Ordering::Relaxed);
        }
        if self.run.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.run.done.notify_one();
        }
    }
}

async fn arrive<O: RoundTrip>(run: Arc<Run>, rate_per_second: Option<u64>, op: O) {
    let start = Instant::now();
    for number in 0..run.nanos.len() {
        let meant = rate_per_second.map_or(start, |rate| start + offset(number, rate));
        while Instant::now() < meant {
            tokio::task::yield_now().await;
        }
        let mut caller = Caller {
            run: Arc::clone(&run),
            correct: false,
        };
        let mut op = op.clone();
        // The task is not joined: the caller's drop reports its end.
        drop(tokio::spawn(async move {
            let input = number as u64;
            caller.correct = black_box(op.call(black_box(input)).await) == input;
            let nanos = u64::try_from(meant.elapsed().as_nanos()).unwrap_or(u64::MAX);
            caller.run.nanos[number].store(nanos, Ordering::Relaxed);
        }));
    }
}

/// When call `number` is meant to start, counted from the start of the run.
fn offset(number: usize, rate_per_second: u64) -> Duration {
    let nanos = number as u128 * 1_000_000_000 / u128::from(rate_per_second);
    Duration::from_nanos(u64::try_from(nanos).expect("a run is shorter than 500 years"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Stalls;

    impl RoundTrip for Stalls {
        async fn call(&mut self, input: u64) -> u64 {
            if input == 0 {
                // The runtime has one worker, so this stalls the arrivals too.
                let until = Instant::now() + Duration::from_millis(20);
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
            }
            input
        }
    }

    #[test]
    fn a_stall_counts_against_the_calls_that_were_meant_to_start_during_it() {
        let one_worker = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .expect("a thread");
        let latencies = open_loop(&one_worker, 10_000, 400, &Stalls);
        assert_eq!(latencies.calls(), 400);
        // 200 of the 400 arrivals fall into the 20 ms stall, with waits from 20 ms down to nothing.
        assert!(
            latencies.quantile(0.75) > Duration::from_millis(3),
            "{latencies}"
        );
    }

    #[test]
    #[should_panic(expected = "echoes")]
    fn a_panicking_call_ends_the_run() {
        #[derive(Clone)]
        struct Panics;
        impl RoundTrip for Panics {
            async fn call(&mut self, input: u64) -> u64 {
                assert_ne!(input, 3, "on purpose");
                input
            }
        }
        let _ = open_loop(&crate::runtime(), 100_000, 10, &Panics);
    }

    #[test]
    fn quantiles_are_those_of_the_latencies() {
        let latencies = Latencies::from_nanos((1..=100).map(|n| n * 1000));
        let within =
            |a: Duration, b: u64| a.as_nanos().abs_diff(u128::from(b)) <= u128::from(b / 500);
        assert!(within(latencies.quantile(0.5), 50_000), "{latencies}");
        assert!(within(latencies.quantile(0.99), 99_000), "{latencies}");
        assert!(within(latencies.max(), 100_000), "{latencies}");
    }
}
