//! Promises about doors, queue and retries that were once broken: children of work that goes on, deadlocks, replays, patches.

mod common;

use std::sync::Arc;

use common::*;
use parking_lot::Mutex;
use serde_json::{Value, json};
use universal_orchestrator::config::QueueOrder;
use universal_orchestrator::plugin::{HookPoint, HookSet, Shape, ShapeCall, Verdict};
use universal_orchestrator::{
    AgentError, AgentSpec, Deadlock, FailureKind, Priority, Refusal, RetryPolicy, Task,
    TaskContext, TaskFault, TaskPatch, TaskState, UniversalOrchestrator, agent_fn,
};

/// The refusals that children met.
type Refusals = Arc<Mutex<Vec<Refusal>>>;

/// Runs one child, which `child` makes of what it is told of its parent.
fn parent(
    refusals: &Refusals,
    child: impl Fn(&TaskContext) -> Task + Send + Sync + 'static,
) -> AgentSpec {
    let refusals = Arc::clone(refusals);
    let agent = agent_fn(move |wait: u64, context: TaskContext| {
        let (refusals, child) = (Arc::clone(&refusals), child(&context));
        async move {
            tokio::time::sleep(ms(wait)).await;
            match context.execute_child(child).await {
                Ok(outcome) => outcome.into_result(),
                Err(refused) => {
                    refusals.lock().push(refused.reason().clone());
                    Ok(Value::Null)
                }
            }
        }
    });
    worker("p", &["p"], agent)
}

async fn family(
    o: &UniversalOrchestrator,
    child: impl Fn(&TaskContext) -> Task + Send + Sync + 'static,
) -> Refusals {
    let refusals = Refusals::default();
    o.register_agent(parent(&refusals, child))
        .await
        .expect("it fits");
    o.register_agent(worker("c", &["c"], echo()))
        .await
        .expect("it fits");
    refusals
}

