//! What a plugin can learn and do: who calls, how long it took, agents of its own, metrics, the status.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use universal_orchestrator::plugin::{
    GuardCall, HookPoint, HookSet, Observed, Plugin, PluginHealth, Verdict,
};
use universal_orchestrator::{
    AgentChange, AgentError, AgentFilter, AgentRole, AgentSpec, Mode, Principal, Recorder, Task,
    json,
};
use universal_orchestrator_testkit::{TestWallClock, quiet_config};

use crate::common::*;

/// A credential of these tests.
struct Badge(u32);

#[tokio::test(start_paused = true)]
async fn guards_see_the_credential_and_views_do_not() {
    let log = Log::default();
    let seen = log.clone();
    let hooks = HookSet::none()
        .guard(HookPoint::Register)
        .guard(HookPoint::Submit);
    let plugin = Hooked::new().guard(move |context, call| {
        let badge = context.principal.credential::<Badge>().map(|b| b.0);
        let what = match call {
            GuardCall::Register { .. } => "register",
            _ => "submit",
        };
        seen.push(format!("{what} {} {badge:?}", context.principal));
        Verdict::Allow
    });
    let o = with_plugins(|_| {}, vec![(manifest("door", hooks), plugin)]).await;
    let ann = Principal::new("ann").unwrap().with_credential(Badge(7));
    let by_ann = o.as_principal(&ann).unwrap();
    let parent = universal_orchestrator::agent_fn(
        |_: u8, context: universal_orchestrator::TaskContext| async move {
            let child = context.execute_child(Task::new("child")).await;
            Ok::<_, AgentError>(child.is_ok_and(|outcome| outcome.is_success()))
        },
    );
    let agent = AgentSpec::new("p", AgentRole::Worker).concurrency(2);
    by_ann
        .register_agent(agent.in_process(parent))
        .await
        .unwrap();
    o.delegate_task(Task::new("plain").payload(1))
        .await
        .unwrap();
    settle().await;
    let handle = by_ann
        .submit_task(Task::new("named").payload(1))
        .await
        .unwrap();
    let said = format!("{:?} {:?}", handle.view().unwrap(), by_ann);
    assert!(!said.contains('7'), "{said}");
    assert_eq!(
        log.lines()[..2],
        ["register ann Some(7)", "submit anonymous None"]
    );
    settle().await;
    let lines = log.lines();
    let children = lines.iter().filter(|l| *l == "submit ann Some(7)").count();
    assert!(children >= 2, "a child has its parent's proof: {lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_resumed_task_keeps_its_name_and_has_the_proof_of_who_resumes() {
    let log = Log::default();
    let first = with_plugins(|_| {}, vec![]).await;
    let ann = Principal::new("ann").unwrap().with_credential(Badge(7));
    let by_ann = first.as_principal(ann).unwrap();
    first.register_agent(external("e", &[])).await.unwrap();
    by_ann.submit_task(Task::new("t").id("t-1")).await.unwrap();
    let report = first.shutdown_within(Duration::ZERO).await;
    let text = serde_json::to_string(&report).unwrap();
    assert!(
        text.contains("ann") && !text.contains("redential"),
        "{text}"
    );

    let seen = log.clone();
    let plugin = Hooked::new().guard(move |context, _| {
        let badge = context.principal.credential::<Badge>().map(|b| b.0);
        seen.push(format!("{} {badge:?}", context.principal));
        Verdict::Allow
    });
    let hooks = HookSet::none().guard(HookPoint::Submit);
    let second = with_plugins(|_| {}, vec![(manifest("door", hooks), plugin)]).await;
    second.register_agent(external("e", &[])).await.unwrap();
    let root = Principal::new("root").unwrap().with_credential(Badge(1));
    let by_root = second.as_principal(root).unwrap();
    let handles = by_root.resume(report).await;
    assert_eq!(log.lines(), ["ann Some(1)"]);
    let view = handles[0].as_ref().unwrap().view().unwrap();
    assert_eq!(view.principal.as_str(), "ann");
    second.shutdown_within(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_plugin_registers_changes_lists_and_removes_agents() {
    let plugin = Hooked::new().observe(|context, what| {
        let Observed::Registered { agent, .. } = what else {
            return;
        };
        let control = context.control;
        match agent.as_str() {
            "trigger" => {
                let spec = external("grown", &["x"]);
                control.register(spec, context.principal).unwrap();
                let change = AgentChange::new().concurrency(5);
                control.update(&aid("trigger"), change).unwrap();
            }
            "grown" => {
                let all = control.agents(&AgentFilter::all());
                assert_eq!(all.len(), 2, "{all:?}");
                let x = control.agents(&AgentFilter::all().capability("x"));
                assert_eq!(x[0].id, aid("grown"));
                control
                    .deregister(&aid("grown"), context.principal)
                    .unwrap();
            }
            other => panic!("{other}"),
        }
    });
    let hooks = HookSet::none()
        .observe(HookPoint::Register)
        .observe(HookPoint::Deregister);
    let o = with_plugins(|_| {}, vec![(manifest("grower", hooks), plugin)]).await;
    o.register_agent(external("trigger", &[])).await.unwrap();
    settle().await;
    assert_eq!(o.agent(&aid("trigger")).unwrap().concurrency, 5);
    assert!(o.agent(&aid("grown")).is_none());
    assert_eq!(o.status().plugins[0].faults, 0);
}

#[tokio::test(start_paused = true)]
async fn an_agent_gets_no_capability_that_it_could_not_register() {
    let plugin = Hooked::new().guard(|_, call| match call {
        GuardCall::Register { agent, .. }
            if agent.capability_list().iter().any(|c| c.as_str() == "root") =>
        {
            Verdict::veto("not_granted", "ask for less")
        }
        _ => Verdict::Allow,
    });
    let hooks = HookSet::none().guard(HookPoint::Register);
    let o = with_plugins(|_| {}, vec![(manifest("door", hooks), plugin)]).await;
    o.register_agent(external("e", &["x"])).await.unwrap();
    let to = |name: &str| {
        let set = universal_orchestrator::CapabilitySet::new([name]).unwrap();
        AgentChange::new().capabilities(set)
    };
    let refused = o.update_agent(&aid("e"), to("root")).await.unwrap_err();
    assert!(refused.to_string().contains("not_granted"), "{refused}");
    let view = o.agent(&aid("e")).unwrap();
    assert_eq!(view.capabilities.iter().next().unwrap().as_str(), "x");
    o.update_agent(&aid("e"), to("y")).await.unwrap();
    let plain = AgentChange::new().concurrency(2);
    o.update_agent(&aid("e"), plain).await.unwrap();
    assert_eq!(o.status().plugins[0].vetoes, 1);
}

#[tokio::test(start_paused = true)]
async fn observers_learn_how_long_a_task_waited_and_a_call_took() {
    let log = Log::default();
    let seen = log.clone();
    let plugin = Hooked::new().observe(move |_, what| match what {
        Observed::Delegated {
            took, queue_wait, ..
        } => seen.push(format!("{} {queue_wait:?}", took.is_some())),
        Observed::Registered { took, .. } => assert!(*took < Duration::from_secs(1)),
        _ => {}
    });
    let hooks = HookSet::none()
        .observe(HookPoint::Register)
        .observe(HookPoint::Delegate);
    let o = with_plugins(|_| {}, vec![(manifest("timer", hooks), plugin)]).await;
    o.register_agent(worker("w", &[], echo())).await.unwrap();
    o.delegate_task(Task::new("now")).await.unwrap();
    settle().await;
    o.pause_queue();
    let handle = o.submit_task(Task::new("later")).await.unwrap();
    tokio::time::advance(Duration::from_secs(3)).await;
    o.resume_queue();
    let _ = handle.outcome().await.unwrap();
    assert_eq!(log.lines(), ["true 0ns", "false 3s"]);
}

/// Offers a recorder, counts with the one it is given, and shows figures.
struct Meter {
    recorder: Arc<DebuggingRecorder>,
}

#[universal_orchestrator::async_trait]
impl Plugin for Meter {
    fn recorder(&self) -> Option<Arc<dyn Recorder + Send + Sync>> {
        Some(Arc::clone(&self.recorder) as _)
    }

    async fn start(
        &self,
        context: universal_orchestrator::plugin::PluginContext,
    ) -> Result<(), universal_orchestrator::plugin::PluginError> {
        let key = metrics::Key::from_name("meter_starts_total");
        let about = metrics::Metadata::new("meter", metrics::Level::INFO, None);
        context.metrics.register_counter(&key, &about).increment(2);
        Ok(())
    }

    fn health(&self) -> PluginHealth {
        PluginHealth::healthy()
            .details(json!({"level": 3}))
            .critical_alerts(4)
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_go_to_the_recorder_of_a_plugin_too_and_its_figures_stand_in_the_status() {
    let (own, offered) = (DebuggingRecorder::new(), DebuggingRecorder::new());
    let snapshots = [own.snapshotter(), offered.snapshotter()];
    let meter = Meter {
        recorder: Arc::new(offered),
    };
    let o = universal_orchestrator_testkit::test_builder(quiet_config())
        .metrics_recorder(own)
        .plugin(manifest("meter", HookSet::none()), meter)
        .start()
        .await
        .unwrap();
    o.register_agent(external("e", &[])).await.unwrap();
    for snapshotter in snapshots {
        let counts = snapshotter.snapshot().into_vec();
        let of = |name: &str| {
            let found = counts.iter().find(|(key, ..)| key.key().name() == name);
            found.map(|(.., value)| match value {
                DebugValue::Counter(n) => *n,
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(of("orchestrator_agents_registered_total"), Some(1));
        assert_eq!(of("meter_starts_total"), Some(2));
    }
    let status = o.status();
    assert_eq!(status.plugins[0].health.details["level"], 3);
    assert_eq!(status.critical_alerts, 4);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_learns_the_mode_and_the_time_of_day_when_it_starts() {
    let log = Log::default();
    let seen = log.clone();
    let plugin = Hooked::new().on_start(move |context| {
        let since = context
            .wall_clock
            .now()
            .duration_since(SystemTime::UNIX_EPOCH);
        seen.push(format!("{} {:?}", context.mode.as_str(), since.unwrap()));
        Ok(())
    });
    let mut config = quiet_config();
    config.mode = Mode::Sandbox;
    let _o = universal_orchestrator_testkit::test_builder(config)
        .wall_clock(TestWallClock::at(Duration::from_secs(7)))
        .plugin(manifest("asks", HookSet::none()), plugin)
        .start()
        .await
        .unwrap();
    assert_eq!(log.lines(), ["sandbox 7s"]);
}
