//! Every hook fires in a real flow, in the documented order; what it answers takes effect; what it does wrong does no harm.

#![expect(clippy::panic, reason = "plugins that panic are what is tested")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test is not the orchestrator: it spawns what calls it"
)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::*;
use serde_json::json;
use universal_orchestrator::plugin::{
    Control, ControlError, GuardCall, HookFault, HookPoint, HookSet, LinkError, Observed,
    PluginError, PluginHealth, PluginManifest, Shape, Stage, Verdict,
};
use universal_orchestrator::{
    AccountId, AgentError, Amount, Availability, FailureKind, HealthStatus, Limits, Priority,
    Refusal, RegisterRefusal, RetryPolicy, RunId, StartError, Task, TaskContext, TaskFailure,
    TaskPatch, TaskState, UniversalOrchestrator, Veto, agent_fn,
};

const SHAPED: [HookPoint; 3] = [HookPoint::Submit, HookPoint::Delegate, HookPoint::Start];

/// The lines that three logging plugins write for each named hook; `a` comes after `c`, so the order is b, c, a.
fn lines(hooks: &[&str]) -> Vec<String> {
    hooks
        .iter()
        .flat_map(|hook| ["b", "c", "a"].map(|name| format!("{hook} {name}")))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_hook_fires_in_order_of_stage_after_and_name() {
    let log = Log::default();
    let o = with_plugins(
        |_| {},
        vec![
            (
                manifest("a", all_hooks()).after(&["c"]),
                Hooked::logging(&log, "a"),
            ),
            (manifest("c", all_hooks()), Hooked::logging(&log, "c")),
            (manifest("b", all_hooks()), Hooked::logging(&log, "b")),
        ],
    )
    .await;
    let mut seen = BTreeSet::new();
    let mut expect = |what: &str, hooks: &[&str]| {
        assert_eq!(log.lines(), lines(hooks), "{what}");
        seen.extend(
            log.take()
                .into_iter()
                .filter_map(|line| line.strip_suffix(" a").map(str::to_owned)),
        );
    };
    const IN: [&str; 4] = [
        "shape submit",
        "guard submit",
        "shape delegate",
        "guard delegate",
    ];
    const RUN: [&str; 3] = ["shape start", "guard start", "observe start"];

    o.register_agent(worker("w", &["x"], flaky()))
        .await
        .unwrap();
    o.register_agent(external("e", &["y"])).await.unwrap();
    expect(
        "register",
        &[
            "guard register",
            "observe register",
            "guard register",
            "observe register",
        ],
    );
    let d = o.delegate_task(task("y")).await.unwrap();
    expect(
        "delegate_task",
        &[&IN[..], &["observe submit", "observe delegate"]].concat(),
    );
    o.start_task(&d).await.unwrap();
    o.complete_task(&d, 1).await.unwrap();
    expect(
        "start and complete",
        &[&RUN[..], &["observe complete"]].concat(),
    );
    let queued = [
        "shape submit",
        "guard submit",
        "observe submit",
        "shape delegate",
        "guard delegate",
        "observe delegate",
    ];
    let whole = [&queued[..], &RUN[..], &["observe complete"]].concat();
    drop(
        o.submit_task(task("x").payload(0))
            .await
            .unwrap()
            .outcome()
            .await
            .unwrap(),
    );
    expect("submit_task in process", &whole);
    drop(o.execute(task("x").payload(0)).await.unwrap());
    expect("execute", &whole);
    o.submit_task(task("y")).await.unwrap();
    let pulled = o.next_task(&aid("e"), ms(0)).await.unwrap().unwrap();
    o.complete_task(pulled.delegation(), 1).await.unwrap();
    expect("next_task", &whole);
    let d = o.delegate_task(task("x").payload(0)).await.unwrap();
    drop(o.wait_task(d.task()).await.unwrap());
    expect(
        "delegate_task in process",
        &[
            &IN[..],
            &["observe submit", "observe delegate"],
            &RUN[..],
            &["observe complete"],
        ]
        .concat(),
    );
    let outcome = o
        .execute(task("x").payload(9).retry(RetryPolicy::immediate(2)))
        .await
        .unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Retryable));
    expect(
        "retry and fail",
        &[
            &queued[..],
            &RUN[..],
            &["guard retry", "observe retry"],
            &queued[3..],
            &RUN[..],
            &["observe fail"],
        ]
        .concat(),
    );
    let handle = o.submit_task(task("y")).await.unwrap();
    assert!(handle.cancel());
    expect("cancel", &[&queued[..3], &["observe cancel"]].concat());
    o.deregister_agent(&aid("e")).await.unwrap();
    expect("deregister", &["observe deregister"]);
    tokio::time::sleep(ms(1_001)).await;
    expect("tick", &["observe tick"]);
    tokio::time::sleep(secs(30)).await;
    let taken = log.take();
    assert_eq!(taken.iter().filter(|l| *l == "observe health a").count(), 1);
    seen.insert("observe health".to_owned());
    o.shutdown().await;
    let last = log.take();
    assert_eq!(last, lines(&["observe shutdown"]));
    seen.insert("observe shutdown".to_owned());
    let all: BTreeSet<String> = all_hooks().iter().map(|(s, p)| hook_name(s, p)).collect();
    assert_eq!(seen, all, "every hook of the mask has fired");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_is_not_declared_is_not_called() {
    let log = Log::default();
    let hooks = HookSet::none().observe(HookPoint::Complete);
    let o = with_plugins(
        |_| {},
        vec![(manifest("p", hooks), Hooked::logging(&log, "p"))],
    )
    .await;
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    drop(o.execute(task("x").payload(1)).await.unwrap());
    assert_eq!(log.lines(), ["observe complete p"]);
}

