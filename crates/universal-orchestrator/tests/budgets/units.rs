//! The four units, reserving, settling and charging.

use serde_json::json;
use universal_orchestrator::{
    AccountId, AgentError, Amount, BudgetError, FailureKind, Limits, Refusal, TaskContext,
    TaskState, Unit, UniversalOrchestrator, agent_fn,
};

use crate::common::*;
use crate::*;

#[tokio::test(start_paused = true)]
async fn each_unit_is_refused_before_it_is_gone_and_the_refusal_says_how_it_stands() {
    let coin = |text: &str| Amount::money(text.parse().unwrap());
    let money = Limits::unlimited().with_money("0.3".parse().unwrap());
    let busy = |n| Amount::busy(ms(n));
    // Of calls, the attempt itself is one.
    for (limits, amount, past, unit, told) in [
        (money, coin("0.1"), 3, Unit::Money, ["0.3", "0.3", "0.1"]),
        (
            tokens(300),
            Amount::tokens(100),
            3,
            Unit::Tokens,
            ["300", "300", "100"],
        ),
        (
            Limits::unlimited().with_calls(4),
            Amount::calls(1),
            3,
            Unit::Calls,
            ["4", "4", "1"],
        ),
        (
            Limits::unlimited().with_busy(ms(300)),
            busy(100),
            3,
            Unit::Busy,
            ["300ms", "300ms", "100ms"],
        ),
    ] {
        let errors = Errors::default();
        let o = plain().await;
        let run = open(&o, "r", limits);
        let agent = worker("a", &["pay"], charges(&errors, vec![amount; past + 1]));
        o.register_agent(agent).await.unwrap();
        let outcome = o.execute(task("pay").run("r")).await.unwrap();
        assert_eq!(outcome.result(), past, "{unit}");
        let refused = errors.take();
        let [limit, used, asked] = told.map(str::to_owned);
        let expected = BudgetError::Exhausted {
            account: run.clone(),
            unit,
            limit,
            used,
            asked,
        };
        assert_eq!(refused, [expected], "{unit}");
        let [limit, used, asked] = told;
        assert_eq!(
            refused[0].to_string(),
            format!(
                "account run r has no room: {unit} is at {used} of {limit} and {asked} is asked for; raise the limit or ask for less"
            )
        );
        let account = view(&o, &run);
        assert!(!account.overdrawn, "{unit}: {account:?}");
        assert!(account.reserved.is_zero(), "{unit}: {account:?}");
        let all = (0..past).fold(Amount::calls(1), |sum, _| sum.plus(&amount));
        assert_eq!(account.spent, all, "{unit}");
        assert_eq!(outcome.cost(), all, "{unit}");
    }
}

#[tokio::test(start_paused = true)]
async fn zero_allows_nothing_and_absent_everything() {
    let errors = Errors::default();
    let o = plain().await;
    open(&o, "zero", tokens(0));
    open(&o, "free", Limits::unlimited());
    let agent = worker("a", &["pay"], payer(&errors));
    o.register_agent(agent).await.unwrap();
    let pay = |run: &str| task("pay").run(run).payload(json!([0, 1, u64::MAX]));
    assert_eq!(o.execute(pay("zero")).await.unwrap().result(), 1);
    assert_eq!(errors.take().len(), 2);
    assert_eq!(o.execute(pay("free")).await.unwrap().result(), 3);
    let saturated = stands(&o, &AccountId::Global);
    assert_eq!(saturated, (u64::MAX, 0), "sums do not wrap");
}

/// Runs `agent` as the only task of a run of 100 tokens, and says how the run stands.
async fn in_a_run_of_100(agent: impl Agent) -> (UniversalOrchestrator, AccountId, TaskState) {
    let o = plain().await;
    let run = open(&o, "r", tokens(100));
    o.register_agent(worker("a", &["x"], agent)).await.unwrap();
    let outcome = o.execute(task("x").run("r")).await.unwrap();
    (o, run, outcome.state())
}

#[tokio::test(start_paused = true)]
async fn a_reservation_is_settled_returned_or_charged_whole() {
    for (how, spent) in [
        ("settle", 40),
        ("release", 0),
        ("forget", 60),
        ("fail", 60),
        ("panic", 60),
    ] {
        let agent = agent_fn(move |_: (), context: TaskContext| async move {
            let reservation = context.reserve(Amount::tokens(60))?;
            assert!(
                context.reserve(Amount::tokens(41)).is_err(),
                "60 are reserved"
            );
            match how {
                "settle" => reservation.settle(Amount::tokens(40)),
                "release" => reservation.release(),
                "forget" => drop(reservation),
                "fail" => return Err(AgentError::permanent("with a reservation open")),
                _ => panic!("told to"),
            }
            Ok::<_, AgentError>(())
        });
        let (o, run, _) = in_a_run_of_100(agent).await;
        assert_eq!(stands(&o, &run), (spent, 0), "{how}");
        assert_eq!(stands(&o, &AccountId::Global), (spent, 0), "{how}");
    }
}

