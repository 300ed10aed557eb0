//! Metrics: every name is emitted with a true value, and labels stay few.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test fails it as the test itself does"
)]

mod common;

use std::collections::BTreeMap;

use common::{
    Hooked, aid, echo, external, flaky, manifest, ms, secs, settle, stuck, task, tid, worker,
};
use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use universal_orchestrator::metrics::MetricName;
use universal_orchestrator::plugin::{GuardCall, HookPoint, HookSet, Verdict};
use universal_orchestrator::{
    OrchestratorConfig, Task, TaskFailure, TaskState, UniversalOrchestrator, Veto,
};

/// What a recorder holds, by `name` or `name{label=value}`. Each name is asked for once: histograms are emptied by it.
fn snapshot(of: &Snapshotter) -> BTreeMap<String, DebugValue> {
    let held = of.snapshot().into_vec().into_iter();
    held.map(|(key, _, _, value)| {
        let key = key.key();
        let labels: Vec<String> = key
            .labels()
            .map(|l| format!("{}={}", l.key(), l.value()))
            .collect();
        let name = match labels.is_empty() {
            true => key.name().to_owned(),
            false => format!("{}{{{}}}", key.name(), labels.join(",")),
        };
        (name, value)
    })
    .collect()
}

fn counter(of: &BTreeMap<String, DebugValue>, name: &str) -> u64 {
    match of.get(name) {
        Some(DebugValue::Counter(n)) => *n,
        other => panic!("{name} is {other:?}"),
    }
}

fn gauge(of: &BTreeMap<String, DebugValue>, name: &str) -> f64 {
    match of.get(name) {
        Some(DebugValue::Gauge(n)) => n.into_inner(),
        other => panic!("{name} is {other:?}"),
    }
}

fn histogram(of: &BTreeMap<String, DebugValue>, name: &str) -> Vec<f64> {
    match of.get(name) {
        Some(DebugValue::Histogram(all)) => all.iter().map(|n| n.into_inner()).collect(),
        other => panic!("{name} is {other:?}"),
    }
}

async fn recorded(
    change: impl FnOnce(&mut OrchestratorConfig),
    plugin: Option<Hooked>,
) -> (UniversalOrchestrator, Snapshotter) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let mut config = OrchestratorConfig::default();
    change(&mut config);
    let mut builder = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .config(config)
        .metrics_recorder(recorder);
    if let Some(plugin) = plugin {
        let hooks = HookSet::none()
            .guard(HookPoint::Register)
            .guard(HookPoint::Submit)
            .guard(HookPoint::Start);
        builder = builder.plugin(manifest("p", hooks), plugin);
    }
    (builder.start().await.unwrap(), snapshotter)
}

/// Takes 50 ms for each registration, refuses what is banned, panics at what is cursed, and sends three commands where one has room.
fn troublemaker() -> Hooked {
    Hooked::new()
        .on_start(|context| {
            let sent = [(); 3].map(|()| context.control.notify("p", "hello").is_ok());
            assert_eq!(sent, [true, false, false]);
            Ok(())
        })
        .guard(|_, call| match call {
            GuardCall::Register { .. } => Verdict::Later(Box::pin(async {
                tokio::time::sleep(ms(50)).await;
                Ok(())
            })),
            GuardCall::Submit { task } if type_of(task.task()) == "cursed" => panic!("cursed"),
            GuardCall::Start { task, .. } if type_of(task.task()) == "banned" => {
                Verdict::Veto(Veto::new("banned", "not here"))
            }
            _ => Verdict::Allow,
        })
}

fn type_of(task: &Task) -> &str {
    task.task_type().map_or("", |t| t.as_str())
}

async fn two_succeed_one_after_a_retry(o: &UniversalOrchestrator) {
    for failures in [0, 1] {
        let outcome = o.execute(task("flaky").payload(failures)).await.unwrap();
        assert!(outcome.is_success());
    }
}

async fn one_of_each_end(o: &UniversalOrchestrator) {
    let d = o.delegate_task(task("out")).await.unwrap();
    o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap();
    o.fail_task(&d, TaskFailure::permanent("no"))
        .await
        .unwrap_err();
    let late = o
        .submit_task(task("out").deadline_in(secs(1)))
        .await
        .unwrap();
    assert_eq!(late.outcome().await.unwrap().state(), TaskState::TimedOut);
    let unwanted = o.submit_task(task("out")).await.unwrap();
    assert!(unwanted.cancel());
    let banned = Task::new("banned").requires(["flaky"]).payload(0);
    let banned = o.execute(banned).await.unwrap();
    assert_eq!(banned.state(), TaskState::Rejected);
}

