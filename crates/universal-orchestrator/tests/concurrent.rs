//! Many callers at once, on several threads and in real time: whatever they do, nothing is lost, no slot leaks, and no budget is overspent unseen.
//!
//! `UO_SEED` chooses the calls; the interleaving is the machine's.

#![expect(
    clippy::disallowed_methods,
    reason = "a test is not the orchestrator: it spawns what calls it"
)]
#![expect(clippy::panic, reason = "a panic of a test names its seed")]

#[path = "model/chaos.rs"]
mod chaos;

use std::collections::BTreeMap;
use std::time::Duration;

use universal_orchestrator::plugin::{HookPoint, Stage};
use universal_orchestrator::{
    AgentFilter, OrchestratorConfig, TaskId, TaskState, UniversalOrchestrator,
};
use universal_orchestrator_testkit::{Meddler, Mischief, Recorder, Seen, test_builder};

use chaos::{Chaos, Random, World};

const CALLERS: u64 = 8;
const CALLS: usize = 1500;

fn config() -> OrchestratorConfig {
    let mut config = OrchestratorConfig::default();
    config.agents.lease_ms = 40;
    config.tasks.attempt_timeout_ms = 40;
    config.tasks.cancel_grace_ms = 10;
    config.tasks.retained_results_max = 1000;
    config.retry.base_delay_ms = 1;
    config.retry.max_delay_ms = 5;
    config.queue.max_tasks = 300;
    config.queue.queue_unroutable = true;
    config.queue.unroutable_ttl_ms = 50;
    config.health_check_interval_ms = 0;
    config.budget.global.tokens = Some(200_000);
    config.budget.tenant_per_day.tokens = Some(20_000);
    config.shutdown.drain_ms = 200;
    config.hooks.timeout_ms = 500;
    config
}

fn seed() -> u64 {
    let given = std::env::var("UO_SEED").ok().and_then(|s| s.parse().ok());
    given.unwrap_or_else(|| {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
        now.map_or(7, |d| d.subsec_nanos().into())
    })
}

/// Panics of scripted agents are part of the test: their texts would bury the seed.
fn quiet_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<&str>();
        if text.is_none_or(|text| !text.contains("told to panic")) {
            before(info);
        }
    }));
}

fn meddler(random: &mut Random) -> Meddler {
    let meddler = Meddler::new();
    let points = [
        HookPoint::Submit,
        HookPoint::Delegate,
        HookPoint::Start,
        HookPoint::Retry,
    ];
    for point in points {
        for _ in 0..20_000 {
            let mischief = match random.below(40) {
                0 => Mischief::Veto,
                1 => Mischief::Wait(Duration::from_millis(random.below(3))),
                2 => Mischief::Fault,
                3 if random.below(20) == 0 => Mischief::Panic,
                _ => Mischief::Nothing,
            };
            meddler.plan(Stage::Guard, point, mischief);
        }
    }
    meddler
}

async fn wait_until(what: &str, seed: u64, holds: impl Fn() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let until = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < until, "seed {seed}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn run(seed: u64, meddled: bool) {
    quiet_panics();
    let mut random = Random::new(seed);
    let recorder = Recorder::new();
    let mut builder = test_builder(config()).plugin(Recorder::MANIFEST, recorder.clone());
    if meddled {
        builder = builder.plugin(Meddler::MANIFEST, meddler(&mut random));
    }
    let o = builder.start().await.expect("the configuration is valid");
    let world = World::new(o.clone());
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let mut chaos = Chaos::new(world.clone(), Random::new(seed ^ (caller + 1) << 32));
        callers.spawn(async move { chaos.run(CALLS).await });
    }
    let stop = tokio::spawn({
        let (world, calls) = (world.clone(), CALLERS as usize * CALLS);
        async move {
            wait_until("most of the calls are made", seed, || {
                world.calls_made() * 4 >= calls * 3
            })
            .await;
            world.orchestrator().shutdown().await
        }
    });
    while let Some(done) = callers.join_next().await {
        done.unwrap_or_else(|error| panic!("seed {seed}: a caller failed: {error}"));
    }
    let report = stop.await.expect("shutdown returns");
    assert!(report.stuck_plugins.is_empty(), "seed {seed}");
    check_slots(&o, seed).await;
    check_accounts(&o, &world, seed);
    check_outcomes(&o, &recorder.seen(), seed);
    assert_eq!(
        world.overlaps(),
        0,
        "seed {seed}: more at once than the concurrency"
    );
}

/// Every slot is free again once what could not be stopped is gone.
async fn check_slots(o: &UniversalOrchestrator, seed: u64) {
    wait_until("zombies are gone", seed, || o.status().agents.zombies == 0).await;
    for agent in o.agents(&AgentFilter::all().limit(usize::MAX)) {
        assert_eq!(
            (agent.in_flight, agent.zombies),
            (0, 0),
            "seed {seed}: {}",
            agent.id
        );
    }
    assert_eq!(o.status().agents.busy, 0, "seed {seed}");
}

fn check_accounts(o: &UniversalOrchestrator, world: &World, seed: u64) {
    let status = o.status();
    let tasks = &status.tasks;
    assert_eq!(tasks.active, 0, "seed {seed}: {tasks:?}");
    let terminal =
        tasks.succeeded + tasks.failed + tasks.timed_out + tasks.cancelled + tasks.rejected;
    assert_eq!(tasks.accepted, terminal, "seed {seed}: {tasks:?}");
    assert!(
        tasks.succeeded > 100,
        "seed {seed}: most of it must work: {tasks:?}"
    );
    let runs = world.runs();
    let accounts = runs.iter().filter_map(|id| o.account(id));
    for account in accounts.chain(status.budget.iter().cloned()) {
        assert!(account.reserved.is_zero(), "seed {seed}: {account:?}");
        let over = account
            .limits
            .tokens
            .is_some_and(|t| account.spent.tokens > t)
            || account
                .limits
                .calls
                .is_some_and(|c| account.spent.calls > c);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_and_nothing_leaks() {
    let seed = seed();
    println!("UO_SEED={seed}");
    run(seed, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_when_guards_refuse_wait_and_fail() {
    let seed = seed();
    println!("UO_SEED={seed}");
    run(seed, true).await;
}
