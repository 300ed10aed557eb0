//! What counting, adding and putting together cost, and what a task pays that names no session.
//!
//! The texts are the documents and sources of this repository, by file name, until there are 100,000 tokens; a fragment a file.
//! Before the first group, the time and the memory of loading the vocabulary are printed.
//!
//! ```text
//! cargo bench -p universal-orchestrator-context
//! ```
#![expect(clippy::print_stdout, reason = "a bench shows what it measured")]
#![allow(missing_docs, reason = "made by criterion's macros")]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use universal_orchestrator::plugin::{HookPoint, HookSet, Plugin, PluginManifest};
use universal_orchestrator::{
    AgentRole, AgentSpec, OrchestratorBuilder, OrchestratorConfig, Task, UniversalOrchestrator,
};
use universal_orchestrator_context::{
    ContextConfig, ContextPlugin, ContextService, Encoding, NewFragment, SessionId,
};

const TOKENS: usize = 100_000;
const BUDGET: usize = 8_000;
const QUERY: &str = "what happens to a task when its agent is lost before the lease ends?";

/// Documents and sources of this repository, by name.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    let mut folders = vec![
        root.join("docs"),
        root.join("crates/universal-orchestrator/src"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.extension().and_then(|ending| ending.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("md" | "rs") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn texts() -> Vec<String> {
    let mut texts = Vec::new();
    let mut left = TOKENS;
    for file in files() {
        let text = fs::read_to_string(file).unwrap_or_default();
        let head = Encoding::default().head(&text, left).to_owned();
        left -= Encoding::default().count(&head).min(left);
        if !head.trim().is_empty() {
            texts.push(head);
        }
    }
    texts
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

fn load() {
    for encoding in [Encoding::O200kBase, Encoding::Cl100kBase] {
        let (begun, before) = (Instant::now(), resident_kib());
        black_box(encoding.count("x"));
        let (took, kib) = (begun.elapsed(), resident_kib() - before);
        println!("vocabulary {encoding}: loaded in {took:.1?}, {kib} KiB resident");
    }
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a bench needs a runtime")
}

fn quiet() -> OrchestratorBuilder {
    let mut config = OrchestratorConfig::default();
    config.health_check_interval_ms = 0;
    config.tick_interval_ms = 0;
    config.cleanup_interval_ms = 0;
    UniversalOrchestrator::builder()
        .config(config)
        .without_linked_plugins()
}

fn with_context(builder: OrchestratorBuilder) -> OrchestratorBuilder {
    let plugin = ContextPlugin::new(ContextConfig::default()).expect("the defaults fit");
    builder.plugin(ContextPlugin::MANIFEST, plugin)
}

fn text_work(criterion: &mut Criterion) {
    load();
    let rt = runtime();
    let orchestrator = rt
        .block_on(with_context(quiet()).start())
        .expect("it starts");
    let service = orchestrator
        .service::<ContextService>()
        .expect("it offers a service");
    let texts = texts();
    let fragments = texts.len();
    let session = |name: &str| SessionId::new(name).expect("a name");
    let fill = async |service: &Arc<ContextService>, session: &SessionId| {
        service.create(session).expect("a new session");
        for text in &texts {
            service
                .add(session, NewFragment::new(text.clone()))
                .await
                .expect("room");
        }
    };
    let kept = session("kept");
    rt.block_on(fill(&service, &kept));
    println!("{fragments} fragments, {:?}", service.session_stats(&kept));

    let mut group = criterion.benchmark_group("context");
    group.sample_size(20);
    group.throughput(Throughput::Elements(TOKENS as u64));
    group.bench_function("count_100k", |b| {
        b.iter(|| -> usize {
            texts
                .iter()
                .map(|text| Encoding::default().count(text))
                .sum()
        });
    });
    group.bench_function("add_100k", |b| {
        b.iter(|| {
            let session = session("filled");
            rt.block_on(fill(&service, &session));
            service.close(&session);
        });
    });
    for (name, query) in [
        ("assemble_100k_into_8k", None),
        ("assemble_100k_into_8k_for_query", Some(QUERY)),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let context = rt
                    .block_on(service.assemble(&kept, query, BUDGET))
                    .expect("it fits");
                assert!(context.tokens <= BUDGET && context.tokens > BUDGET / 2);
                context.tokens
            });
        });
    }
    group.finish();
    rt.block_on(orchestrator.shutdown());
}

/// The hooks of the context plugin, and nothing in them.
struct NoOp;

impl Plugin for NoOp {}

const NO_OP: PluginManifest =
    PluginManifest::new("no_op", "does nothing", ContextPlugin::MANIFEST.hooks());
const NO_HOOKS: PluginManifest = PluginManifest::new(
    "no_op",
    "does nothing",
    HookSet::none().observe(HookPoint::Shutdown),
);

/// One delegate, start and complete of an agent outside, with no session named, on one thread.
fn cycles(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("context_cycle");
    group.throughput(Throughput::Elements(1));
    let builders: [(&str, OrchestratorBuilder); 3] = [
        ("none", quiet().plugin(NO_HOOKS, NoOp)),
        ("same_hooks_empty", quiet().plugin(NO_OP, NoOp)),
        ("context_no_session", with_context(quiet())),
    ];
    for (name, builder) in builders {
        let rt = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let rt = rt.expect("a bench needs a runtime");
        let orchestrator = rt.block_on(builder.start()).expect("it starts");
        let spec = AgentSpec::new("a", AgentRole::Worker).capabilities(["work"]);
        rt.block_on(orchestrator.register_agent(spec))
            .expect("a new agent");
        group.bench_function(name, |b| {
            b.iter_custom(|steps| {
                let begun = Instant::now();
                rt.block_on(async {
                    for _ in 0..steps {
                        let task = Task::new("work").requires(["work"]);
                        let delegation = orchestrator
                            .delegate_task(task)
                            .await
                            .expect("a free agent");
                        orchestrator.start_task(&delegation).await.expect("its own");
                        orchestrator
                            .complete_task(&delegation, ())
                            .await
                            .expect("its own");
                    }
                });
                begun.elapsed()
            });
        });
        rt.block_on(orchestrator.shutdown());
    }
    group.finish();
}

criterion_group!(benches, text_work, cycles);
criterion_main!(benches);
