//! What the plugins of this workspace cost: one delegate and complete, as in the bench `dispatch`, with none of them, with
//! each alone, and with all. The difference to `none` is a plugin's cost.
//!
//! Each has its default section, but for `security`, which has a caller: every step checks a token, the grants of its role
//! and a rate limit, and hands an entry to the audit log.
//! `hooks_alone` is a plugin that does nothing in the two hooks that nearly all of them want.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use universal_orchestrator::plugin::{HookPoint, HookSet, Plugin, PluginManifest, linked};
use universal_orchestrator::{OrchestratorConfig, Principal};
use universal_orchestrator_benches::drive::AGENTS;
use universal_orchestrator_benches::ours::{self, Cycle, World};
use universal_orchestrator_benches::{runtime, settings};
use universal_orchestrator_bundle::security::{BearerToken, SecurityService};

const SECURITY: &str = r#"
[plugins.security]
key_inline = "a server key for the bench, 32 bytes"
[[plugins.security.identities]]
name = "bench"
roles = ["everything"]
[plugins.security.roles.everything]
submit_types = ["*"]
require_capabilities = ["*"]
register_agents = ["*"]
register_capabilities = ["*"]
register_roles = ["worker"]
[plugins.security.rate_limits]
submits_per_minute = 4_000_000_000
"#;

struct NoOp;

impl Plugin for NoOp {}

fn hooks_alone() -> PluginManifest {
    let hooks = HookSet::none()
        .observe(HookPoint::Delegate)
        .observe(HookPoint::Complete);
    PluginManifest::new("hooks_alone", "does nothing", hooks)
}

fn config(audit: &Path) -> OrchestratorConfig {
    let room = ours::config(AGENTS, AGENTS);
    let text = format!(
        "{SECURITY}[plugins.security.audit]\ndirectory = {:?}\nqueue_max = 1_000_000\nrequired = false\n",
        audit.display().to_string()
    );
    let mut config = OrchestratorConfig::from_toml_str(&text).expect("the section is right");
    (config.max_agents, config.max_concurrent_tasks) = (room.max_agents, room.max_concurrent_tasks);
    config
}

async fn start(row: &str, audit: &Path) -> Arc<World> {
    let wanted = |name: &str| row == "all" || row.split('_').next() == Some(name);
    let mut config = config(audit);
    if !wanted("security") {
        config.plugins = Default::default();
    }
    let world = World::start_with(config, |builder| {
        let builder = match row {
            "hooks_alone" => builder.plugin(hooks_alone(), NoOp),
            _ => builder,
        };
        linked()
            .into_iter()
            .filter(|one| wanted(one.manifest().name()))
            .fold(builder, |builder, one| builder.plugin_descriptor(one))
    })
    .await;
    let security = world.orchestrator().service::<dyn SecurityService>();
    match security {
        Some(security) => {
            let issued = security.issue("bench", Duration::from_secs(3_600));
            world.called_by(principal(issued.expect("it is configured").token))
        }
        None => world,
    }
}

fn principal(token: BearerToken) -> Principal {
    let bench = Principal::new("bench").expect("a name");
    bench.with_credential(token)
}

fn plugins(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plugins");
    group.throughput(Throughput::Elements(1));
    for row in [
        "none",
        "hooks_alone",
        "performance",
        "security",
        "context",
        "automation",
        "all",
    ] {
        let rt = runtime();
        let audit = tempfile::tempdir().expect("a folder for the log");
        let mut cycle = None;
        group.bench_function(row, |b| {
            if cycle.is_none() {
                cycle = Some(rt.block_on(async {
                    let world = start(row, audit.path()).await;
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
