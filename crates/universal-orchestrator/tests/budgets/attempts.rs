//! What an attempt reserves, and what becomes of it however the attempt ends.

use serde_json::json;
use universal_orchestrator::{
    AccountId, AgentError, Amount, BudgetError, Delegation, FailureKind, Limits, RetryPolicy,
    TaskContext, TaskFailure, TaskState, agent_fn,
};

use crate::common::*;
use crate::*;

fn estimated(capability: &str, amount: u64) -> universal_orchestrator::Task {
    task(capability).run("r").estimate(Amount::tokens(amount))
}

#[tokio::test(start_paused = true)]
async fn an_estimate_is_reserved_before_the_attempt_and_its_rest_comes_back() {
    let o = plain().await;
    let run = open(&o, "r", tokens(100));
    o.register_agent(external("e", &["x"]).concurrency(9))
        .await
        .unwrap();
    let first = o.delegate_task(estimated("x", 60)).await.unwrap();
    assert_eq!(stands(&o, &run), (0, 60));
    assert_eq!(stands(&o, &AccountId::Global), (0, 60));
    let refused = o.delegate_task(estimated("x", 60)).await.unwrap_err();
    assert_eq!(refused.reason().as_str(), "over_budget");
    let refused = o.submit_task(estimated("x", 41)).await.unwrap_err();
    assert_eq!(refused.reason().as_str(), "over_budget");
    let second = o.delegate_task(estimated("x", 40)).await.unwrap();
    assert_eq!(stands(&o, &run), (0, 100));
    o.charge_task(&first, Amount::tokens(10)).await.unwrap();
    assert_eq!(stands(&o, &run), (10, 90));
    o.complete_task(&first, 1).await.unwrap();
    assert_eq!(stands(&o, &run), (10, 40));
    o.fail_task(&second, TaskFailure::permanent("no"))
        .await
        .unwrap();
    assert_eq!(stands(&o, &run), (10, 0));
    assert_eq!(view(&o, &run).spent.calls, 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_spent_comes_back_however_the_task_ends_and_a_lost_agent_pays_all() {
    for (how, state, spent) in [
        ("cancelled while queued", TaskState::Cancelled, 0),
        ("deadline while queued", TaskState::TimedOut, 0),
        ("cancelled", TaskState::Cancelled, 10),
        ("attempt timeout", TaskState::TimedOut, 10),
        ("deadline", TaskState::TimedOut, 10),
        ("failed", TaskState::Failed, 10),
        ("lost", TaskState::Failed, 80),
        ("panicked", TaskState::Failed, 80),
    ] {
        let o = plain().await;
        let run = open(&o, "r", tokens(100));
        let agent = agent_fn(move |_: (), context: TaskContext| async move {
            context.charge(Amount::tokens(10))?;
            match how {
                "failed" => return Err(AgentError::permanent("no")),
                "panicked" => panic!("told to"),
                _ => std::future::pending::<()>().await,
            }
            Ok::<_, AgentError>(())
        });
        o.register_agent(worker("a", &["x"], agent)).await.unwrap();
        if how.ends_with("queued") {
            o.pause_queue();
        }
        let mut given = estimated("x", 80).retry(RetryPolicy::never());
        if how == "attempt timeout" {
            given = given.attempt_timeout(secs(5));
        }
        if how.starts_with("deadline") {
            given = given.deadline_in(secs(5));
        }
        let handle = o.submit_task(given).await.unwrap();
        settle().await;
        let queued = how.ends_with("queued");
        let ended = matches!(how, "failed" | "panicked");
        if !ended {
            let expected = if queued { (0, 0) } else { (10, 70) };
            assert_eq!(stands(&o, &run), expected, "{how}: before");
        }
        match how {
            "cancelled" | "cancelled while queued" => assert!(handle.cancel()),
            "lost" => o.deregister_agent(&aid("a")).await.unwrap(),
            _ => {}
        }
        let outcome = handle.outcome().await.unwrap();
        assert_eq!(outcome.state(), state, "{how}");
        assert_eq!(outcome.cost().tokens, spent, "{how}");
        tokio::time::sleep(secs(5)).await;
        assert_eq!(stands(&o, &run), (spent, 0), "{how}");
        let account = view(&o, &run);
        assert_eq!(account.spent.calls, u64::from(!queued), "{how}");
        assert!(account.reserved.is_zero(), "{how}: {account:?}");
    }
}

/// What an agent had reserved when its task was ended used to be free for others at once, and when the agent was lost, was charged twice.
#[tokio::test(start_paused = true)]
async fn a_reservation_that_outlives_its_task_stays_reserved_until_the_agent_is_gone() {
    for how in ["cancelled", "timed out", "lost"] {
        let o = with_config(|c| c.tasks.cancel_grace_ms = 10_000).await;
        let run = open(&o, "r", tokens(100));
        let agent = agent_fn(|_: (), context: TaskContext| async move {
            let _buying = context.reserve(Amount::tokens(70))?;
            std::future::pending::<()>().await;
            Ok::<_, AgentError>(())
        });
        o.register_agent(worker("a", &["x"], agent)).await.unwrap();
        o.register_agent(external("e", &["y"]).concurrency(9))
            .await
            .unwrap();
        let retry = RetryPolicy::never();
        let given = task("x").run("r").retry(retry).attempt_timeout(secs(1));
        let handle = o.submit_task(given).await.unwrap();
        settle().await;
        match how {
            "cancelled" => assert!(handle.cancel()),
            "lost" => o.deregister_agent(&aid("a")).await.unwrap(),
            _ => tokio::time::sleep(ms(1_001)).await,
        }
        assert!(!handle.outcome().await.unwrap().is_success());
        assert_eq!(stands(&o, &run), (0, 70), "{how}: it may still pay");
        let other = o.delegate_task(estimated("y", 31)).await.unwrap_err();
        assert_eq!(other.reason().as_str(), "over_budget", "{how}");
        tokio::time::sleep(secs(11)).await;
        assert_eq!(stands(&o, &run), (70, 0), "{how}: charged whole, and once");
        assert!(!view(&o, &run).overdrawn, "{how}");
        assert!(o.delegate_task(estimated("y", 30)).await.is_ok(), "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_pays_again_and_a_retry_without_room_ends_the_task() {
    let o = plain().await;
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        context.charge(Amount::tokens(10))?;
        Err::<(), _>(AgentError::retryable("not yet"))
    });
    o.register_agent(worker("a", &["x"], agent)).await.unwrap();
    let retried = |run: &str| task("x").run(run).retry(RetryPolicy::immediate(5));

    let run = open(&o, "roomy", Limits::unlimited());
    let outcome = o.execute(retried("roomy")).await.unwrap();
    assert_eq!((outcome.attempts(), outcome.cost().tokens), (5, 50));
    let spent = view(&o, &run).spent;
    assert_eq!((spent.tokens, spent.calls), (50, 5));

    let run = open(&o, "two calls", Limits::unlimited().with_calls(2));
    let outcome = o.execute(retried("two calls")).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::OverBudget));
    assert_eq!((outcome.attempts(), outcome.cost().calls), (2, 2));
    let account = view(&o, &run);
    assert_eq!((account.spent.calls, account.reserved.calls), (2, 0));
    assert!(!account.overdrawn);

    let run = open(&o, "25 tokens", tokens(25));
    let outcome = o.execute(retried("25 tokens")).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::OverBudget));
    assert_eq!(outcome.attempts(), 3, "the third could not pay");
    assert_eq!(stands(&o, &run), (20, 0));
    check_conservation(&o);
}

