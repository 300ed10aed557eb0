//! What a plugin changes in a task: it reaches the agent, within the bounds, and a task that is refused comes back without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use universal_orchestrator::plugin::{GuardCall, HookPoint, HookSet, Shape, Verdict};
use universal_orchestrator::{
    AgentError, FailureKind, Priority, Refusal, RetryPolicy, TaskContext, TaskPatch, TaskState,
    agent_fn,
};

use crate::common::*;

const SHAPED: [HookPoint; 3] = [HookPoint::Submit, HookPoint::Delegate, HookPoint::Start];

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