async fn three_are_refused(o: &UniversalOrchestrator) {
    o.submit_task(task("nobody has this")).await.unwrap_err();
    o.submit_task(Task::new("\n")).await.unwrap_err();
    let cursed = Task::new("cursed").requires(["flaky"]);
    o.submit_task(cursed).await.unwrap_err();
}

/// An attempt is lost with its lease, and the task waits for two seconds in all before it is fetched again.
async fn one_lease_is_lost(o: &UniversalOrchestrator) {
    let e = aid("e");
    let handle = o.submit_task(task("out").id("leased")).await.unwrap();
    let pulled = o.next_task(&e, secs(1)).await.unwrap().unwrap();
    assert_eq!(pulled.id(), &tid("leased"));
    tokio::time::sleep(secs(61)).await;
    let again = o.next_task(&e, secs(1)).await.unwrap().unwrap();
    assert_eq!(again.delegation().attempt(), 2);
    o.complete_task(again.delegation(), 1).await.unwrap();
    assert!(handle.outcome().await.unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_emitted_with_a_true_value() {
    let strict = |c: &mut OrchestratorConfig| {
        c.hooks.control_depth_max = 1;
        c.events.capacity = 4;
        c.max_agent_registration_ms = 49;
        c.tasks.cancel_grace_ms = 3_600_000;
    };
    let (o, metrics) = recorded(strict, Some(troublemaker())).await;
    let mut unread = o.events();
    for spec in [
        worker("flaky", &["flaky"], flaky()),
        worker("stuck", &["stuck"], stuck()),
        external("e", &["out"]),
        external("leaves", &[]),
    ] {
        o.register_agent(spec).await.unwrap();
    }
    o.deregister_agent(&aid("leaves")).await.unwrap();
    two_succeed_one_after_a_retry(&o).await;
    one_of_each_end(&o).await;
    three_are_refused(&o).await;
    one_lease_is_lost(&o).await;
    // What stands at the end: one zombie, one in flight, two queued.
    let zombie = o.submit_task(task("stuck")).await.unwrap();
    settle().await;
    assert!(zombie.cancel());
    o.delegate_task(task("out")).await.unwrap();
    for _ in 0..2 {
        o.submit_task(task("out")).await.unwrap();
    }
    assert!(unread.try_next().is_some());
    while o.status().performance.process_memory_mb.is_none() {
        tokio::time::sleep(secs(1)).await;
    }
    tokio::time::sleep(secs(1)).await;
    let held = snapshot(&metrics);
    let status = o.status();
    for (name, expected) in [
        ("orchestrator_agents_registered_total", 4),
        ("orchestrator_agents_deregistered_total", 1),
        // Two flaky ones, one of each other end, the leased one, the zombie, three at the end.
        ("orchestrator_tasks_accepted_total", 11),
        (
            "orchestrator_tasks_refused_total{reason=no_capable_agent}",
            1,
        ),
        ("orchestrator_tasks_refused_total{reason=invalid}", 1),
        ("orchestrator_tasks_refused_total{reason=vetoed}", 1),
        ("orchestrator_tasks_finished_total{state=succeeded}", 3),
        ("orchestrator_tasks_finished_total{state=failed}", 1),
        ("orchestrator_tasks_finished_total{state=timed_out}", 1),
        ("orchestrator_tasks_finished_total{state=cancelled}", 2),
        ("orchestrator_tasks_finished_total{state=rejected}", 1),
        // 1 + 2 of the flaky ones, the failed, the rejected, 2 of the leased, the zombie, one in flight.
        ("orchestrator_delegations_total", 9),
        ("orchestrator_retries_total", 2),
        ("orchestrator_reports_refused_total", 1),
        ("orchestrator_leases_lost_total", 1),
        ("orchestrator_hook_faults_total{plugin=p}", 1),
        ("orchestrator_hook_vetoes_total{plugin=p}", 2),
        ("orchestrator_control_dropped_total", 2),
        (
            "orchestrator_targets_exceeded_total{target=max_agent_registration_ms}",
            4,
        ),
        ("orchestrator_events_lagged_total", status.events_lagged),
    ] {
        assert_eq!(counter(&held, name), expected, "{name}");
    }
    assert!(status.events_lagged > 20, "{}", status.events_lagged);
    for (name, expected) in [
        ("orchestrator_agents", 3.0),
        ("orchestrator_tasks_queued", 2.0),
        ("orchestrator_tasks_in_flight", 1.0),
        ("orchestrator_zombies", 1.0),
        ("orchestrator_dead_letters", 2.0),
    ] {
        assert_eq!(gauge(&held, name), expected, "{name}");
    }
    let memory = gauge(&held, "orchestrator_process_memory_bytes") / 1e6;
    assert!((1.0..10_000.0).contains(&memory), "{memory} MB");
    let registrations = histogram(&held, "orchestrator_registration_duration_seconds");
    assert_eq!(registrations, [0.05; 4]);
    let delegations = histogram(&held, "orchestrator_delegation_duration_seconds");
    assert_eq!(delegations.len(), 2, "{delegations:?}");
    let ran = histogram(&held, "orchestrator_task_duration_seconds");
    assert_eq!(ran.len(), 6, "what was assigned and is over: {ran:?}");
    let waited = histogram(&held, "orchestrator_queue_wait_seconds");
    assert!(
        waited.iter().any(|s| (0.05..=0.15).contains(s)),
        "{waited:?}"
    );
    assert!(
        waited.iter().any(|s| (60.0..=61.2).contains(s)),
        "{waited:?}"
    );
    for name in MetricName::ALL {
        let named = |key: &&String| {
            key.as_str() == name.as_str() || key.starts_with(&format!("{}{{", name.as_str()))
        };
        assert!(held.keys().any(|k| named(&k)), "{name:?} was never emitted");
    }
    assert!(o.cancel_task(&tid("leased")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_numbers_of_series_and_labels_do_not_grow_with_what_passes_through() {
    async fn series(n: usize) -> Vec<String> {
        let (o, metrics) = recorded(|c| c.max_agents = 1_000, None).await;
        for i in 0..n {
            let agent = format!("agent-{i}");
            let capability = format!("capability-{i}");
            o.register_agent(worker(&agent, &[&capability], echo()))
                .await
                .unwrap();
            let task = Task::new(format!("type-{i}"))
                .id(format!("chosen-{i}").as_str())
                .requires([&capability])
                .tenant(format!("tenant-{i}"))
                .concurrency_key(format!("key-{i}"));
            drop(o.execute(task).await.unwrap());
            let refused = Task::new("t").requires([format!("nobody-{i}")]);
            o.execute(refused).await.unwrap_err();
        }
        snapshot(&metrics).into_keys().collect()
    }
    let few = series(1).await;
    assert_eq!(series(200).await, few);
    for text in ["agent-", "type-", "chosen-", "tenant-", "key-", "nobody-"] {
        assert!(!few.iter().any(|key| key.contains(text)), "{text}: {few:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_orchestrators_have_metrics_of_their_own() {
    let (one, metrics_of_one) = recorded(|_| {}, None).await;
    let (_other, metrics_of_other) = recorded(|_| {}, None).await;
    one.register_agent(external("e", &[])).await.unwrap();
    let name = "orchestrator_agents_registered_total";
    assert_eq!(counter(&snapshot(&metrics_of_one), name), 1);
    assert_eq!(counter(&snapshot(&metrics_of_other), name), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_recorder_of_its_own_it_takes_that_of_the_process() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let guard = metrics::set_default_local_recorder(&recorder);
    let o = common::plain().await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    o.delegate_task(task("b")).await.unwrap_err();
    drop(guard);
    let held = snapshot(&snapshotter);
    assert_eq!(counter(&held, "orchestrator_agents_registered_total"), 1);
    let refused = "orchestrator_tasks_refused_total{reason=no_capable_agent}";
    assert_eq!(counter(&held, refused), 1);
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_described_with_its_kind() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let o = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .metrics_recorder(recorder)
        .start()
        .await
        .unwrap();
    drop(o);
    let mut kinds: BTreeMap<String, MetricKind> = BTreeMap::new();
    for (key, _, _, _) in snapshotter.snapshot().into_vec() {
        kinds.insert(key.key().name().to_owned(), key.kind());
    }
    let page = universal_orchestrator::metrics::markdown();
    for name in MetricName::ALL {
        let line = page
            .lines()
            .find(|l| l.contains(&format!("`{}`", name.as_str())));
        let line = line.unwrap_or_else(|| panic!("{name:?} is not documented"));
        // Those with a label of many values appear with their first count.
        if let Some(kind) = kinds.get(name.as_str()) {
            let kind = format!("{kind:?}").to_lowercase();
            assert!(line.contains(&format!("| {kind} |")), "{line} is a {kind}");
        }
    }
    assert!(kinds.len() >= MetricName::ALL.len() - 4, "{kinds:?}");
}
