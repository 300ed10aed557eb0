//! What plugins cost: one delegate and complete, as in the bench `dispatch`, with no plugin and with eight.
//!
//! An interested plugin has a guard at delegate and observes completions, both of which do nothing; an uninterested one
//! wants the retries, of which there are none. One plugin's share is the difference to `none`, divided by eight.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use universal_orchestrator::OrchestratorBuilder;
use universal_orchestrator::plugin::{HookPoint, HookSet, Plugin, PluginManifest};
use universal_orchestrator_benches::drive::AGENTS;
use universal_orchestrator_benches::ours::{self, Cycle, World};
use universal_orchestrator_benches::{runtime, settings};

/// Every hook of a plugin has a default that does nothing.
struct NoOp;

impl Plugin for NoOp {}

const NAMES: [&str; 8] = [
    "no_op_1", "no_op_2", "no_op_3", "no_op_4", "no_op_5", "no_op_6", "no_op_7", "no_op_8",
];

const INTERESTED: HookSet = HookSet::none()
    .guard(HookPoint::Delegate)
    .observe(HookPoint::Complete);

const UNINTERESTED: HookSet = HookSet::none().observe(HookPoint::Retry);

fn eight(builder: OrchestratorBuilder, hooks: HookSet) -> OrchestratorBuilder {
    NAMES.into_iter().fold(builder, |builder, name| {
        builder.plugin(PluginManifest::new(name, "Does nothing.", hooks), NoOp)
    })
}

fn hooks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hooks");
    group.throughput(Throughput::Elements(1));
    for (name, wanted) in [
        ("none", None),
        ("uninterested_8", Some(UNINTERESTED)),
        ("interested_8_sync_noop", Some(INTERESTED)),
    ] {
        let rt = runtime();
        let cycle = rt.block_on(async {
            let add = |builder| match wanted {
                Some(hooks) => eight(builder, hooks),
                None => builder,
            };
            let world = World::start_with(ours::config(AGENTS, AGENTS), add).await;
            Cycle::with_agents(world, AGENTS, ours::spec).await
        });
        let mut cycle = Some(cycle);
        group.bench_function(name, |b| {
            b.iter_custom(|steps| ours::run_on(&rt, &mut cycle, steps));
        });
        rt.block_on(async { drop(cycle) });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = settings();
    targets = hooks
}
criterion_main!(benches);
