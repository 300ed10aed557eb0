//! Defects in how plugins took part: D1 to D6, D8 and D9.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use universal_orchestrator::plugin::{GuardCall, HookPoint, HookSet, Observed, Shape, Verdict};
use universal_orchestrator::{Refusal, RegisterRefusal, ReportError, TaskPatch};

use crate::common::*;

/// The original fired five hook names and its plugins implemented two others, so no plugin ever took part in anything.
#[tokio::test(start_paused = true)]
async fn d1_hooks_that_a_plugin_declares_are_the_hooks_that_fire() {
    let log = Log::default();
    let o = with_plugins(
        |_| {},
        vec![(manifest("p", all_hooks()), Hooked::logging(&log, "p"))],
    )
    .await;
    o.register_agent(external("a", &["x"])).await.unwrap();
    let d = o.delegate_task(task("x")).await.unwrap();
    o.complete_task(&d, 1).await.unwrap();
    let seen: BTreeSet<String> = log.take().into_iter().collect();
    for point in ["register", "delegate", "complete"] {
        assert!(seen.contains(&format!("observe {point} p")), "{seen:?}");
    }
    for hook in ["guard register p", "guard delegate p", "shape submit p"] {
        assert!(seen.contains(hook), "{seen:?}");
    }
}

/// The original called `health_check({})` and `cleanup({})` on methods without an argument: a TypeError for each plugin and period, or else a plugin torn down every five minutes.
#[tokio::test(start_paused = true)]
async fn d2_periodic_hooks_are_called_rightly_and_tear_nothing_down() {
    let log = Log::default();
    let hooks = HookSet::none()
        .observe(HookPoint::Health)
        .observe(HookPoint::Tick);
    let o = with_plugins(
        |c| {
            c.health_check_interval_ms = 30_000;
            c.tick_interval_ms = 60_000;
        },
        vec![(
            manifest("p", hooks),
            Hooked::logging(&log, "p").on_stop(&log, "p", ms(0)),
        )],
    )
    .await;
    tokio::time::sleep(secs(601)).await;
    let lines = log.take();
    let count = |line: &str| lines.iter().filter(|l| *l == line).count();
    assert_eq!(count("observe health p"), 20);
    assert_eq!(count("observe tick p"), 10);
    assert_eq!(count("stop p"), 0, "a clean-up is not the end of a plugin");
    assert_eq!(o.plugins()[0].faults, 0);
}

/// The original's `post_task_execution(ctx, result)` could not be invoked by `execute_hooks(name, ctx)`, and `complete_task` discarded the result.
#[tokio::test(start_paused = true)]
async fn d3_the_result_reaches_observers_and_is_kept() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let results = Arc::clone(&seen);
    let plugin = Hooked::new().observe(move |_, what| {
        if let Observed::Completed { outcome, .. } = what {
            results.lock().push(outcome.result().clone());
        }
    });
    let o = with_plugins(
        |_| {},
        vec![(
            manifest("p", HookSet::none().observe(HookPoint::Complete)),
            plugin,
        )],
    )
    .await;
    o.register_agent(external("a", &["x"])).await.unwrap();
    let d = o.delegate_task(task("x")).await.unwrap();
    o.complete_task(&d, json!({"answer": 42})).await.unwrap();
    assert_eq!(*seen.lock(), [json!({"answer": 42})]);
    let outcome = o.wait_task(d.task()).await.unwrap();
    assert_eq!(outcome.result(), &json!({"answer": 42}));
}

/// In the original an exception in a registration hook kept the agent although it answered `False`, and five of them opened a breaker for everybody.
#[tokio::test(start_paused = true)]
async fn d4_a_refused_registration_keeps_nothing_and_opens_no_breaker() {
    let plugin = Hooked::new().guard(|_, call| match call {
        GuardCall::Register { agent, .. } if agent.id().is_some_and(|i| i.as_str() == "bad") => {
            std::panic::panic_any("told to panic")
        }
        _ => Verdict::Allow,
    });
    let o = with_plugins(
        |c| {
            c.breaker.enabled = true;
            c.breaker.minimum_calls = 1;
        },
        vec![(
            manifest("p", HookSet::none().guard(HookPoint::Register)),
            plugin,
        )],
    )
    .await;
    for _ in 0..10 {
        let refused = o.register_agent(external("bad", &["x"])).await.unwrap_err();
        assert!(matches!(refused.reason(), RegisterRefusal::Vetoed(_)));
    }
    let status = o.status();
    assert_eq!((status.agents.total, status.capabilities_total), (0, 0));
    assert!(status.circuit_breakers.is_empty());
    o.register_agent(external("good", &["x"])).await.unwrap();
    assert_eq!(
        o.delegate_task(task("x")).await.unwrap().agent().as_str(),
        "good"
    );
}

