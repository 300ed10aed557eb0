//! What is asked of an orchestrator now and then: its status, and to start.
//!
//! The status is that of external agents of which a quarter have a task. Timed of a start is `builder.start()`, with the
//! recorder and the configuration made before; the shutdown comes after the clock has stopped.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use universal_orchestrator_benches::ours::{self, Cycle, World};
use universal_orchestrator_benches::{runtime, settings};

fn status(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("status");
    for agents in [50, 100_000] {
        let rt = runtime();
        let mut cycle = None;
        group.bench_function(BenchmarkId::new("ours", agents), |b| {
            let cycle = cycle.get_or_insert_with(|| {
                rt.block_on(async {
                    let world = World::start(ours::config(agents, agents)).await;
                    Cycle::with_agents(world, agents, ours::spec).await
                })
            });
            let orchestrator = cycle.world().orchestrator();
            assert_eq!(orchestrator.status().agents.total, agents);
            b.iter(|| orchestrator.status());
        });
        rt.block_on(async { drop(cycle) });
    }
    group.finish();
}

fn startup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("startup");
    let rt = runtime();
    group.bench_function("ours", |b| {
        b.iter_custom(|starts| rt.block_on(started(starts)));
    });
    group.finish();
}

async fn started(starts: u64) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..starts {
        let (builder, _metrics) = ours::builder(ours::config(100, 1_000));
        let start = Instant::now();
        let orchestrator = builder.start().await.expect("the defaults are valid");
        took += start.elapsed();
        let report = orchestrator.shutdown().await;
        assert_eq!(report.zombies, 0, "nothing ran");
    }
    took
}

criterion_group! {
    name = benches;
    config = settings();
    targets = status, startup
}
criterion_main!(benches);
