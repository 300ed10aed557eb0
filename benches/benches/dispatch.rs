//! What one task costs on its way through: delegated and completed, and executed as a round trip.
//!
//! Timed is the call alone; agents, actors and services are started before. Each contestant has a runtime of its own.

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use universal_orchestrator_benches::drive::AGENTS;
use universal_orchestrator_benches::floors::InFlightMap;
use universal_orchestrator_benches::peers::mpsc_floor::MpscFloor;
use universal_orchestrator_benches::peers::tokio_spawn::TokioSpawn;
use universal_orchestrator_benches::{RoundTrip, drive, runtime};

/// Delegate and complete, with 50 tasks in flight.
fn delegate_complete(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("delegate_complete");
    group.throughput(Throughput::Elements(1));
    let map = InFlightMap::with_tasks(50);
    group.bench_function(BenchmarkId::new("floor_map", 50), |b| {
        b.iter(|| map.insert_remove())
    });
    group.finish();
}

/// A no-op on one of 50 agents, from the call to its result, with 1 and 256 callers.
fn execute(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("execute");
    group.throughput(Throughput::Elements(1));
    round_trips(&mut group, "tokio_spawn", async { TokioSpawn });
    round_trips(&mut group, "mpsc_floor", async { MpscFloor::setup(AGENTS) });
    #[cfg(feature = "peers")]
    {
        use universal_orchestrator_benches::peers;
        round_trips(
            &mut group,
            "ractor_factory",
            peers::ractor_factory::RactorFactory::setup(AGENTS),
        );
        round_trips(&mut group, "kameo_pool", async {
            peers::kameo_pool::KameoPool::setup(AGENTS)
        });
        round_trips(&mut group, "tower_balance", async {
            peers::tower_balance::TowerBalance::setup(AGENTS)
        });
        round_trips(&mut group, "apalis_memory", async {
            peers::apalis_memory::ApalisMemory::setup(AGENTS)
        });
    }
    group.finish();
}

fn round_trips<O: RoundTrip>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    setup: impl Future<Output = O>,
) {
    let rt = runtime();
    let op = rt.block_on(setup);
    for in_flight in [1, 256] {
        group.bench_function(BenchmarkId::new(name, in_flight), |b| {
            b.iter_custom(|iters| drive(&rt, iters, in_flight, &op));
        });
    }
}

criterion_group!(benches, delegate_complete, execute);
criterion_main!(benches);
