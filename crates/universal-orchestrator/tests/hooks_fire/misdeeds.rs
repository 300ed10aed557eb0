//! Plugins that panic, stall or fail: guards refuse, the others are passed over and switched off, and no promise breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use universal_orchestrator::plugin::{
    HookFault, HookPoint, HookSet, PluginError, Shape, Stage, Verdict,
};
use universal_orchestrator::{HealthStatus, RetryPolicy, UniversalOrchestrator};

use crate::common::*;
use crate::no;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Misdeed {
    Panic,
    Stall,
    Fault,
    Veto,
}

fn misbehaves(stage: Stage, point: HookPoint, misdeed: Misdeed) -> Hooked {
    match stage {
        Stage::Shape => Hooked::new().shape(move |_, call| {
            assert_eq!(shape_point(call), point);
            match misdeed {
                Misdeed::Panic => std::panic::panic_any("told to panic"),
                Misdeed::Stall => Shape::later(std::future::pending()),
                _ => Shape::Fault(HookFault::new("cannot")),
            }
        }),
        Stage::Guard => Hooked::new().guard(move |_, call| {
            assert_eq!(guard_point(call), point);
            match misdeed {
                Misdeed::Panic => std::panic::panic_any("told to panic"),
                Misdeed::Stall => Verdict::later(std::future::pending()),
                Misdeed::Fault => Verdict::Fault(HookFault::new("cannot")),
                Misdeed::Veto => no(),
            }
        }),
        Stage::Observe => Hooked::new().observe(move |_, what| {
            assert_eq!(observe_point(what), point);
            if misdeed == Misdeed::Panic {
                std::panic::panic_any("told to panic");
            }
            std::thread::sleep(ms(2));
        }),
    }
}