fn only(refusals: &Refusals) -> Deadlock {
    match &refusals.lock()[..] {
        [Refusal::WouldDeadlock(deadlock)] => deadlock.clone(),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_task_at_work_is_taken_while_everything_drains() {
    let o = plain().await;
    family(&o, |_| task("c").payload(7)).await;
    let at_work = o.submit_task(task("p").payload(2_000)).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let report = o.shutdown().await;
    assert_eq!(at_work.outcome().await.unwrap().result(), 7);
    assert!(report.unfinished.is_empty(), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_task_at_work_is_taken_while_intake_is_paused() {
    let o = plain().await;
    family(&o, |_| task("c").payload(7)).await;
    let at_work = o.submit_task(task("p").payload(2_000)).await.unwrap();
    settle().await;
    o.pause_intake();
    let refused = o.submit_task(task("c")).await.unwrap_err();
    assert_eq!(refused.reason(), &Refusal::IntakePaused);
    assert_eq!(at_work.outcome().await.unwrap().result(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_needs_the_last_of_max_concurrent_tasks_is_refused() {
    let o = with_config(|c| c.max_concurrent_tasks = 1).await;
    let refusals = family(&o, |_| task("c")).await;
    let _ = o.execute(task("p").payload(0)).await.unwrap();
    assert_eq!(only(&refusals), Deadlock::ConcurrentTasks { max: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_child_that_needs_its_ancestors_concurrency_key_is_refused() {
    let o = plain().await;
    let refusals = family(&o, |_| task("c").concurrency_key("k")).await;
    let keyed = task("p").payload(0).concurrency_key("k");
    let _ = o.execute(keyed).await.unwrap();
    let deadlock = only(&refusals);
    assert!(deadlock.to_string().contains("key k"), "{deadlock}");
    // Another key, or nobody above with the key, is fine.
    refusals.lock().clear();
    let _ = o
        .execute(task("p").payload(0).concurrency_key("other"))
        .await
        .unwrap();
    let _ = o.execute(task("p").payload(0)).await.unwrap();
    assert!(refusals.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_comes_after_its_ancestor_is_refused() {
    for through in [false, true] {
        let o = plain().await;
        let after = move |context: &TaskContext| match through {
            false => task("c").after(context.task_id()),
            true => task("c").after(tid("between")),
        };
        let refusals = family(&o, after).await;
        let top = task("p").id("top").payload(10);
        let top = o.submit_task(top).await.unwrap();
        let between = task("c").id("between").after(tid("top"));
        o.submit_task(between).await.unwrap();
        assert!(top.outcome().await.unwrap().is_success());
        let ancestor = tid("top");
        assert_eq!(only(&refusals), Deadlock::After { ancestor });
    }
}

#[tokio::test(start_paused = true)]
async fn a_parked_task_whose_last_capable_agent_leaves_expires_as_unroutable() {
    let o = plain().await;
    o.register_agent(worker("b", &["y"], echo())).await.unwrap();
    o.register_agent(worker("z", &["z"], stuck()))
        .await
        .unwrap();
    let keyed = |capability| task(capability).concurrency_key("k");
    let holder = o.submit_task(keyed("z")).await.unwrap();
    let parked = o.submit_task(keyed("y")).await.unwrap();
    settle().await;
    assert_eq!(o.status().queue.key_limited, 1);
    o.deregister_agent(&aid("b")).await.unwrap();
    assert_eq!(o.status().queue.unroutable, 1);
    tokio::time::sleep(secs(30)).await;
    assert_eq!(parked.view().unwrap().state, TaskState::Queued);
    // Its turn with the key neither ends nor prolongs its time.
    assert!(holder.cancel());
    tokio::time::sleep(secs(31)).await;
    let outcome = parked.outcome().await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Unroutable));
}

fn patching(patch: impl Fn() -> TaskPatch + Send + Sync + 'static) -> Hooked {
    Hooked::new().shape(move |_, _: &ShapeCall<'_>| Shape::patch(patch()))
}

#[tokio::test(start_paused = true)]
async fn submit_or_get_compares_with_the_task_as_it_was_given() {
    for point in [HookPoint::Submit, HookPoint::Delegate, HookPoint::Start] {
        let shaping = patching(|| TaskPatch {
            payload: Some(json!({"shaped": true})),
            ..TaskPatch::default()
        });
        let shaping = (manifest("shaping", HookSet::none().shape(point)), shaping);
        let o = with_plugins(|_| {}, vec![shaping]).await;
        o.register_agent(worker("w", &["x"], flaky_once()))
            .await
            .unwrap();
        let given = task("x").id("t").payload(1);
        let first = o.submit_or_get(given.clone()).await.unwrap();
        settle().await;
        assert!(o.submit_or_get(given.clone()).await.is_ok(), "{point:?}");
        let other = o.submit_or_get(given.payload(2)).await.unwrap_err();
        assert_eq!(other.reason().as_str(), "conflict", "{point:?}");
        let outcome = first.outcome().await.unwrap();
        assert_eq!(outcome.result(), &json!({"shaped": true}), "{point:?}");
    }
}

/// Fails at first, then returns its payload.
fn flaky_once() -> impl universal_orchestrator::Agent {
    agent_fn(|payload: Value, context: TaskContext| async move {
        match context.attempt() {
            1 => Err(AgentError::retryable("not yet")),
            _ => Ok(payload),
        }
    })
}

fn failing(id: &str, text: &'static str) -> AgentSpec {
    let agent = agent_fn(move |_: Value, _: TaskContext| async move {
        Err::<Value, _>(AgentError::permanent(text))
    });
    worker(id, &["x"], agent)
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_replayed_once_and_stays_when_its_task_is_refused() {
    let slow = Hooked::new().guard(|_, _| {
        Verdict::later(async {
            tokio::time::sleep(ms(1)).await;
            Ok(())
        })
    });
    let slow = (
        manifest("slow", HookSet::none().guard(HookPoint::Submit)),
        slow,
    );
    let o = with_plugins(|_| {}, vec![slow]).await;
    o.register_agent(failing("w", "no")).await.unwrap();
    for id in ["first", "second", "third"] {
        let _ = o.execute(task("x").id(id)).await.unwrap();
    }
    let letters = || -> Vec<String> {
        let letters = o.dead_letters();
        letters.iter().map(|l| l.task.id.to_string()).collect()
    };
    let all = letters();
    let second = tid("second");
    o.pause_intake();
    assert!(o.replay_dead_letter(&second).await.is_err());
    assert_eq!(letters(), all, "refused");
    o.resume_intake();
    let dropped = tokio::time::timeout(ms(0), o.replay_dead_letter(&second)).await;
    assert!(dropped.is_err());
    assert_eq!(letters(), all, "dropped");
    let (a, b) = tokio::join!(o.replay_dead_letter(&second), o.replay_dead_letter(&second));
    assert!(a.is_ok());
    let unknown = b.unwrap_err();
    assert!(matches!(
        unknown.reason(),
        Refusal::Invalid(TaskFault::UnknownDeadLetter { .. })
    ));
    assert_eq!(letters()[..2], ["first", "third"]);
}

#[tokio::test(start_paused = true)]
async fn a_patch_of_retry_at_delegate_holds_over_the_tasks_own_policy() {
    let patch = || TaskPatch {
        retry: Some(RetryPolicy::never()),
        ..TaskPatch::default()
    };
    let hooks = HookSet::none().shape(HookPoint::Delegate);
    let o = with_plugins(|_| {}, vec![(manifest("p", hooks), patching(patch))]).await;
    o.register_agent(worker("w", &["x"], flaky_once()))
        .await
        .unwrap();
    let own = task("x").retry(RetryPolicy::immediate(5));
    assert_eq!(o.execute(own).await.unwrap().attempts(), 1);
    assert_eq!(o.execute(task("x")).await.unwrap().attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_patch_of_priority_at_start_holds_for_the_next_attempt() {
    let patch = || TaskPatch {
        priority: Some(Priority::Critical),
        ..TaskPatch::default()
    };
    let hooks = HookSet::none().shape(HookPoint::Start);
    let o = with_plugins(|_| {}, vec![(manifest("p", hooks), patching(patch))]).await;
    let log = Log::default();
    let seen = log.clone();
    let agent = agent_fn(move |_: Value, context: TaskContext| {
        seen.push(context.task_id().to_string());
        async move {
            tokio::time::sleep(ms(10)).await;
            match context.attempt() {
                1 => Err(AgentError::retryable("again")),
                _ => Ok(()),
            }
        }
    });
    o.register_agent(worker("w", &["x"], agent)).await.unwrap();
    let of = |id: &str, priority| {
        let task = task("x").id(id).priority(priority);
        o.submit_task(task.retry(RetryPolicy::immediate(2)))
    };
    let low = of("low", Priority::Low).await.unwrap();
    let high = of("high", Priority::High).await.unwrap();
    let _ = low.outcome().await.unwrap();
    let _ = high.outcome().await.unwrap();
    assert_eq!(log.lines(), ["low", "low", "high", "high"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_may_ask_for_as_many_attempts_as_are_configured() {
    let o = with_config(|c| c.retry.attempts_max = 4).await;
    o.register_agent(worker("w", &["x"], flaky()))
        .await
        .unwrap();
    let with = |attempts| task("x").payload(9).retry(RetryPolicy::immediate(attempts));
    let refused = o.submit_task(with(5)).await.unwrap_err();
    let (attempts, max) = (5, 4);
    let fault = TaskFault::TooManyAttempts { attempts, max };
    assert_eq!(refused.reason(), &Refusal::Invalid(fault));
    assert!(refused.to_string().contains("retry.attempts_max is 4"));
    assert_eq!(o.execute(with(4)).await.unwrap().attempts(), 4);
    let o = plain().await;
    o.register_agent(worker("w", &["x"], flaky()))
        .await
        .unwrap();
    assert!(o.submit_task(with(101)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_vetoed_retry_leaves_the_failure_and_a_dead_letter() {
    let guard = Hooked::new().guard(|_, _| Verdict::veto("enough", "not again"));
    let hooks = HookSet::none().guard(HookPoint::Retry);
    let o = with_plugins(|_| {}, vec![(manifest("p", hooks), guard)]).await;
    let agent = agent_fn(|_: Value, _: TaskContext| async move {
        Err::<Value, _>(AgentError::retryable("the real cause"))
    });
    o.register_agent(worker("w", &["x"], agent)).await.unwrap();
    let outcome = o.execute(task("x")).await.unwrap();
    assert_eq!(outcome.state(), TaskState::Failed);
    let failure = outcome.failure().unwrap();
    assert_eq!(failure.kind(), FailureKind::Retryable);
    for part in ["the real cause", "plugin p refused (enough): not again"] {
        assert!(failure.message().contains(part), "{failure}");
    }
    assert_eq!(o.dead_letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_without_a_deadline_does_not_starve_behind_deadlines() {
    let o = with_config(|c| {
        c.queue.order = QueueOrder::EarliestDeadlineFirst;
        c.queue.ageing_ms = 1_000;
    })
    .await;
    o.register_agent(worker("w", &["x"], sleeper()))
        .await
        .unwrap();
    let dated = || task("x").payload(100).deadline_in(secs(1_000));
    for _ in 0..3 {
        o.submit_task(dated()).await.unwrap();
    }
    let endless = o.submit_task(task("x").payload(100)).await.unwrap();
    for _ in 0..20 {
        o.submit_task(dated()).await.unwrap();
        tokio::time::sleep(ms(100)).await;
    }
    assert_eq!(endless.view().unwrap().state, TaskState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn cancelled_tasks_cost_their_tenant_no_share() {
    let o = plain().await;
    o.pause_queue();
    let log = Log::default();
    let seen = log.clone();
    let agent = agent_fn(move |_: Value, context: TaskContext| {
        seen.push(context.task().tenant_name().unwrap().to_string());
        async { Ok::<_, AgentError>(()) }
    });
    o.register_agent(worker("w", &["x"], agent)).await.unwrap();
    let of = |tenant: &str| o.submit_task(task("x").tenant(tenant));
    for _ in 0..1_000 {
        assert!(of("a").await.unwrap().cancel());
    }
    for tenant in ["a", "b"].repeat(5) {
        of(tenant).await.unwrap();
    }
    o.resume_queue();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(log.lines().concat(), "ababababab");
}