#[tokio::test(start_paused = true)]
async fn shapes_reach_the_agent_at_submit_delegate_and_start_and_nobody_else_sees_them_early() {
    for later in [false, true] {
        for point in SHAPED {
            let plugin = Hooked::new().shape(move |_, call| {
                assert_eq!(shape_point(call), point);
                let patch = TaskPatch {
                    payload: Some(json!(point_name(point))),
                    metadata: vec![("by".to_owned(), point_name(point))],
                    ..TaskPatch::default()
                };
                if later {
                    return Shape::later(async move {
                        tokio::time::sleep(ms(5)).await;
                        Ok(patch)
                    });
                }
                Shape::patch(patch)
            });
            let o = with_plugins(
                |_| {},
                vec![(manifest("p", HookSet::none().shape(point)), plugin)],
            )
            .await;
            let agent = agent_fn(|text: String, context: TaskContext| async move {
                let by = context.task().metadata_value("by").map(str::to_owned);
                Ok::<_, AgentError>(json!([text, by]))
            });
            o.register_agent(worker("w", &["x"], agent)).await.unwrap();
            o.register_agent(external("e", &["y"])).await.unwrap();
            let expected = json!([point_name(point), point_name(point)]);
            let task_x = || task("x").payload("as given");
            let outcome = o.execute(task_x()).await.unwrap();
            assert_eq!(outcome.result(), &expected, "execute, {point:?}, {later}");
            let handle = o.submit_task(task_x()).await.unwrap();
            assert_eq!(handle.outcome().await.unwrap().result(), &expected);
            let d = o.delegate_task(task_x()).await.unwrap();
            assert_eq!(o.wait_task(d.task()).await.unwrap().result(), &expected);
            o.submit_task(task("y").payload("as given")).await.unwrap();
            let pulled = o.next_task(&aid("e"), ms(0)).await.unwrap().unwrap();
            assert_eq!(pulled.payload(), &json!(point_name(point)), "next_task");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bounds_are_checked_again_after_a_shape() {
    for point in SHAPED {
        for what in ["payload", "depth", "metadata"] {
            let plugin = Hooked::new().shape(move |_, _| {
                Shape::patch(match what {
                    "payload" => TaskPatch {
                        payload: Some(json!("x".repeat(200))),
                        ..TaskPatch::default()
                    },
                    "depth" => TaskPatch {
                        payload: Some(json!([[[[]]]])),
                        ..TaskPatch::default()
                    },
                    _ => TaskPatch {
                        metadata: (0..33).map(|n| (n.to_string(), String::new())).collect(),
                        ..TaskPatch::default()
                    },
                })
            });
            let o = with_plugins(
                |c| {
                    c.tasks.payload_bytes_max = 100;
                    c.tasks.payload_depth_max = 3;
                },
                vec![(manifest("p", HookSet::none().shape(point)), plugin)],
            )
            .await;
            let ran = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&ran);
            let agent = agent_fn(move |_: serde_json::Value, _: TaskContext| {
                flag.store(true, Ordering::SeqCst);
                async { Ok::<_, AgentError>(1) }
            });
            o.register_agent(worker("w", &["x"], agent)).await.unwrap();
            let result = o.execute(task("x").payload(1)).await;
            if point == HookPoint::Submit {
                let refused = result.unwrap_err();
                assert!(
                    matches!(refused.reason(), Refusal::Invalid(_)),
                    "{what}: {refused}"
                );
                assert_eq!(refused.task().payload_value(), &json!(1));
            } else {
                let outcome = result.unwrap();
                assert_eq!(outcome.state(), TaskState::Rejected, "{point:?} {what}");
            }
            assert!(
                !ran.load(Ordering::SeqCst),
                "{point:?} {what}: the agent ran"
            );
            assert_eq!(o.status().agents.busy, 0);
            check_conservation(&o);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_a_shape_brings_nearer_holds_at_every_point() {
    for point in SHAPED {
        let plugin = Hooked::new().shape(|_, _| {
            Shape::patch(TaskPatch {
                deadline_in: Some(secs(5)),
                ..TaskPatch::default()
            })
        });
        let o = with_plugins(
            |_| {},
            vec![(manifest("p", HookSet::none().shape(point)), plugin)],
        )
        .await;
        o.register_agent(worker("w", &["x"], stuck()))
            .await
            .unwrap();
        let begun = tokio::time::Instant::now();
        let outcome = o.execute(task("x").deadline_in(secs(600))).await.unwrap();
        assert_eq!(
            (outcome.failure_kind(), begun.elapsed()),
            (Some(FailureKind::DeadlineExceeded), secs(5)),
            "{point:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn shapes_change_priority_retry_timeout_and_affinity() {
    let plugin = Hooked::new().shape(|_, _| {
        Shape::patch(TaskPatch {
            priority: Some(Priority::Critical),
            retry: Some(RetryPolicy::immediate(4)),
            attempt_timeout: Some(secs(7)),
            ..TaskPatch::default()
        })
    });
    let o = with_plugins(
        |_| {},
        vec![(
            manifest("p", HookSet::none().shape(HookPoint::Submit)),
            plugin,
        )],
    )
    .await;
    o.register_agent(worker("w", &["x"], flaky()))
        .await
        .unwrap();
    o.register_agent(worker("s", &["s"], stuck()))
        .await
        .unwrap();
    let outcome = o
        .execute(task("x").payload(9).retry(RetryPolicy::never()))
        .await
        .unwrap();
    assert_eq!(outcome.attempts(), 4);
    let handle = o.submit_task(task("s")).await.unwrap();
    assert_eq!(handle.view().unwrap().priority, Priority::Critical);
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::AttemptTimeout));
    assert_eq!(outcome.run_time(), secs(7));
}

fn guarding(point: HookPoint, verdict: fn() -> Verdict) -> (PluginManifest, Hooked) {
    (
        manifest("bouncer", HookSet::none().guard(point)),
        Hooked::new().guard(move |_, _| verdict()),
    )
}

fn no() -> Verdict {
    Verdict::veto("not_today", "come back tomorrow")
}

fn assert_is_the_veto(veto: &Veto) {
    assert_eq!(
        (&*veto.plugin, &*veto.code, veto.text.as_str()),
        ("bouncer", "not_today", "come back tomorrow")
    );
}

const VETO_TEXT: &str = "plugin bouncer refused (not_today): come back tomorrow";

#[tokio::test(start_paused = true)]
async fn a_veto_at_register_leaves_no_agent() {
    let o = with_plugins(|_| {}, vec![guarding(HookPoint::Register, no)]).await;
    let refused = o
        .register_agent(external("a", &["x"]).metadata(json!({"n": 1})))
        .await
        .unwrap_err();
    let RegisterRefusal::Vetoed(veto) = refused.reason() else {
        unreachable!("{refused}")
    };
    assert_is_the_veto(veto);
    assert_eq!(refused.into_spec().metadata_value(), &json!({"n": 1}));
    let status = o.status();
    assert_eq!((status.agents.total, status.capabilities_total), (0, 0));
    assert!(o.agent(&aid("a")).is_none());
    o.disable_plugin("bouncer").unwrap();
    o.register_agent(external("a", &["x"])).await.unwrap();
}

/// A run with room for exactly one call of 5 tokens.
async fn with_run(o: &UniversalOrchestrator) -> AccountId {
    let run = RunId::new("r").expect("a run id");
    o.open_run(&run, Limits::unlimited().with_tokens(5).with_calls(1))
        .expect("a new run");
    AccountId::Run(run)
}

fn paid(capability: &str) -> Task {
    task(capability)
        .id("t")
        .run("r")
        .estimate(Amount::tokens(5))
        .payload("given")
}

fn assert_nothing_was_spent(o: &UniversalOrchestrator, run: &AccountId, what: &str) {
    let account = o.account(run).expect("the run is open");
    assert!(account.spent.is_zero(), "{what}: {:?}", account.spent);
    assert!(account.reserved.is_zero(), "{what}: {:?}", account.reserved);
}

#[tokio::test(start_paused = true)]
async fn a_veto_at_a_door_leaves_nothing_and_hands_the_task_back() {
    for point in [HookPoint::Submit, HookPoint::Delegate] {
        for door in ["delegate", "submit", "execute"] {
            if point == HookPoint::Delegate && door != "delegate" {
                continue;
            }
            let o = with_plugins(|_| {}, vec![guarding(point, no)]).await;
            let run = with_run(&o).await;
            o.register_agent(external("e", &["x"])).await.unwrap();
            let refused = match door {
                "delegate" => o.delegate_task(paid("x")).await.unwrap_err(),
                "submit" => o.submit_task(paid("x")).await.unwrap_err(),
                _ => o.execute(paid("x")).await.unwrap_err(),
            };
            let Refusal::Vetoed(veto) = refused.reason() else {
                unreachable!("{refused}")
            };
            assert_is_the_veto(veto);
            assert_eq!(refused.task().payload_value(), &json!("given"));
            assert_nothing_was_spent(&o, &run, door);
            let status = o.status();
            assert_eq!((status.tasks.accepted, status.tasks.refused), (0, 1));
            assert_eq!(status.agents.busy, 0);
            assert!(o.task(&tid("t")).is_none());
            assert_eq!(status.plugins[0].vetoes, 1);
            o.disable_plugin("bouncer").unwrap();
            // Slot, id and budget are free: the same task goes through.
            o.delegate_task(refused.into_task()).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_veto_after_acceptance_rejects_the_task_and_frees_slot_and_budget() {
    for point in [HookPoint::Delegate, HookPoint::Start] {
        let o = with_plugins(|_| {}, vec![guarding(point, no)]).await;
        let run = with_run(&o).await;
        o.register_agent(worker("w", &["x"], echo())).await.unwrap();
        o.register_agent(external("e", &["y"])).await.unwrap();
        let outcome = o.execute(paid("x")).await.unwrap();
        assert_eq!(outcome.state(), TaskState::Rejected);
        assert_eq!(outcome.failure_kind(), Some(FailureKind::Vetoed));
        assert_eq!(outcome.failure().unwrap().message(), VETO_TEXT);
        assert_nothing_was_spent(&o, &run, "execute");
        let handle = o.submit_task(task("y").id("u")).await.unwrap();
        assert!(o.next_task(&aid("e"), ms(10)).await.unwrap().is_none());
        let outcome = handle.outcome().await.unwrap();
        assert_eq!(outcome.failure_kind(), Some(FailureKind::Vetoed));
        let status = o.status();
        assert_eq!((status.tasks.rejected, status.tasks.active), (2, 0));
        assert_eq!((status.agents.busy, status.agents.zombies), (0, 0));
        o.disable_plugin("bouncer").unwrap();
        let outcome = o.execute(task("x").payload(3)).await.unwrap();
        assert_eq!(outcome.result(), &json!(3), "the slot is free");
    }
    let o = with_plugins(|_| {}, vec![guarding(HookPoint::Start, no)]).await;
    o.register_agent(external("e", &["y"])).await.unwrap();
    let d = o.delegate_task(task("y")).await.unwrap();
    assert!(o.start_task(&d).await.is_err(), "the agent must not begin");
    let outcome = o.wait_task(d.task()).await.unwrap();
    assert_eq!(outcome.state(), TaskState::Rejected);
    assert!(o.complete_task(&d, 1).await.is_err());
    assert_eq!(o.status().agents.busy, 0);
}

#[tokio::test(start_paused = true)]
async fn a_veto_at_retry_ends_the_task_after_its_attempt() {
    let o = with_plugins(|_| {}, vec![guarding(HookPoint::Retry, no)]).await;
    o.register_agent(worker("w", &["x"], flaky()))
        .await
        .unwrap();
    let outcome = o.execute(task("x").payload(1)).await.unwrap();
    assert_eq!(
        (outcome.state(), outcome.attempts()),
        (TaskState::Failed, 1)
    );
    let failure = outcome.failure().unwrap();
    let text = format!("not yet; not tried again: {VETO_TEXT}");
    assert_eq!(failure.message(), text);
    let status = o.status();
    assert_eq!((status.tasks.retries, status.agents.busy), (0, 0));
    assert_eq!(status.tasks.dead_letters, 1);
    assert!(o.execute(task("x").payload(0)).await.unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn a_task_refused_after_a_shape_comes_back_as_it_was_given() {
    let plugin = Hooked::new().shape(|_, call| {
        let universal_orchestrator::plugin::ShapeCall::Submit { task } = call else {
            return Shape::Keep;
        };
        let text = task.task().payload_value().to_string();
        Shape::patch(TaskPatch {
            payload: Some(json!(format!("<{text}>"))),
            ..TaskPatch::default()
        })
    });
    let o = with_plugins(
        |c| c.queue.max_tasks = 1,
        vec![(
            manifest("p", HookSet::none().shape(HookPoint::Submit)),
            plugin,
        )],
    )
    .await;
    o.register_agent(external("e", &["x"])).await.unwrap();
    let d = o.delegate_task(task("x").payload(1)).await.unwrap();
    let busy = o.delegate_task(task("x").payload(2)).await.unwrap_err();
    assert_eq!(busy.task().payload_value(), &json!(2), "delegate_task");
    let first = o.submit_task(task("x").payload(3)).await.unwrap();
    let full = o.submit_task(task("x").payload(4)).await.unwrap_err();
    assert_eq!(full.task().payload_value(), &json!(4), "submit_task");
    let full = o.execute(task("x").payload(4)).await.unwrap_err();
    assert_eq!(full.task().payload_value(), &json!(4), "execute");
    let waiting = tokio::spawn({
        let o = o.clone();
        async move { o.submit_task_wait(task("x").payload(5)).await.map(|_| ()) }
    });
    settle().await;
    first.cancel();
    waiting.await.unwrap().unwrap();
    o.complete_task(&d, 0).await.unwrap();
    let pulled = o.next_task(&aid("e"), ms(0)).await.unwrap().unwrap();
    assert_eq!(
        pulled.payload(),
        &json!("<5>"),
        "shaped once, not at each try"
    );
}

#[tokio::test(start_paused = true)]
async fn a_guard_may_answer_later_and_the_limit_holds() {
    for (takes, allowed) in [(90, true), (110, false)] {
        for point in [
            HookPoint::Register,
            HookPoint::Submit,
            HookPoint::Delegate,
            HookPoint::Start,
            HookPoint::Retry,
        ] {
            let plugin = Hooked::new().guard(move |_, _| {
                Verdict::later(async move {
                    tokio::time::sleep(ms(takes)).await;
                    Ok(())
                })
            });
            let o = with_plugins(
                |c| c.retry.base_delay_ms = 0,
                vec![(manifest("slow", HookSet::none().guard(point)), plugin)],
            )
            .await;
            let registered = o.register_agent(worker("w", &["x"], flaky())).await;
            if point == HookPoint::Register {
                assert_eq!(registered.is_ok(), allowed);
                continue;
            }
            registered.unwrap();
            let result = o.execute(task("x").payload(1)).await;
            let succeeded = matches!(&result, Ok(outcome) if outcome.is_success());
            assert_eq!(succeeded, allowed, "{point:?}");
            if !allowed {
                let text = match result {
                    Ok(outcome) => outcome.failure().unwrap().to_string(),
                    Err(refused) => refused.to_string(),
                };
                assert!(text.contains("guard_failed"), "{point:?}: {text}");
                assert!(text.contains("hooks.timeout_ms"), "{point:?}: {text}");
                assert_eq!(o.plugins()[0].faults, 1);
            }
            assert_eq!(o.status().agents.busy, 0);
            check_conservation(&o);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_answers_too_late_without_waiting_refuses_too() {
    let plugin = Hooked::new().guard(|_, _| {
        std::thread::sleep(ms(30));
        Verdict::Allow
    });
    let o = with_plugins(
        |c| c.hooks.timeout_ms = 5,
        vec![(
            manifest("spins", HookSet::none().guard(HookPoint::Submit)),
            plugin,
        )],
    )
    .await;
    o.register_agent(external("e", &["x"])).await.unwrap();
    let refused = o.submit_task(task("x")).await.unwrap_err();
    assert!(refused.to_string().contains("guard_failed"), "{refused}");
    assert_eq!(o.status().tasks.accepted, 0);
}

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

#[tokio::test(start_paused = true)]
async fn plugins_are_reconfigured_at_run_time_or_stay_as_they_are() {
    let log = Log::default();
    let o = with_plugins(
        |_| {},
        vec![
            (
                manifest("yes", HookSet::none()),
                Hooked::new().on_reconfigure(&log),
            ),
            (manifest("no", HookSet::none()), Hooked::new()),
        ],
    )
    .await;
    o.reconfigure_plugin("yes", "limit = 5").unwrap();
    assert_eq!(log.take(), ["{\"limit\": 5}"]);
    for bad in ["limit = \"five\"", "limit ="] {
        let error = o.reconfigure_plugin("yes", bad).unwrap_err();
        assert!(error.to_string().contains("[plugins.yes]"), "{error}");
    }
    assert!(log.take().is_empty());
    assert!(matches!(
        o.reconfigure_plugin("no", "").unwrap_err(),
        PluginError::NotReconfigurable
    ));
}

trait Greeter: Send + Sync {
    fn greet(&self) -> String;
}

struct English;

impl Greeter for English {
    fn greet(&self) -> String {
        "hello".to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_is_seen_by_later_plugins_agents_and_users_by_its_type() {
    let log = Log::default();
    let seen = log.clone();
    let o = with_plugins(
        |_| {},
        vec![
            (
                manifest("z_offers", HookSet::none()),
                Hooked::new().on_start(|context| {
                    assert!(context.section.is_empty());
                    context.services.offer::<dyn Greeter>(Arc::new(English));
                    Ok(())
                }),
            ),
            (
                manifest("a_uses", HookSet::none()).after(&["z_offers"]),
                Hooked::new().on_start(move |context| {
                    let greeter = context.services.get::<dyn Greeter>();
                    seen.push(greeter.map_or_else(String::new, |g| g.greet()));
                    Ok(())
                }),
            ),
        ],
    )
    .await;
    assert_eq!(log.take(), ["hello"]);
    assert_eq!(o.service::<dyn Greeter>().unwrap().greet(), "hello");
    assert!(
        o.service::<English>().is_none(),
        "by the type it was offered under"
    );
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        let greeter = context.service::<dyn Greeter>();
        Ok::<_, AgentError>(greeter.map(|g| g.greet()))
    });
    o.register_agent(worker("w", &["x"], agent)).await.unwrap();
    let outcome = o.execute(task("x")).await.unwrap();
    assert_eq!(outcome.result(), &json!("hello"));
}

/// Sends commands from an observe hook of `register` of the agent `trigger`.
fn commanding(send: impl Fn(&Control) + Send + Sync + 'static) -> (PluginManifest, Hooked) {
    let plugin = Hooked::new().observe(move |context, what| {
        if let Observed::Registered { agent } = what
            && agent.as_str() == "trigger"
        {
            send(context.control);
        }
    });
    (
        manifest("boss", HookSet::none().observe(HookPoint::Register)),
        plugin,
    )
}

#[tokio::test(start_paused = true)]
async fn commands_run_after_the_commit() {
    type Send = fn(&Control) -> Result<(), ControlError>;
    let cases: [(Send, Availability); 4] = [
        (|c| c.sleep(&aid("trigger")), Availability::Sleeping),
        (|c| c.drain(&aid("trigger")), Availability::Draining),
        (
            |c| c.quarantine(&aid("trigger"), "odd"),
            Availability::Quarantined,
        ),
        (
            |c| {
                c.sleep(&aid("trigger"))?;
                c.quarantine(&aid("trigger"), "odd")?;
                c.release(&aid("trigger"))?;
                c.wake(&aid("trigger"))
            },
            Availability::Available,
        ),
    ];
    for (send, expected) in cases {
        let seen = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&seen);
        let o = with_plugins(
            |_| {},
            vec![commanding(move |control| {
                send(control).expect("there is room");
                let view = control.agent(&aid("trigger")).expect("it was committed");
                flag.store(
                    view.availability == Availability::Available,
                    Ordering::SeqCst,
                );
            })],
        )
        .await;
        o.register_agent(external("trigger", &[])).await.unwrap();
        assert!(
            seen.load(Ordering::SeqCst),
            "nothing happens inside of the hook"
        );
        settle().await;
        let view = o.agent(&aid("trigger")).unwrap();
        assert_eq!(view.availability, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn commands_submit_cancel_and_notify() {
    let o = with_plugins(
        |_| {},
        vec![commanding(|control| {
            let principal = control
                .task(&tid("live"))
                .expect("it was submitted before")
                .principal;
            let given = task("x").id("given").payload(7);
            control.submit(given, &principal).expect("room");
            control.cancel(&tid("live")).expect("room");
            control.notify("boss", "look here").expect("room");
            assert_eq!(control.status().expect("alive").agents.total, 2);
        })],
    )
    .await;
    o.register_agent(external("e", &["x"])).await.unwrap();
    let user = o.as_principal("ann").unwrap();
    let live = user.submit_task(task("x").id("live")).await.unwrap();
    let mut events = o.events();
    o.register_agent(external("trigger", &[])).await.unwrap();
    settle().await;
    assert_eq!(live.try_outcome().unwrap().state(), TaskState::Cancelled);
    let view = o.task(&tid("given")).unwrap().view().unwrap();
    assert_eq!(view.principal.as_str(), "ann");
    let alerts = o.status().alerts;
    assert_eq!(
        (alerts[0].source.as_str(), alerts[0].text.as_str()),
        ("boss", "look here")
    );
    let mut alerted = 0;
    while let Some(record) = events.try_next() {
        if let universal_orchestrator::Event::Alert { text, .. } = record.event {
            assert_eq!(&*text, "look here");
            alerted += 1;
        }
    }
    assert_eq!(alerted, 1);
}

#[tokio::test(start_paused = true)]
async fn the_queue_of_commands_is_bounded_and_ends_with_the_orchestrator() {
    let log = Log::default();
    let (seen, kept) = (log.clone(), Arc::new(parking_lot::Mutex::new(None)));
    let keep = Arc::clone(&kept);
    let o = with_plugins(
        |c| c.hooks.control_depth_max = 3,
        vec![commanding(move |control| {
            for n in 0..5 {
                let sent = control.notify("boss", n.to_string());
                seen.push(format!("{sent:?}"));
            }
            *keep.lock() = Some(control.clone());
        })],
    )
    .await;
    o.register_agent(external("trigger", &[])).await.unwrap();
    let full = "Err(Full)";
    assert_eq!(log.lines(), ["Ok(())", "Ok(())", "Ok(())", full, full]);
    settle().await;
    assert_eq!(o.status().alerts.len(), 3);
    let control = kept.lock().clone().unwrap();
    control.notify("boss", "room again").unwrap();
    o.shutdown().await;
    settle().await;
    let gone = control.notify("boss", "too late").unwrap_err();
    assert_eq!(gone, ControlError::ShutDown);
    drop(o);
    settle().await;
    assert!(control.status().is_none());
}

#[tokio::test(start_paused = true)]
async fn hooks_see_the_principal_and_the_wall_clock() {
    struct Noon;
    impl universal_orchestrator::WallClock for Noon {
        fn now(&self) -> std::time::SystemTime {
            std::time::SystemTime::UNIX_EPOCH + secs(43_200)
        }
    }
    let log = Log::default();
    let seen = log.clone();
    let plugin = Hooked::new().guard(move |context, call| {
        assert_eq!(
            context.wall_time,
            std::time::SystemTime::UNIX_EPOCH + secs(43_200)
        );
        let inside = match call {
            GuardCall::Register { principal, .. } => principal.as_str(),
            GuardCall::Submit { task } | GuardCall::Delegate { task, .. } => {
                task.principal().as_str()
            }
            _ => "",
        };
        seen.push(format!("{} {inside}", context.principal));
        Verdict::Allow
    });
    let hooks = HookSet::none()
        .guard(HookPoint::Register)
        .guard(HookPoint::Submit)
        .guard(HookPoint::Delegate);
    let o = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .wall_clock(Noon)
        .plugin(manifest("p", hooks), plugin)
        .start()
        .await
        .unwrap();
    o.as_principal("ann")
        .unwrap()
        .register_agent(external("e", &["x"]))
        .await
        .unwrap();
    o.delegate_task(task("x")).await.unwrap();
    assert_eq!(
        log.lines(),
        ["ann ann", "anonymous anonymous", "anonymous anonymous"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_hook_attaches_to_a_task_reaches_the_agent() {
    #[derive(PartialEq, Debug)]
    struct Badge(u32);
    let plugin = Hooked::new().guard(|_, call| {
        if let GuardCall::Submit { task } = call {
            task.extensions().insert(Badge(7));
        }
        Verdict::Allow
    });
    let o = with_plugins(
        |_| {},
        vec![(
            manifest("p", HookSet::none().guard(HookPoint::Submit)),
            plugin,
        )],
    )
    .await;
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        Ok::<_, AgentError>(context.extensions().get::<Badge>().map(|b| b.0))
    });
    o.register_agent(worker("w", &["x"], agent)).await.unwrap();
    let outcome = o.execute(task("x")).await.unwrap();
    assert_eq!(outcome.result(), &json!(7));
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_does_not_start_is_named_and_those_before_it_are_stopped() {
    for panics in [false, true] {
        let log = Log::default();
        let hooks = HookSet::none;
        let fails = Hooked::new().on_start(move |_| {
            if panics {
                std::panic::panic_any("told to panic");
            }
            Err(PluginError::failed("no licence"))
        });
        let error = UniversalOrchestrator::builder()
            .without_linked_plugins()
            .plugin(
                manifest("a", hooks()),
                Hooked::new().on_stop(&log, "a", ms(0)),
            )
            .plugin(
                manifest("b", hooks()),
                Hooked::new().on_stop(&log, "b", ms(0)),
            )
            .plugin(manifest("c", hooks()), fails.on_stop(&log, "c", ms(0)))
            .plugin(
                manifest("d", hooks()),
                Hooked::new().on_stop(&log, "d", ms(0)),
            )
            .start()
            .await
            .unwrap_err();
        let why = ["no licence", "panicked: told to panic"][usize::from(panics)];
        assert_eq!(
            error.to_string(),
            format!("plugin \"c\" did not start: {why}")
        );
        assert!(matches!(error, StartError::Plugin { name: "c", .. }));
        assert_eq!(log.lines(), ["stop b", "stop a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn plugins_stop_in_the_opposite_order_and_stuck_ones_are_reported() {
    let log = Log::default();
    let o = with_plugins(
        |_| {},
        vec![
            (
                manifest("a", HookSet::none()).after(&["b"]),
                Hooked::new().on_stop(&log, "a", ms(0)),
            ),
            (
                manifest("b", HookSet::none()),
                Hooked::new().on_stop(&log, "b", secs(3_600)),
            ),
            (
                manifest("c", HookSet::none()),
                Hooked::new().on_stop(&log, "c", ms(0)),
            ),
        ],
    )
    .await;
    let report = o.shutdown().await;
    assert_eq!(log.lines(), ["stop c", "stop a", "stop b"]);
    assert_eq!(report.stuck_plugins, ["b"]);
    assert_eq!(report.took, ms(100));
    assert!(o.shutdown().await.unfinished.is_empty());
    assert_eq!(log.lines().len(), 3, "a second call stops nothing again");
}

#[tokio::test(start_paused = true)]
async fn the_health_of_plugins_is_part_of_the_status() {
    let sick = PluginHealth::of(HealthStatus::Critical, "disk full");
    let o = with_plugins(
        |_| {},
        vec![(
            manifest("disk", HookSet::none()),
            Hooked::new().with_health(sick),
        )],
    )
    .await;
    let status = o.status();
    assert_eq!(status.health_status, HealthStatus::Critical);
    assert_eq!(status.critical_alerts, 1);
    assert_eq!(status.health_issues, ["plugin disk: disk full"]);
    o.disable_plugin("disk").unwrap();
    assert_eq!(o.status().health_status, HealthStatus::Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_guard_of_retry_is_told_the_failure_and_a_veto_of_it_is_no_dead_letter() {
    let log = Log::default();
    let seen = log.clone();
    let plugin = Hooked::new().guard(move |_, call| {
        if let GuardCall::Retry {
            failure, attempt, ..
        } = call
        {
            seen.push(format!("{attempt} {failure}"));
        }
        Verdict::Allow
    });
    let o = with_plugins(
        |_| {},
        vec![(
            manifest("p", HookSet::none().guard(HookPoint::Retry)),
            plugin,
        )],
    )
    .await;
    o.register_agent(external("e", &["x"])).await.unwrap();
    let d = o
        .delegate_task(task("x").retry(RetryPolicy::immediate(2)))
        .await
        .unwrap();
    o.fail_task(&d, TaskFailure::retryable("later"))
        .await
        .unwrap();
    settle().await;
    assert_eq!(log.lines(), ["1 retryable: later"]);
    let again = o.next_task(&aid("e"), ms(0)).await.unwrap().unwrap();
    assert_eq!(again.delegation().attempt(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_task_cancelled_while_its_guard_thinks_is_over_and_its_slot_free() {
    for point in [HookPoint::Delegate, HookPoint::Start, HookPoint::Retry] {
        let plugin = Hooked::new().guard(|_, _| {
            Verdict::later(async {
                tokio::time::sleep(ms(50)).await;
                Ok(())
            })
        });
        let o = with_plugins(
            |_| {},
            vec![(manifest("slow", HookSet::none().guard(point)), plugin)],
        )
        .await;
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let agent = agent_fn(move |_: (), _: TaskContext| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Err::<(), _>(AgentError::retryable("again")) }
        });
        o.register_agent(worker("w", &["x"], agent)).await.unwrap();
        let handle = o.submit_task(task("x")).await.unwrap();
        tokio::time::sleep(ms(10)).await;
        assert!(handle.view().unwrap().state.is_live());
        assert!(handle.cancel());
        tokio::time::sleep(secs(60)).await;
        assert_eq!(handle.try_outcome().unwrap().state(), TaskState::Cancelled);
        let expected = usize::from(point == HookPoint::Retry);
        assert_eq!(runs.load(Ordering::SeqCst), expected, "{point:?}");
        let status = o.status();
        assert_eq!(
            (status.agents.busy, status.agents.zombies),
            (0, 0),
            "{point:?}"
        );
        check_conservation(&o);
    }
}

#[tokio::test(start_paused = true)]
async fn plugin_sets_that_do_not_work_are_refused_with_names() {
    let start = |plugins: Vec<PluginManifest>| async move {
        let mut builder = UniversalOrchestrator::builder().without_linked_plugins();
        for manifest in plugins {
            builder = builder.plugin(manifest, Hooked::new());
        }
        match builder.start().await {
            Err(StartError::Link(error)) => error,
            other => unreachable!("{other:?}"),
        }
    };
    let plain = |name| manifest(name, HookSet::none());
    let error = start(vec![plain("a"), plain("a")]).await;
    assert!(matches!(error, LinkError::Duplicate { name: "a", .. }));
    let error = start(vec![plain("a").after(&["ghost"])]).await;
    assert!(matches!(
        error,
        LinkError::UnknownAfter { after: "ghost", .. }
    ));
    let error = start(vec![plain("a").after(&["b"]), plain("b").after(&["a"])]).await;
    assert!(matches!(error, LinkError::Cycle { .. }));
}