/// Goes through every call; returns what came of it.
async fn exercise(o: &UniversalOrchestrator) -> (u64, u64, u64) {
    let retried = || RetryPolicy::immediate(2);
    // What a misbehaving guard refuses is seen in the counts.
    let _ = o.register_agent(worker("w", &["x"], flaky())).await;
    let _ = o.register_agent(external("e", &["y"])).await;
    let _ = o.execute(task("x").payload(0)).await;
    let _ = o.execute(task("x").payload(1).retry(retried())).await;
    let _ = o.execute(task("x").payload(9).retry(retried())).await;
    if let Ok(d) = o.delegate_task(task("x").payload(0)).await {
        let _ = o.wait_task(d.task()).await;
    }
    if let Ok(d) = o.delegate_task(task("y")).await {
        let _ = o.start_task(&d).await;
        let _ = o.complete_task(&d, 1).await;
    }
    for complete in [true, false] {
        if let Ok(handle) = o.submit_task(task("y")).await {
            if complete && let Ok(Some(pulled)) = o.next_task(&aid("e"), ms(1)).await {
                let _ = o.complete_task(pulled.delegation(), 1).await;
            }
            handle.cancel();
        }
    }
    let _ = o.deregister_agent(&aid("e")).await;
    tokio::time::sleep(ms(400)).await;
    let tasks = o.status().tasks;
    (tasks.succeeded, tasks.failed, tasks.cancelled)
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_misbehaves_at_any_hook_breaks_no_promise() {
    let quick = |c: &mut universal_orchestrator::OrchestratorConfig| {
        c.tick_interval_ms = 150;
        c.health_check_interval_ms = 200;
        c.hooks.timeout_ms = 1;
    };
    let baseline = exercise(&with_config(quick).await).await;
    assert_eq!(baseline, (5, 1, 1));
    for (stage, point) in all_hooks().iter() {
        for misdeed in [
            Misdeed::Panic,
            Misdeed::Stall,
            Misdeed::Fault,
            Misdeed::Veto,
        ] {
            let what = format!("{stage:?} {point:?} {misdeed:?}");
            if (misdeed == Misdeed::Veto && stage != Stage::Guard)
                || (misdeed == Misdeed::Fault && stage == Stage::Observe)
            {
                continue;
            }
            let hooks = match stage {
                Stage::Shape => HookSet::none().shape(point),
                Stage::Guard => HookSet::none().guard(point),
                Stage::Observe => HookSet::none().observe(point),
            };
            let plugin = misbehaves(stage, point, misdeed);
            let o = with_plugins(quick, vec![(manifest("bad", hooks), plugin)]).await;
            let came = exercise(&o).await;
            let status = o.status();
            if stage == Stage::Guard {
                assert!(
                    came.0 < baseline.0,
                    "{what}: the guard failed open: {came:?}"
                );
                assert!(status.plugins[0].vetoes > 0, "{what}");
            } else {
                assert_eq!(came, baseline, "{what}: it did not fail open");
            }
            if misdeed != Misdeed::Veto && point != HookPoint::Shutdown {
                assert!(status.plugins[0].faults > 0, "{what}: nothing was counted");
            }
            assert_eq!(
                (status.agents.busy, status.agents.zombies),
                (0, 0),
                "{what}"
            );
            assert_eq!(status.tasks.active, 0, "{what}");
            check_conservation(&o);
            o.disable_plugin("bad").unwrap();
            let _ = o.register_agent(worker("w", &["x"], flaky())).await;
            let outcome = o.execute(task("x").payload(0)).await.unwrap();
            assert!(
                outcome.is_success(),
                "{what}: disabled, it still stands in the way"
            );
            o.enable_plugin("bad").unwrap();
            let report = o.shutdown().await;
            assert!(report.unfinished.is_empty(), "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_guard_refuses_until_it_is_disabled() {
    let o = with_plugins(
        |c| c.hooks.faults_max = 2,
        vec![(
            manifest("bad", HookSet::none().guard(HookPoint::Submit)),
            misbehaves(Stage::Guard, HookPoint::Submit, Misdeed::Panic),
        )],
    )
    .await;
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    for _ in 0..10 {
        assert!(o.execute(task("x").payload(1)).await.is_err());
    }
    let plugin = &o.plugins()[0];
    assert!(
        plugin.switched_off.is_empty(),
        "a guard is never switched off"
    );
    assert_eq!((plugin.faults, plugin.vetoes), (10, 10));
    o.disable_plugin("bad").unwrap();
    assert!(!o.plugins()[0].enabled);
    assert!(o.execute(task("x").payload(1)).await.unwrap().is_success());
    o.enable_plugin("bad").unwrap();
    assert!(o.execute(task("x").payload(1)).await.is_err());
    let unknown = o.disable_plugin("worse").unwrap_err();
    assert!(matches!(unknown, PluginError::Unknown { .. }), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn shape_and_observe_are_switched_off_after_so_many_faults() {
    for (stage, point) in [
        (Stage::Shape, HookPoint::Submit),
        (Stage::Observe, HookPoint::Complete),
    ] {
        for max in [3, 0] {
            let hooks = match stage {
                Stage::Shape => HookSet::none().shape(point).shape(HookPoint::Start),
                _ => HookSet::none().observe(point).observe(HookPoint::Start),
            };
            let calls = Arc::new(AtomicUsize::new(0));
            let (shaped, observed) = (Arc::clone(&calls), Arc::clone(&calls));
            let fails = move |count: &AtomicUsize, at: HookPoint| {
                if at == point {
                    count.fetch_add(1, Ordering::SeqCst);
                    std::panic::panic_any("told to panic");
                }
            };
            let plugin = Hooked::new()
                .shape(move |_, call| {
                    fails(&shaped, shape_point(call));
                    Shape::Keep
                })
                .observe(move |_, what| fails(&observed, observe_point(what)));
            let o = with_plugins(
                |c| c.hooks.faults_max = max,
                vec![(manifest("bad", hooks), plugin)],
            )
            .await;
            o.register_agent(worker("w", &["x"], echo())).await.unwrap();
            for _ in 0..8 {
                assert!(o.execute(task("x").payload(1)).await.unwrap().is_success());
            }
            let status = o.status();
            let plugin = &status.plugins[0];
            if max == 0 {
                assert_eq!(calls.load(Ordering::SeqCst), 8, "0 never switches off");
                assert!(plugin.switched_off.is_empty());
                continue;
            }
            assert_eq!(calls.load(Ordering::SeqCst), 3);
            assert_eq!(plugin.switched_off, [(stage, point)], "only that hook");
            assert!(plugin.enabled);
            assert_eq!(status.health_status, HealthStatus::Degraded);
            assert!(status.health_issues[0].contains("switched off"));
            o.enable_plugin("bad").unwrap();
            assert!(o.plugins()[0].switched_off.is_empty());
            assert!(o.execute(task("x").payload(1)).await.unwrap().is_success());
            assert_eq!(calls.load(Ordering::SeqCst), 4, "switched on again");
        }
    }
}