/// A charge used to spend what the same attempt had reserved for another purchase, whose bill then overdrew the account.
#[tokio::test(start_paused = true)]
async fn a_charge_leaves_alone_what_is_reserved_for_another_purchase() {
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        let reservation = context.reserve(Amount::tokens(60))?;
        assert!(context.charge(Amount::tokens(41)).is_err(), "40 are left");
        context.charge(Amount::tokens(40))?;
        reservation.settle(Amount::tokens(60));
        Ok::<_, AgentError>(())
    });
    let (o, run, state) = in_a_run_of_100(agent).await;
    assert_eq!(state, TaskState::Succeeded);
    assert_eq!(stands(&o, &run), (100, 0));
    assert!(!view(&o, &run).overdrawn);
}

#[tokio::test(start_paused = true)]
async fn a_charge_uses_up_the_estimate_first() {
    let errors = Errors::default();
    let o = plain().await;
    let run = open(&o, "r", tokens(100));
    let agent = worker("a", &["pay"], payer(&errors));
    o.register_agent(agent).await.unwrap();
    let estimated = task("pay").run("r").estimate(Amount::tokens(80));
    let outcome = o.execute(estimated.payload(json!([50, 50, 1]))).await;
    assert_eq!(
        outcome.unwrap().result(),
        2,
        "30 of the estimate and 20 more"
    );
    assert_eq!(stands(&o, &run), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn an_overspent_account_is_recorded_and_refuses_everything_further() {
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        let reservation = context.reserve(Amount::tokens(10))?;
        reservation.settle(Amount::tokens(130));
        let after = context.charge(Amount::tokens(0)).unwrap_err();
        Err::<(), AgentError>(after.into())
    });
    let (o, run, state) = in_a_run_of_100(agent).await;
    assert_eq!(state, TaskState::Failed);
    assert_eq!(stands(&o, &run), (130, 0), "the bill as it is");
    assert!(view(&o, &run).overdrawn);
    let overdrawn = BudgetError::Overdrawn {
        account: run.clone(),
        unit: Unit::Tokens,
        limit: "100".to_owned(),
        spent: "130".to_owned(),
    };
    let text = "account run r is overdrawn: tokens is 130 of 100; raise the limit";
    assert_eq!(overdrawn.to_string(), text);
    let reason = Refusal::OverBudget(overdrawn);
    let in_run = || task("x").run("r");
    for refused in [
        o.execute(in_run()).await.unwrap_err(),
        o.submit_task(in_run()).await.unwrap_err(),
        o.delegate_task(in_run()).await.unwrap_err(),
    ] {
        assert_eq!(refused.reason(), &reason, "also without asking for tokens");
    }
    assert_eq!(stands(&o, &AccountId::Global), (130, 0));
    o.delegate_task(task("x")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn busy_time_is_counted_at_the_end_and_an_estimate_reserves_it() {
    let o = plain().await;
    let run = open(&o, "r", Limits::unlimited().with_busy(secs(2)));
    let sleeper = worker("a", &["nap"], sleeper()).concurrency(2);
    o.register_agent(sleeper).await.unwrap();
    let nap = |millis: u64| task("nap").run("r").payload(millis);
    let too_long = o
        .submit_task(nap(1).estimate(Amount::busy(ms(2_001))))
        .await
        .unwrap_err();
    assert_eq!(too_long.reason().as_str(), "over_budget");
    let estimated = nap(1_500).estimate(Amount::busy(ms(1_800)));
    let first = o.submit_task(estimated).await.unwrap();
    settle().await;
    assert_eq!(view(&o, &run).reserved.busy, ms(1_800));
    let beside = o.execute(nap(1).estimate(Amount::busy(ms(201)))).await;
    assert_eq!(beside.unwrap_err().reason().as_str(), "over_budget");
    assert!(first.outcome().await.unwrap().is_success());
    let account = view(&o, &run);
    assert_eq!(
        (account.spent.busy, account.reserved.busy),
        (ms(1_500), ms(0))
    );
    // Without an estimate, the attempts in flight can overdraw it by their own lengths.
    assert!(o.execute(nap(700)).await.unwrap().is_success());
    let account = view(&o, &run);
    assert_eq!((account.spent.busy, account.overdrawn), (ms(2_200), true));
    let refused = o.execute(nap(1)).await.unwrap_err();
    assert!(
        refused.to_string().contains("busy time is 2.2s of 2s"),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_ends_the_task_as_over_budget_and_is_not_tried_again() {
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        context.charge(Amount::tokens(60))?;
        Ok::<_, AgentError>(())
    });
    let o = plain().await;
    let run = open(&o, "r", tokens(100));
    o.register_agent(worker("a", &["x"], agent)).await.unwrap();
    let in_run = || task("x").run("r");
    assert!(o.execute(in_run()).await.unwrap().is_success());
    let retry = universal_orchestrator::RetryPolicy::immediate(5);
    let outcome = o.execute(in_run().retry(retry)).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::OverBudget));
    assert_eq!(outcome.attempts(), 1);
    let failure = outcome.failure().unwrap();
    assert!(
        failure.message().contains("tokens is at 60 of 100"),
        "{failure:?}"
    );
    assert_eq!(stands(&o, &run), (60, 0));
}
