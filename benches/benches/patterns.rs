//! What an orchestration costs: five no-op specialists, a call of the facade, and a workflow of 1,000 no-op steps.
//!
//! Timed is the whole run, the context with its budget and deadline included; the heads of `src/patterns.rs` and `src/workflow.rs` say what that is.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use universal_orchestrator_benches::patterns::{FacadeCall, JoinSetFloor, Orchestrations};
use universal_orchestrator_benches::workflow::LayeredWorkflow;
use universal_orchestrator_benches::{RoundTrip, drive, runtime, settings};

fn fan_out_5(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan_out_5");
    group.throughput(Throughput::Elements(1));
    one_by_one(
        &mut group,
        "ours_parallel",
        Orchestrations::setup("parallel"),
    );
    one_by_one(
        &mut group,
        "ours_sequential",
        Orchestrations::setup("sequential"),
    );
    one_by_one(&mut group, "joinset_floor", async { JoinSetFloor });
    #[cfg(feature = "peers")]
    {
        use universal_orchestrator_benches::peers;
        one_by_one(&mut group, "graph_flow", async {
            peers::graph_flow::GraphFlow::setup()
        });
        one_by_one(&mut group, "adk_graph", async {
            peers::adk_graph::AdkGraph::setup()
        });
    }
    group.finish();
}

fn facade_call(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("facade_call");
    group.throughput(Throughput::Elements(1));
    one_by_one(&mut group, "ours", FacadeCall::setup());
    group.finish();
}

fn workflow_1000(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("workflow_1000");
    group.throughput(Throughput::Elements(1_000));
    one_by_one(&mut group, "ours", LayeredWorkflow::setup());
    group.finish();
}

/// One caller, one run after the other.
fn one_by_one<O: RoundTrip>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    setup: impl Future<Output = O>,
) {
    let rt = runtime();
    let op = rt.block_on(setup);
    group.bench_function(name, |b| b.iter_custom(|iters| drive(&rt, iters, 1, &op)));
    rt.block_on(async { drop(op) });
}

criterion_group! {
    name = benches;
    config = settings();
    targets = fan_out_5, facade_call, workflow_1000
}
criterion_main!(benches);
