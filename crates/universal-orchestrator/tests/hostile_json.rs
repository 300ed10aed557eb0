//! JSON that is too deep or too large: refused with a reason wherever it comes in, and dropped without harm to the stack.

mod common;
mod hostile;

use common::{Hooked, echo, external, manifest, plain, task, with_config, with_plugins, worker};
use hostile::{check_text, standing};
use serde_json::{Value, json};
use universal_orchestrator::plugin::{HookPoint, HookSet, Shape};
use universal_orchestrator::{
    Agent, AgentCallError, AgentChange, AgentError, AgentFault, FailureKind, OrchestratorConfig,
    Refusal, RegisterRefusal, ReportError, Task, TaskContext, TaskFault, TaskPatch, async_trait,
};

/// Arrays in arrays and objects in objects. Whoever drops it as it is overflows the stack.
fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |value, level| match level % 2 {
        0 => Value::Array(vec![value]),
        _ => Value::Object([("a".to_owned(), value)].into_iter().collect()),
    })
}

const DEEP: usize = 100_000;

#[tokio::test(start_paused = true)]
async fn no_door_takes_a_payload_that_is_nested_too_deeply() {
    let o = plain().await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    let before = standing(&o);
    for levels in [65, 129, DEEP] {
        let deep = || task("a").id("deep").payload(nested(levels));
        let refusals = [
            o.delegate_task(deep()).await.unwrap_err(),
            o.submit_task(deep()).await.unwrap_err(),
            o.submit_task_wait(deep()).await.unwrap_err(),
            o.submit_or_get(deep()).await.unwrap_err(),
            o.execute(deep()).await.unwrap_err(),
            o.delegate_tasks(vec![deep()]).await.remove(0).unwrap_err(),
            o.submit_tasks(vec![deep()]).await.remove(0).unwrap_err(),
            o.execute_tasks(vec![deep()]).await.remove(0).unwrap_err(),
        ];
        for refused in refusals {
            check_text(
                &refused,
                &["payload", "tasks.payload_depth_max 64", "flatten"],
            );
            let reason = refused.reason();
            assert!(matches!(
                reason,
                Refusal::Invalid(TaskFault::PayloadTooDeep { max: 64 })
            ));
            // The task that comes back can be printed, cloned and dropped.
            assert!(format!("{refused:?}").len() < 10_000);
            drop(refused.clone().into_task());
        }
        assert_eq!(standing(&o), before, "{levels} levels");
    }
    let fits = o.execute(task("a").payload(nested(64))).await.unwrap();
    assert_eq!(fits.result(), &nested(64));
}

