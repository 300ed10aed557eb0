//! All plugins at once, on several threads and in real time, with callers that do anything, a guard of somebody else that
//! refuses in between, and an operator who switches and reconfigures plugins under load.
//!
//! `UO_SEED` chooses the calls; the interleaving is the machine's.

#![expect(clippy::panic, reason = "a panic of a test names its seed")]

#[path = "../../../../crates/universal-orchestrator/tests/model/chaos.rs"]
mod chaos;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use universal_orchestrator::plugin::{
    HookContext, HookPoint, HookSet, Plugin, PluginManifest, Shape, ShapeCall, Stage,
};
use universal_orchestrator::{
    AgentFilter, Mode, OrchestratorConfig, TaskId, TaskPatch, TaskState, UniversalOrchestrator,
};
use universal_orchestrator_bundle::automation::AutomationService;
use universal_orchestrator_bundle::performance::PerformanceService;
use universal_orchestrator_bundle::security::SecurityService;
use universal_orchestrator_testkit::{Meddler, Mischief, Recorder, Seen, test_builder};

use crate::sections::{NAMES, callers, config_of, section, with_plugins};
use chaos::{Chaos, Random, World};

const CALLS: usize = 400;

/// What `section` says, but for what the calls of these tests need: with limits as narrow as there, most of so many calls at once would be refused.
fn section_of(name: &str) -> String {
    let changes: &[(&str, &str)] = match name {
        "automation" => &[
            // An agent that counts how many attempts run at once knows one concurrency: the limiter may take slots and give none.
            ("concurrency_max = 4", "concurrency_max = 1"),
            (
                "minimum_calls = 2\nfailure_rate_percent = 50",
                "minimum_calls = 20\nfailure_rate_percent = 50",
            ),
            ("open_ms = 600", "open_ms = 20"),
            (
                "depth_low = 4\ndepth_medium = 8\ndepth_high = 12",
                "depth_low = 40\ndepth_medium = 80\ndepth_high = 120",
            ),
        ],
        "context" => &[("preload = true", "preload = false")],
        "security" => &[
            ("\"test_*\"]", "\"chaos\"]"),
            (
                "submit_types = [\"build\", \"look\"]",
                "submit_types = [\"chaos\"]",
            ),
            (
                "require_capabilities = [\"x\", \"y\"]",
                "require_capabilities = [\"*\"]",
            ),
            (
                "submits_per_minute = 120\nburst = 4",
                "submits_per_minute = 60_000\nburst = 500",
            ),
        ],
        _ => &[],
    };
    changes
        .iter()
        .fold(section(name).to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{name} has no {from:?} any more");
            text.replace(from, to)
        })
}

fn config(audit: &Path) -> OrchestratorConfig {
    let mut config = config_of(&[], None);
    config.mode = Mode::Development;
    config.agents.lease_ms = 40;
    config.tasks.attempt_timeout_ms = 40;
    config.tasks.cancel_grace_ms = 10;
    config.tasks.retained_results_max = 1_000;
    config.retry.base_delay_ms = 1;
    config.retry.max_delay_ms = 5;
    config.queue.max_tasks = 300;
    config.queue.unroutable_ttl_ms = 50;
    config.tick_interval_ms = 10;
    config.health_check_interval_ms = 0;
    config.shutdown.drain_ms = 200;
    for name in NAMES.into_iter().filter(|name| *name != "performance") {
        let mut text = section_of(name);
        if name == "security" {
            text += &audit_section(audit);
        }
        let table = text.parse().expect("the section is TOML");
        config.plugins.sections.insert(name.to_owned(), table);
    }
    config
}

fn audit_section(folder: &Path) -> String {
    let folder = folder.display().to_string();
    format!(
        "[audit]\ndirectory = {folder:?}\nfile_bytes_max = 65_536\nfiles_max = 10_000\nqueue_max = 1_000_000\n"
    )
}

fn seed() -> u64 {
    let given = std::env::var("UO_SEED").ok().and_then(|s| s.parse().ok());
    given.unwrap_or_else(|| {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
        now.map_or(7, |d| d.subsec_nanos().into())
    })
}

/// Lets each task name one of a few sessions.
struct Tagger;

