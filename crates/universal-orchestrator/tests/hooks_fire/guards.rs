//! What a guard refuses leaves nothing behind; one that answers later is waited for, up to its limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use universal_orchestrator::plugin::{GuardCall, HookPoint, HookSet, PluginManifest, Verdict};
use universal_orchestrator::{
    AccountId, AgentError, Amount, FailureKind, Limits, Refusal, RegisterRefusal, RetryPolicy,
    RunId, Task, TaskContext, TaskFailure, TaskState, UniversalOrchestrator, Veto, agent_fn,
};

use crate::common::*;
use crate::no;

fn guarding(point: HookPoint, verdict: fn() -> Verdict) -> (PluginManifest, Hooked) {
    (
        manifest("bouncer", HookSet::none().guard(point)),
        Hooked::new().guard(move |_, _| verdict()),
    )
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
