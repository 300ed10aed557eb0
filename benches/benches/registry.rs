//! What registering an agent costs, and deregistering it.
//!
//! Timed are all registrations into an empty registry, or all of its deregistrations; making the agents, starting the
//! orchestrator and dropping the registry are not.
//! Throughput is agents, so that the sizes compare.

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use universal_orchestrator_benches::floors::{PlainRegistry, plain_agents};
use universal_orchestrator_benches::{ours, runtime};

fn register(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("register");
    for count in [10_usize, 100_000] {
        group.throughput(Throughput::Elements(count as u64));
        // A round of ten costs a start of the orchestrator outside of the timing, so there are few rounds.
        let (samples, batch, time) = if count > 1_000 {
            (10, BatchSize::PerIteration, Duration::from_secs(3))
        } else {
            (20, BatchSize::SmallInput, Duration::from_millis(200))
        };
        group
            .sample_size(samples)
            .warm_up_time(time / 4)
            .measurement_time(time);
        let rt = runtime();
        for (name, deregister) in [("ours", false), ("ours_deregister", true)] {
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter_custom(|rounds| {
                    let rounds = rt.spawn(async move {
                        let mut total = Duration::ZERO;
                        for _ in 0..rounds {
                            let (registered, left) = ours::register_deregister(count).await;
                            total += if deregister { left } else { registered };
                        }
                        total
                    });
                    rt.block_on(rounds).expect("a round must not panic")
                });
            });
        }
        group.bench_function(BenchmarkId::new("plain_struct", count), |b| {
            b.iter_batched(
                || plain_agents(count),
                |agents| {
                    let mut registry = PlainRegistry::default();
                    for agent in agents {
                        registry.register(agent);
                    }
                    registry
                },
                batch,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, register);
criterion_main!(benches);
