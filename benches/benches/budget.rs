//! How many reservations and settlements the ledger of budgets makes in a second, with threads on one run.
//!
//! Timed are the pairs alone; the head of `src/budget.rs` says what they are, and what is checked after each sample.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use universal_orchestrator_benches::budget::Spenders;
use universal_orchestrator_benches::{runtime, settings};

fn budget(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("budget");
    group.throughput(Throughput::Elements(1));
    let rt = runtime();
    let spenders = rt.block_on(Spenders::setup());
    for threads in [1, 2, 8] {
        group.bench_function(BenchmarkId::new("ours", threads), |b| {
            b.iter_custom(|pairs| spenders.run(pairs, threads));
        });
    }
    group.finish();
    rt.block_on(async { drop(spenders) });
}

criterion_group! {
    name = benches;
    config = settings();
    targets = budget
}
criterion_main!(benches);