/// In the original a delegation hook that raised left its agent busy and its task active for ever.
#[tokio::test(start_paused = true)]
async fn d5_a_veto_or_panic_before_the_delegation_frees_the_agent() {
    for panics in [false, true] {
        let plugin = Hooked::new().guard(move |_, _| {
            if panics {
                std::panic::panic_any("told to panic");
            }
            Verdict::veto("no", "no")
        });
        let o = with_plugins(
            |_| {},
            vec![(
                manifest("p", HookSet::none().guard(HookPoint::Delegate)),
                plugin,
            )],
        )
        .await;
        o.register_agent(external("a", &["x"])).await.unwrap();
        for _ in 0..3 {
            let refused = o.delegate_task(task("x").id("t")).await.unwrap_err();
            assert!(matches!(refused.reason(), Refusal::Vetoed(_)), "{refused}");
        }
        let status = o.status();
        assert_eq!((status.agents.busy, status.tasks.active), (0, 0));
        assert_eq!(o.agent(&aid("a")).unwrap().in_flight, 0);
        o.disable_plugin("p").unwrap();
        o.delegate_task(task("x").id("t")).await.unwrap();
    }
}

/// In the original a completion hook that raised left the task active, and each repeated call counted one more completion.
#[tokio::test(start_paused = true)]
async fn d6_a_failing_completion_hook_counts_the_completion_once() {
    let plugin = Hooked::new().observe(|_, _| std::panic::panic_any("told to panic"));
    let o = with_plugins(
        |_| {},
        vec![(
            manifest("p", HookSet::none().observe(HookPoint::Complete)),
            plugin,
        )],
    )
    .await;
    o.register_agent(external("a", &["x"])).await.unwrap();
    let d = o.delegate_task(task("x")).await.unwrap();
    o.complete_task(&d, 1).await.unwrap();
    let again = o.complete_task(&d, 2).await.unwrap_err();
    assert!(matches!(again, ReportError::AlreadyOver { .. }), "{again}");
    let status = o.status();
    assert_eq!((status.tasks.completed_total, status.tasks.active), (1, 0));
    assert_eq!(o.agent(&aid("a")).unwrap().completed, 1);
    assert_eq!(
        o.wait_task(d.task()).await.unwrap().result(),
        &json!(1),
        "the first report stands"
    );
}

/// The original had no isolation, time limit, order or priority among plugins, and the value that each returned replaced the context for the next.
#[tokio::test(start_paused = true)]
async fn d8_plugins_are_isolated_limited_in_time_and_ordered() {
    let log = Log::default();
    let shape = |name: &'static str, what: u8| {
        let log = log.clone();
        Hooked::new().shape(move |_, call| {
            log.push(name);
            let universal_orchestrator::plugin::ShapeCall::Submit { task } = call else {
                return Shape::Keep;
            };
            let before = task.task().payload_value().to_string();
            match what {
                0 => std::panic::panic_any("told to panic"),
                1 => Shape::later(std::future::pending()),
                _ => Shape::patch(TaskPatch {
                    payload: Some(json!(format!("{before}{name}"))),
                    ..TaskPatch::default()
                }),
            }
        })
    };
    let hooks = HookSet::none().shape(HookPoint::Submit);
    let o = with_plugins(
        |_| {},
        vec![
            (manifest("d", hooks), shape("d", 2)),
            (manifest("c", hooks), shape("c", 1)),
            (manifest("b", hooks), shape("b", 0)),
            (manifest("a", hooks), shape("a", 2)),
        ],
    )
    .await;
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    let begun = tokio::time::Instant::now();
    let outcome = o.execute(task("x").payload(0)).await.unwrap();
    assert_eq!(log.lines(), ["a", "b", "c", "d"]);
    assert_eq!(
        outcome.result(),
        &json!("\"0a\"d"),
        "b and c changed nothing"
    );
    assert_eq!(
        begun.elapsed(),
        ms(100),
        "c had hooks.timeout_ms and no more"
    );
    let faults: Vec<u64> = o.plugins().iter().map(|p| p.faults).collect();
    assert_eq!(faults, [0, 1, 1, 0]);
}

/// The original's plugin manager was a global of the process: two orchestrators registered each plugin twice and shared it.
#[tokio::test(start_paused = true)]
async fn d9_two_orchestrators_in_a_process_share_nothing() {
    struct Shared(u32);
    let log = Log::default();
    let start = |name: &'static str, number: u32| {
        let hooks = Hooked::logging(&log, name).on_start(move |context| {
            context.services.offer(Arc::new(Shared(number)));
            Ok(())
        });
        let observed = HookSet::none().observe(HookPoint::Register);
        with_plugins(|_| {}, vec![(manifest("p", observed), hooks)])
    };
    let (one, two) = (start("one", 1).await, start("two", 2).await);
    one.register_agent(external("a", &["x"])).await.unwrap();
    assert_eq!(log.take(), ["observe register one"]);
    two.register_agent(external("a", &["x"])).await.unwrap();
    assert_eq!(log.take(), ["observe register two"]);
    assert_eq!(one.service::<Shared>().unwrap().0, 1);
    assert_eq!(two.service::<Shared>().unwrap().0, 2);
    one.disable_plugin("p").unwrap();
    assert!(two.plugins()[0].enabled);
    one.shutdown().await;
    two.delegate_task(task("x")).await.unwrap();
    assert_ne!(one.status().orchestrator_id, two.status().orchestrator_id);
}
