//! What one task costs on its way through: delegated and completed, and executed as a round trip.
//!
//! Timed is the call alone; agents, actors and services are started before. Each contestant has a runtime of its own.

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use universal_orchestrator::config::RoutingPolicyName;
use universal_orchestrator::{AgentSpec, OrchestratorConfig};
use universal_orchestrator_benches::drive::AGENTS;
use universal_orchestrator_benches::floors::InFlightMap;
use universal_orchestrator_benches::ours::{self, Cycle, Execute, World};
use universal_orchestrator_benches::peers::mpsc_floor::MpscFloor;
use universal_orchestrator_benches::peers::tokio_spawn::TokioSpawn;
use universal_orchestrator_benches::{RoundTrip, drive, runtime, settings};

/// Delegate and complete on external agents, a quarter of which have a task, one call after the other.
fn delegate_complete(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("delegate_complete");
    group.throughput(Throughput::Elements(1));
    let map = InFlightMap::with_tasks(50);
    group.bench_function(BenchmarkId::new("floor_map", 50), |b| {
        b.iter(|| map.insert_remove())
    });
    for agents in [50, 1_000, 10_000, 100_000] {
        let id = BenchmarkId::new("ours", agents);
        cycles(
            &mut group,
            id,
            &ours::config(agents, agents),
            agents,
            ours::spec,
        );
    }
    let id = BenchmarkId::new("unique_caps", 10_000);
    let config = ours::config(10_000, 10_000);
    cycles(&mut group, id, &config, 10_000, ours::unique_spec);
    let id = BenchmarkId::new("round_robin", 1_000);
    let mut config = ours::config(1_000, 1_000);
    config.routing.policy = RoutingPolicyName::RoundRobin;
    cycles(&mut group, id, &config, 1_000, ours::spec);
    group.finish();
}

/// The orchestrator is started when the bench is not filtered out, and once for all of its samples.
fn cycles(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    config: &OrchestratorConfig,
    agents: usize,
    spec: fn(usize) -> AgentSpec,
) {
    let rt = runtime();
    let mut cycle = None;
    group.bench_function(id, |b| {
        if cycle.is_none() {
            let start = World::start(config.clone());
            cycle =
                Some(rt.block_on(async { Cycle::with_agents(start.await, agents, spec).await }));
        }
        b.iter_custom(|steps| ours::run_on(&rt, &mut cycle, steps));
    });
    rt.block_on(async { drop(cycle) });
}

/// A no-op on one of 50 agents, from the call to its result, with 1 and 256 callers.
fn execute(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("execute");
    group.throughput(Throughput::Elements(1));
    round_trips(&mut group, "tokio_spawn", async { TokioSpawn });
    executes(&mut group);
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

/// As [`round_trips`], and the orchestrator's subscriber and recorder tidy up after each sample.
fn executes(group: &mut BenchmarkGroup<'_, WallTime>) {
    let rt = runtime();
    let op = rt.block_on(Execute::setup(AGENTS));
    for in_flight in [1, 256] {
        group.bench_function(BenchmarkId::new("ours", in_flight), |b| {
            b.iter_custom(|iters| {
                let took = drive(&rt, iters, in_flight, &op);
                op.world().tidy();
                took
            });
        });
    }
    rt.block_on(async { drop(op) });
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

criterion_group! {
    name = benches;
    config = settings();
    targets = delegate_complete, execute
}
criterion_main!(benches);
