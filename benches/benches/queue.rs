//! What a queued task costs when there are many: 100,000 no-ops of mixed priorities on 50 agents.
//!
//! Timed is from the first submit until the last is done. The agents are started before; they work while the rest
//! is still submitted.

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use universal_orchestrator_benches::drive::AGENTS;
use universal_orchestrator_benches::ours::Drain;
use universal_orchestrator_benches::{runtime, settings};

/// The tasks of one round.
const TASKS: usize = 100_000;

fn submit_drain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("submit_drain");
    group
        .throughput(Throughput::Elements(TASKS as u64))
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat);
    {
        let rt = runtime();
        let queue = rt.block_on(Drain::setup(AGENTS, TASKS));
        group.bench_function("ours", |b| {
            b.iter_custom(|iters| {
                let queue = queue.clone();
                let rounds = rt.spawn(async move {
                    let mut total = Duration::ZERO;
                    for _ in 0..iters {
                        total += queue.submit_drain(TASKS).await;
                    }
                    total
                });
                rt.block_on(rounds).expect("a round must not panic")
            });
        });
        rt.block_on(async { drop(queue) });
    }
    #[cfg(feature = "peers")]
    {
        use universal_orchestrator_benches::peers::ractor_queue::RactorQueue;
        let rt = runtime();
        let queue = rt.block_on(RactorQueue::setup(AGENTS));
        group.bench_function("ractor_factory_priority", |b| {
            b.iter_custom(|iters| {
                let queue = queue.clone();
                let rounds = rt.spawn(async move {
                    let mut total = Duration::ZERO;
                    for _ in 0..iters {
                        total += queue.submit_drain(TASKS).await;
                    }
                    total
                });
                rt.block_on(rounds).expect("a round must not panic")
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = settings();
    targets = submit_drain
}
criterion_main!(benches);
