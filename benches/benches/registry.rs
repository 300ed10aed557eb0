//! What registering an agent costs.
//!
//! Timed are all registrations into an empty registry; making the agents and dropping the registry are not.
//! Throughput is agents, so that the sizes compare.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use universal_orchestrator_benches::floors::{PlainRegistry, plain_agents};

fn register(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("register");
    for count in [10_usize, 100_000] {
        group.throughput(Throughput::Elements(count as u64));
        let (samples, batch) = if count > 1_000 {
            (10, BatchSize::PerIteration)
        } else {
            (100, BatchSize::SmallInput)
        };
        group.sample_size(samples);
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
