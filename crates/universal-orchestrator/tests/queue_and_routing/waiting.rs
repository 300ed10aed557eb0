//! What a task waits for: its time, other tasks, an agent that asks.

use universal_orchestrator::{AfterFailure, FailureKind, Refusal, Task, TaskFailure, TaskState};

use crate::common::*;
use crate::named;

#[tokio::test(start_paused = true)]
async fn delays_hold_and_delegate_refuses_what_it_cannot_do_at_once() {
    let o = plain().await;
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    let begun = tokio::time::Instant::now();
    let delayed = o.submit_task(named("delay").delay(secs(5))).await.unwrap();
    let at = o
        .submit_task(named("not before").not_before(begun + secs(7)))
        .await
        .unwrap();
    assert_eq!(o.status().queue.delayed, 2);
    assert_eq!(
        delayed.view().unwrap().waiting_for.as_deref(),
        Some("its time, 5s from now")
    );
    assert_eq!(delayed.outcome().await.unwrap().queue_wait(), secs(5));
    assert_eq!(begun.elapsed(), secs(5));
    drop(at.outcome().await.unwrap());
    assert_eq!(begun.elapsed(), secs(7));
    for later in [
        named("a").delay(secs(1)),
        named("b").not_before(begun + secs(99)),
        named("c").after(tid("delay")),
    ] {
        let refused = o.delegate_task(later).await.unwrap_err();
        assert!(
            matches!(refused.reason(), Refusal::NotAtOnce { .. }),
            "{refused}"
        );
    }
    o.delegate_task(named("d").delay(ms(0)).not_before(begun))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_comes_after_others_and_their_failure_does_what_it_says() {
    let o = plain().await;
    o.register_agent(external("e", &["x"]).concurrency(9))
        .await
        .unwrap();
    let d = o.delegate_task(named("good")).await.unwrap();
    let bad = o.delegate_task(named("bad")).await.unwrap();
    let both = o
        .submit_task(
            named("both")
                .after(tid("good"))
                .after(tid("bad"))
                .after_failure(AfterFailure::Run),
        )
        .await
        .unwrap();
    let fails = o
        .submit_task(named("fails").after(tid("bad")))
        .await
        .unwrap();
    let chained = o
        .submit_task(named("chained").after(tid("fails")))
        .await
        .unwrap();
    let cancels = o
        .submit_task(
            named("cancels")
                .after(tid("bad"))
                .after_failure(AfterFailure::Cancel),
        )
        .await
        .unwrap();
    assert_eq!(
        both.view().unwrap().waiting_for.as_deref(),
        Some("2 tasks that it comes after")
    );
    assert_eq!(o.status().queue.blocked, 4);
    o.complete_task(&d, 1).await.unwrap();
    assert_eq!(
        both.view().unwrap().waiting_for.as_deref(),
        Some("1 tasks that it comes after")
    );
    o.fail_task(&bad, TaskFailure::permanent("no"))
        .await
        .unwrap();
    assert_eq!(both.view().unwrap().state, TaskState::Queued);
    assert_eq!(o.status().queue.ready, 1);
    for failed in [fails, chained] {
        assert_eq!(
            failed.try_outcome().unwrap().failure_kind(),
            Some(FailureKind::DependencyFailed)
        );
    }
    assert_eq!(cancels.try_outcome().unwrap().state(), TaskState::Cancelled);
    let late = o
        .submit_task(named("late").after(tid("good")))
        .await
        .unwrap();
    assert_eq!(late.view().unwrap().state, TaskState::Queued);
    assert_eq!(
        o.status().queue.ready,
        2,
        "what is over and retained blocks nothing"
    );
    let late = o
        .submit_task(named("late2").after(tid("bad")))
        .await
        .unwrap();
    assert!(late.try_outcome().is_some());
    for wrong in [named("w").after(tid("ghost")), named("w").after(tid("w"))] {
        let refused = o.submit_task(wrong).await.unwrap_err();
        assert!(matches!(refused.reason(), Refusal::Invalid(_)), "{refused}");
    }
    assert_eq!(o.status().queue.blocked, 0);
    check_conservation(&o);
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_five_thousand_needs_no_deep_stack() {
    for fails in [false, true] {
        let o = with_config(|c| c.tasks.retained_results_max = 10_000).await;
        o.register_agent(external("e", &["x"])).await.unwrap();
        o.register_agent(worker("w", &["y"], echo())).await.unwrap();
        let first = o.delegate_task(named("t0")).await.unwrap();
        let mut last = None;
        for n in 1..=5_000u32 {
            let next = Task::new("t")
                .requires(["y"])
                .id(format!("t{n}").as_str())
                .after(tid(&format!("t{}", n - 1)));
            last = Some(o.submit_task(next).await.unwrap());
        }
        let last = last.unwrap();
        assert_eq!(o.status().queue.blocked, 5_000);
        if fails {
            o.fail_task(&first, TaskFailure::permanent("no"))
                .await
                .unwrap();
        } else {
            o.complete_task(&first, 1).await.unwrap();
        }
        let outcome = last.outcome().await.unwrap();
        assert_eq!(outcome.is_success(), !fails);
        assert_eq!(o.status().tasks.active, 0);
        check_conservation(&o);
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_task_says_what_it_waits_for() {
    let o = plain().await;
    let e = o.register_agent(external("e", &["x"])).await.unwrap();
    let first = o.submit_task(task("x")).await.unwrap();
    o.submit_task(task("x")).await.unwrap();
    let text = first.view().unwrap().waiting_for.unwrap();
    assert_eq!(
        text,
        "a capable agent to call next_task, with 1 other task that needs the same"
    );
    let pulled = o.next_task(&e, ms(0)).await.unwrap().unwrap();
    assert_eq!(first.view().unwrap().waiting_for, None, "it runs");
    o.fail_task(pulled.delegation(), TaskFailure::retryable("later"))
        .await
        .unwrap();
    let text = first.view().unwrap().waiting_for.unwrap();
    assert!(text.starts_with("its time, "), "{text}");
    o.register_agent(worker("w", &["k"], stuck()).concurrency(2))
        .await
        .unwrap();
    o.submit_task(task("k").concurrency_key("one"))
        .await
        .unwrap();
    let second = o
        .submit_task(task("k").concurrency_key("one"))
        .await
        .unwrap();
    assert_eq!(
        second.view().unwrap().waiting_for.as_deref(),
        Some("its concurrency key one")
    );
}
