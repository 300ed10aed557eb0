//! What the plugin costs: one delegate and complete of an external agent, without the plugin and with it.
//!
//! `none` has no plugin. `security` checks a token that it has seen, the grants of its role, a rate limit and the default rules.
//! `security_audited` writes each decision to an audit log besides. `security_cold` shows a token that this value has not proven yet, so that it is hashed.
//! `hooks_alone` is a plugin that does nothing in the same hooks: what the host takes for them. `security_without_limits` has no rate limit and no rule.
//! `security_explain_100_patterns` explains a decision, which looks through all patterns. The difference to `none` is the cost of a cycle.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use universal_orchestrator::plugin::{Plugin, PluginManifest};
use universal_orchestrator::{
    AgentRole, AgentSpec, OrchestratorConfig, Principal, Task, UniversalOrchestrator,
};
use universal_orchestrator_security::{
    BearerToken, Request, SECURITY, SecurityPlugin, SecurityService,
};

const SECTION: &str = r#"
[plugins.security]
key_inline = "a server key for the bench, 32 bytes"
[[plugins.security.identities]]
name = "ci"
roles = ["submitter"]
[plugins.security.roles.submitter]
submit_types = ["build", "test_*"]
require_capabilities = ["rust"]
register_capabilities = ["rust"]
register_roles = ["worker"]
[plugins.security.rate_limits]
submits_per_minute = 4_000_000_000
"#;

/// Stands for a plugin that does nothing.
const HOOKS_ALONE: &str = "# hooks alone";

struct NoOp;

impl Plugin for NoOp {}

fn manifest() -> PluginManifest {
    let hooks = SecurityPlugin::MANIFEST.hooks();
    PluginManifest::new("no_op", "does nothing", hooks)
}

async fn start(section: &str) -> UniversalOrchestrator {
    let config = OrchestratorConfig::from_toml_str(section).expect("the section is right");
    let builder = UniversalOrchestrator::builder()
        .config(config)
        .without_linked_plugins();
    let builder = match section {
        "" => builder,
        HOOKS_ALONE => builder.plugin(manifest(), NoOp),
        _ => builder.plugin_descriptor(&SECURITY),
    };
    builder.start().await.expect("it starts")
}

fn token(o: &UniversalOrchestrator) -> Option<String> {
    let service = o.service::<dyn SecurityService>()?;
    let issued = service.issue("ci", Duration::from_secs(3_600));
    Some(issued.expect("ci is configured").token.expose().to_owned())
}

fn as_ci(o: &UniversalOrchestrator, token: Option<&str>) -> UniversalOrchestrator {
    let Some(token) = token else {
        return o.clone();
    };
    let ci = Principal::new("ci").expect("a name");
    let ci = ci.with_credential(BearerToken::new(token));
    o.as_principal(ci).expect("a name")
}

async fn cycle(caller: &UniversalOrchestrator) {
    let task = Task::new("build").requires(["rust"]);
    let delegation = caller.delegate_task(task).await.expect("it is let in");
    let done = caller.complete_task(&delegation, 1).await;
    done.expect("it is bound");
}

fn audited(folder: &Path) -> String {
    format!(
        "{SECTION}[plugins.security.audit]\ndirectory = {:?}\nqueue_max = 1_000_000\nrequired = false\n",
        folder.display().to_string()
    )
}

fn cycles(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let audited = audited(folder.path());
    let (without_limits, _) = SECTION
        .split_once("[plugins.security.rate_limits]")
        .expect("it is there");
    let without_limits =
        without_limits.replace("[plugins.security]", "[plugins.security]\nrules = []");
    let mut group = criterion.benchmark_group("security_cycle");
    for (name, section, is_cold) in [
        ("none", "", false),
        ("hooks_alone", HOOKS_ALONE, false),
        ("security_without_limits", &*without_limits, false),
        ("security", SECTION, false),
        ("security_audited", &*audited, false),
        ("security_cold", SECTION, true),
    ] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let o = runtime.block_on(start(section));
        let token = token(&o);
        let caller = as_ci(&o, token.as_deref());
        let agent = AgentSpec::new("a", AgentRole::Worker).capabilities(["rust"]);
        runtime
            .block_on(caller.register_agent(agent))
            .expect("it is granted");
        group.bench_function(name, |b| {
            b.iter_custom(|steps| {
                runtime.block_on(async {
                    let began = Instant::now();
                    for _ in 0..steps {
                        match is_cold {
                            true => cycle(&as_ci(&o, token.as_deref())).await,
                            false => cycle(&caller).await,
                        }
                    }
                    began.elapsed()
                })
            });
        });
        runtime.block_on(o.shutdown());
    }
    group.finish();
}

fn grants(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let names: Vec<String> = (0..100).map(|n| format!("\"type_{n}\"")).collect();
    let section = SECTION.replace("\"test_*\"", &names.join(", "));
    let o = runtime.block_on(start(&section));
    let service = o.service::<dyn SecurityService>().expect("it is offered");
    let request = Request::submit("type_99", ["rust"]);
    criterion.bench_function("security_explain_100_patterns", |b| {
        b.iter(|| black_box(service.explain("ci", &request)));
    });
    runtime.block_on(o.shutdown());
}

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
}

criterion_group! {
    name = benches;
    config = settings();
    targets = cycles, grants
}
criterion_main!(benches);