#[tokio::test(start_paused = true)]
async fn the_configured_depth_decides() {
    for (max, fits) in [(0, json!(1)), (1, json!([1])), (128, nested(128))] {
        let o = with_config(|c| c.tasks.payload_depth_max = max).await;
        o.register_agent(worker("w", &["a"], echo())).await.unwrap();
        let outcome = o.execute(task("a").payload(fits.clone())).await.unwrap();
        assert_eq!(outcome.result(), &fits);
        for deeper in [json!([fits]), nested(DEEP)] {
            let refused = o.execute(task("a").payload(deeper)).await.unwrap_err();
            check_text(&refused, &[&format!("tasks.payload_depth_max {max}:")]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_external_result_that_is_nested_too_deeply_leaves_the_attempt_as_it_is() {
    let o = plain().await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    let d = o.delegate_task(task("a")).await.unwrap();
    let before = standing(&o);
    for levels in [65, DEEP] {
        for error in [
            o.complete_task(&d, nested(levels)).await.unwrap_err(),
            o.report_progress(&d, nested(levels)).await.unwrap_err(),
        ] {
            check_text(&error, &["result", "tasks.payload_depth_max 64", "flatten"]);
            assert_eq!(error, ReportError::ResultTooDeep { max: 64 });
        }
        assert_eq!(standing(&o), before, "{levels} levels");
    }
    // Too large before it is too deep.
    let both = Value::Array(vec!["x".repeat(2_000_000).into(), nested(DEEP)]);
    let error = o.complete_task(&d, both).await.unwrap_err();
    assert!(
        matches!(error, ReportError::ResultTooLarge { .. }),
        "{error}"
    );
    o.report_progress(&d, nested(64)).await.unwrap();
    o.complete_task(&d, nested(64)).await.unwrap();
}

/// Reports progress and a result of so many levels as its payload says, and gives a child so deep a payload.
struct Digger;

#[async_trait]
impl Agent for Digger {
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError> {
        let levels = context.payload().as_u64().unwrap_or(0) as usize;
        context.progress("begun");
        context.progress(nested(levels));
        let child = context.execute_child(Task::new("child").payload(nested(levels)));
        let refused = child.await.expect_err("no child is so deep");
        check_text(&refused, &["payload", "flatten"]);
        Ok(nested(levels))
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_of_this_process_makes_too_deep_is_its_failure() {
    let o = plain().await;
    o.register_agent(worker("digger", &["dig"], Digger).concurrency(2))
        .await
        .unwrap();
    for levels in [65, DEEP] {
        let outcome = o.execute(task("dig").payload(levels)).await.unwrap();
        assert_eq!(outcome.failure_kind(), Some(FailureKind::ResultRefused));
        check_text(
            outcome.failure().unwrap(),
            &["tasks.payload_depth_max 64", "flatten"],
        );
        assert_eq!(outcome.partial(), Some(&json!("begun")));
    }
    common::check_conservation(&o);
    assert_eq!(o.status().agents.busy, 0);
}

#[tokio::test(start_paused = true)]
async fn metadata_that_is_too_deep_or_too_large_is_refused() {
    let o = plain().await;
    o.register_agent(external("e", &["a"]).metadata(json!({"kept": true})))
        .await
        .unwrap();
    let before = standing(&o);
    let id = common::aid("e");
    for levels in [65, DEEP] {
        let spec = external("new", &["a"]).metadata(nested(levels));
        let refused = o.register_agent(spec).await.unwrap_err();
        check_text(
            &refused,
            &["metadata", "tasks.payload_depth_max 64", "flatten"],
        );
        let deep = AgentFault::MetadataTooDeep { max: 64 };
        assert_eq!(refused.reason(), &RegisterRefusal::Invalid(deep.clone()));
        let change = AgentChange::new().concurrency(7).metadata(nested(levels));
        let error = o.update_agent(&id, change).await.unwrap_err();
        assert_eq!(error, AgentCallError::Invalid(deep));
    }
    let large = vec![Value::Null; 100_000];
    let refused = o
        .register_agent(external("new", &[]).metadata(large.clone()))
        .await
        .unwrap_err();
    check_text(
        &refused,
        &[
            "metadata",
            "agents.metadata_bytes_max is 65536",
            "reference",
        ],
    );
    let change = AgentChange::new().metadata(large.into());
    let error = o.update_agent(&id, change).await.unwrap_err();
    check_text(
        &error,
        &[
            "metadata",
            "agents.metadata_bytes_max is 65536",
            "reference",
        ],
    );
    assert_eq!(standing(&o), before);
}

#[tokio::test(start_paused = true)]
async fn a_shape_hook_cannot_bring_in_what_no_door_takes() {
    for point in [HookPoint::Submit, HookPoint::Delegate, HookPoint::Start] {
        let digger = Hooked::new().shape(|_, _| {
            let mut patch = TaskPatch::default();
            patch.payload = Some(nested(DEEP));
            Shape::Patch(Box::new(patch))
        });
        let hooks = HookSet::none().shape(point);
        // Building such a value takes a while, and the time of a hook is real.
        let patient = |c: &mut OrchestratorConfig| c.hooks.timeout_ms = 3_600_000;
        let o = with_plugins(patient, vec![(manifest("digger", hooks), digger)]).await;
        o.register_agent(worker("w", &["a"], echo())).await.unwrap();
        let text = match o.execute(task("a").payload("kept")).await {
            Err(refused) => {
                assert_eq!(point, HookPoint::Submit);
                assert_eq!(refused.task().payload_value(), "kept");
                refused.to_string()
            }
            Ok(outcome) => {
                assert_ne!(point, HookPoint::Submit);
                assert!(!outcome.is_success());
                outcome.failure().unwrap().to_string()
            }
        };
        assert!(text.contains("tasks.payload_depth_max 64"), "{text}");
        common::check_conservation(&o);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_made_too_deep_by_hand_is_not_taken_back() {
    let o = plain().await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    let d = o.delegate_task(task("a").id("t")).await.unwrap();
    let failure = universal_orchestrator::TaskFailure::permanent("no");
    o.fail_task(&d, failure).await.unwrap();
    let mut letter = o.dead_letters().remove(0);
    letter.task.payload = nested(DEEP);
    let mut again = letter.task.into_task();
    again = again.id("again");
    let refused = o.submit_task(again).await.unwrap_err();
    check_text(&refused, &["payload", "tasks.payload_depth_max 64"]);
    assert_eq!(o.dead_letters().len(), 1);
}