#[tokio::test(start_paused = true)]
async fn an_external_agent_charges_its_delegation_as_long_as_it_is_current() {
    let o = plain().await;
    let run = open(&o, "r", tokens(100));
    o.register_agent(external("e", &["x"])).await.unwrap();
    o.register_agent(external("f", &[])).await.unwrap();
    let d = o.delegate_task(task("x").run("r")).await.unwrap();
    o.charge_task(&d, Amount::tokens(100)).await.unwrap();
    let over = o.charge_task(&d, Amount::tokens(1)).await.unwrap_err();
    assert!(matches!(over, BudgetError::Exhausted { .. }), "{over}");
    let strangers = [
        Delegation::new(d.task().clone(), aid("f"), 1),
        Delegation::new(d.task().clone(), aid("e"), 2),
        Delegation::new(tid("nothing"), aid("e"), 1),
    ];
    for stranger in strangers {
        let error = o.charge_task(&stranger, Amount::tokens(0)).await;
        let expected = BudgetError::AttemptOver {
            task: stranger.task().clone(),
            attempt: stranger.attempt(),
        };
        assert_eq!(error, Err(expected));
    }
    o.complete_task(&d, 1).await.unwrap();
    let late = o.charge_task(&d, Amount::tokens(0)).await.unwrap_err();
    assert!(late.to_string().contains("attempt 1 of task"), "{late}");
    assert_eq!(stands(&o, &run), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn a_context_that_outlives_its_attempt_buys_nothing_and_late_bills_are_recorded() {
    let o = plain().await;
    let run = open(&o, "r", tokens(100));
    let kept = Arc::new(Mutex::new(None));
    let keeper = {
        let kept = Arc::clone(&kept);
        agent_fn(move |_: (), context: TaskContext| {
            let kept = Arc::clone(&kept);
            async move {
                let reservation = context.reserve(Amount::tokens(30))?;
                *kept.lock() = Some((context, reservation));
                Ok::<_, AgentError>(())
            }
        })
    };
    o.register_agent(worker("a", &["x"], keeper)).await.unwrap();
    assert!(o.execute(task("x").run("r")).await.unwrap().is_success());
    let (context, reservation) = kept.lock().take().unwrap();
    for error in [
        context.charge(Amount::tokens(1)).unwrap_err(),
        context.reserve(Amount::tokens(1)).map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, BudgetError::AttemptOver { .. }), "{error}");
    }
    assert_eq!(stands(&o, &run), (0, 30), "the purchase is still open");
    reservation.settle(Amount::tokens(20));
    assert_eq!(stands(&o, &run), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_shares_its_run_to_the_last_token_whatever_the_order() {
    let errors = Errors::default();
    let o = plain().await;
    let run = open(&o, "r", tokens(100));
    let agent = worker("a", &["pay"], payer(&errors)).concurrency(8);
    o.register_agent(agent).await.unwrap();
    let tasks = (0..30).map(|_| task("pay").run("r").payload(json!([7])));
    let outcomes = o.execute_tasks(tasks.collect()).await;
    let paid: u64 = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap().result().as_u64().unwrap())
        .sum();
    assert_eq!(
        (paid, errors.take().len()),
        (14, 16),
        "14 times 7 fit in 100"
    );
    assert_eq!(stands(&o, &run), (98, 0));
}