impl Tagger {
    const MANIFEST: PluginManifest = PluginManifest::new(
        "tagger",
        "names a session",
        HookSet::none().shape(HookPoint::Submit),
    );
}

impl Plugin for Tagger {
    fn shape(&self, _: &HookContext<'_>, call: &ShapeCall<'_>) -> Shape {
        let ShapeCall::Submit { task } = call else {
            return Shape::Keep;
        };
        let number = task
            .id()
            .to_string()
            .bytes()
            .map(usize::from)
            .sum::<usize>();
        Shape::patch(TaskPatch {
            metadata: vec![("context.session".to_owned(), format!("s{}", number % 6))],
            ..TaskPatch::default()
        })
    }
}

/// A guard of somebody else, between those of `automation` and `security`.
fn meddler(random: &mut Random) -> Meddler {
    let meddler = Meddler::new();
    for point in [HookPoint::Submit, HookPoint::Delegate, HookPoint::Start] {
        for _ in 0..4_000 {
            let mischief = match random.below(30) {
                0 => Mischief::Veto,
                1 => Mischief::Wait(Duration::from_millis(random.below(3))),
                _ => Mischief::Nothing,
            };
            meddler.plan(Stage::Guard, point, mischief);
        }
    }
    meddler
}

/// Switches, reconfigures and looks at everything until it is told to stop.
async fn operate(
    o: UniversalOrchestrator,
    mut random: Random,
    audit: String,
    over: Arc<AtomicBool>,
) {
    while !over.load(Ordering::SeqCst) {
        let name = NAMES[random.below(4) as usize];
        match random.below(8) {
            0 => o.disable_plugin(name).expect("it is there"),
            1 => {
                let text = match name {
                    "security" => section_of(name) + &audit,
                    _ => section_of(name),
                };
                let done = o.reconfigure_plugin(name, &text);
                done.unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            2 => assert!(o.reconfigure_plugin(name, "no_such_key = 1").is_err()),
            3 => {
                let security = o.service::<dyn SecurityService>().expect("it is offered");
                for block in security.blocked() {
                    drop(security.unblock(&block.principal));
                }
                drop(security.issue("bob", Duration::from_secs(1)));
            }
            4 => {
                let service = o.service::<dyn AutomationService>();
                let service = service.expect("it is offered");
                for decision in service.decisions() {
                    drop(service.approve(decision.plan));
                }
                drop((service.plans(), service.sleeping(), service.breakers()));
            }
            5 => {
                let service = o.service::<PerformanceService>().expect("it is offered");
                drop((service.snapshot(), service.acknowledge("errors", "me")));
            }
            _ => o.enable_plugin(name).expect("it is there"),
        }
        tokio::time::sleep(Duration::from_millis(random.below(8))).await;
    }
    for name in NAMES {
        o.enable_plugin(name).expect("it is there");
    }
}

async fn wait_until(what: &str, seed: u64, holds: impl Fn() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let until = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < until, "seed {seed}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_and_nothing_leaks_while_everybody_acts() {
    let seed = seed();
    println!("UO_SEED={seed}");
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().expect("a folder for the log");
    let recorder = Recorder::new();
    let builder = test_builder(config(folder.path()))
        .plugin(Recorder::MANIFEST, recorder.clone())
        .plugin(Tagger::MANIFEST, Tagger)
        .plugin(Meddler::MANIFEST, meddler(&mut random));
    let o = with_plugins(builder, &NAMES)
        .start()
        .await
        .expect("it fits");
    let callers = callers(&o);
    // Those whose credentials hold, twice; one of each of the others.
    let worlds = [0, 0, 1, 1, 2, 3, 4, 5].map(|n: usize| World::new(callers[n].clone()));
    let mut calling = tokio::task::JoinSet::new();
    for (n, world) in worlds.iter().enumerate() {
        let own = Random::new(seed ^ (n as u64 + 1) << 32);
        let mut chaos = Chaos::new(world.clone(), own);
        calling.spawn(async move { chaos.run(CALLS).await });
    }
    let over = Arc::new(AtomicBool::new(false));
    let audit = audit_section(folder.path());
    let operator = tokio::spawn(operate(o.clone(), random, audit, Arc::clone(&over)));
    while let Some(done) = calling.join_next().await {
        done.unwrap_or_else(|error| panic!("seed {seed}: a caller failed: {error}"));
    }
    over.store(true, Ordering::SeqCst);
    operator
        .await
        .unwrap_or_else(|error| panic!("seed {seed}: the operator failed: {error}"));
    let security = o.service::<dyn SecurityService>().expect("it is offered");
    let report = o.shutdown().await;
    assert!(report.stuck_plugins.is_empty(), "seed {seed}: {report:?}");
    check_slots(&o, seed).await;
    check_accounts(&o, seed);
    for world in &worlds {
        assert_eq!(world.calls_made(), CALLS, "seed {seed}");
        check_budgets(world, seed);
    }
    check_outcomes(&o, &recorder.seen(), seed);
    let overlaps: usize = worlds.iter().map(World::overlaps).sum();
    assert_eq!(
        overlaps, 0,
        "seed {seed}: more at once than the concurrency"
    );
    for plugin in o
        .plugins()
        .iter()
        .filter(|p| NAMES.contains(&p.name.as_str()))
    {
        assert_eq!(plugin.faults, 0, "seed {seed}: {plugin:?}");
    }
    let log = security.verify_audit_in(folder.path()).await;
    let log = log.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert!(log.is_intact(), "seed {seed}: {log:?}");
    assert!(log.entries > 500, "seed {seed}: {log:?}");
}

/// Every slot of an agent of this process is free again once what could not be stopped is gone.
async fn check_slots(o: &UniversalOrchestrator, seed: u64) {
    let own = || {
        let agents = o.agents(&AgentFilter::all().limit(usize::MAX));
        agents.into_iter().filter(|agent| agent.in_process)
    };
    wait_until("zombies are gone", seed, || own().all(|a| a.zombies == 0)).await;
    assert_eq!(o.status().agents.busy, 0, "seed {seed}");
}

fn check_accounts(o: &UniversalOrchestrator, seed: u64) {
    let tasks = o.status().tasks;
    assert_eq!(tasks.active, 0, "seed {seed}: {tasks:?}");
    let terminal =
        tasks.succeeded + tasks.failed + tasks.timed_out + tasks.cancelled + tasks.rejected;
    assert_eq!(tasks.accepted, terminal, "seed {seed}: {tasks:?}");
    // How many depends on the machine: the test runs in real time.
    assert!(
        tasks.accepted > 0,
        "seed {seed}: some must be let in: {tasks:?}"
    );
}

/// Nothing is reserved any more, and no account is overspent unseen.
fn check_budgets(world: &World, seed: u64) {
    let runs = world.runs();
    for account in runs
        .iter()
        .filter_map(|id| world.orchestrator().account(id))
    {
        assert!(account.reserved.is_zero(), "seed {seed}: {account:?}");
        let (limits, spent) = (&account.limits, &account.spent);
        let over = limits.tokens.is_some_and(|tokens| spent.tokens > tokens)
            || limits.calls.is_some_and(|calls| spent.calls > calls);
        assert!(!over || account.overdrawn, "seed {seed}: {account:?}");
    }
}

/// Each task that was accepted ended once.
fn check_outcomes(o: &UniversalOrchestrator, seen: &[Seen], seed: u64) {
    let mut accepted: BTreeMap<&TaskId, Vec<TaskState>> = BTreeMap::new();
    for task in seen.iter().filter(|s| s.point == HookPoint::Submit) {
        accepted
            .entry(task.task.as_ref().expect("it is a task's"))
            .or_default();
    }
    assert_eq!(
        accepted.len() as u64,
        o.status().tasks.accepted,
        "seed {seed}"
    );
    for ended in seen.iter().filter(|s| s.state.is_some()) {
        let task = ended.task.as_ref().expect("it is a task's");
        let states = accepted.get_mut(task);
        let states = states.unwrap_or_else(|| panic!("seed {seed}: {task} ended unaccepted"));
        states.extend(ended.state);
    }
    for (task, states) in accepted {
        assert_eq!(states.len(), 1, "seed {seed}: {task} ended as {states:?}");
    }
}
