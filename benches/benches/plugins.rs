//! What the plugins of this workspace cost: one delegate and complete, as in the bench `dispatch`, with none of them, with
//! each alone, and with all. The difference to `none` is a plugin's cost. Each has its default section.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use universal_orchestrator::plugin::{PluginDescriptor, linked};
use universal_orchestrator_benches::drive::AGENTS;
use universal_orchestrator_benches::ours::{self, Cycle, World};
use universal_orchestrator_benches::{runtime, settings};
use universal_orchestrator_bundle as _;

fn plugins(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plugins");
    group.throughput(Throughput::Elements(1));
    let all = linked();
    let mut rows: Vec<(&str, Vec<&'static PluginDescriptor>)> = vec![("none", Vec::new())];
    rows.extend(all.iter().map(|one| (one.manifest().name(), vec![*one])));
    rows.push(("all", all));
    for (name, plugins) in rows {
        let rt = runtime();
        let mut cycle = None;
        group.bench_function(name, |b| {
            if cycle.is_none() {
                let with = plugins.clone();
                cycle = Some(rt.block_on(async {
                    let world = World::start_with(ours::config(AGENTS, AGENTS), |builder| {
                        with.into_iter()
                            .fold(builder, |builder, one| builder.plugin_descriptor(one))
                    })
                    .await;
                    Cycle::with_agents(world, AGENTS, ours::spec).await
                }));
            }
            b.iter_custom(|steps| ours::run_on(&rt, &mut cycle, steps));
        });
        rt.block_on(async { drop(cycle) });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = settings();
    targets = plugins
}
criterion_main!(benches);
