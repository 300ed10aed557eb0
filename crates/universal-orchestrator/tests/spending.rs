//! Promises about budgets that were once broken: caps of agents, room that comes back, days of tenants, busy time.

mod common;

use common::*;
use serde_json::json;
use universal_orchestrator::{
    AccountId, AgentError, Amount, Availability, FailureKind, Limits, RunId, Task, TaskContext,
    TaskState, Tenant, UniversalOrchestrator, agent_fn,
};
use universal_orchestrator_testkit::{TestWallClock, quiet_config, test_builder};

fn calls(limit: u64) -> Limits {
    Limits::unlimited().with_calls(limit)
}

fn tokens(limit: u64) -> Limits {
    Limits::unlimited().with_tokens(limit)
}

fn open(o: &UniversalOrchestrator, run: &str, limits: Limits) -> AccountId {
    let run = RunId::new(run).expect("it is an id");
    o.open_run(&run, limits).expect("it is new");
    AccountId::Run(run)
}

fn spent_tokens(o: &UniversalOrchestrator, account: &AccountId) -> u64 {
    o.account(account).expect("it is open").spent.tokens
}

/// A task of run `r` that needs `amount` tokens and sleeps for 100 ms.
fn nap(amount: u64) -> Task {
    let task = task("nap").run("r").payload(100);
    task.estimate(Amount::tokens(amount))
}

fn named(agents: &[(&str, Option<Limits>)]) -> Vec<universal_orchestrator::AgentSpec> {
    let spec = |(id, cap): &(&str, Option<Limits>)| {
        let id = (*id).to_owned();
        let name = id.clone();
        let agent = agent_fn(move |(): (), _: TaskContext| {
            let name = name.clone();
            async move { Ok::<_, AgentError>(name) }
        });
        let spec = worker(&id, &["x"], agent);
        match cap {
            Some(cap) => spec.budget(*cap),
            None => spec,
        }
    };
    agents.iter().map(spec).collect()
}

async fn with_agents(agents: &[(&str, Option<Limits>)]) -> UniversalOrchestrator {
    let o = plain().await;
    for spec in named(agents) {
        o.register_agent(spec).await.expect("it is new");
    }
    o
}

#[tokio::test(start_paused = true)]
async fn an_agent_whose_own_budget_is_spent_is_not_routed_to() {
    let o = with_agents(&[("a", Some(calls(1))), ("b", None)]).await;
    let mut ran = Vec::new();
    for _ in 0..8 {
        let outcome = o.execute(task("x")).await.unwrap();
        ran.push(outcome.result().as_str().unwrap().to_owned());
    }
    assert_eq!(ran.iter().filter(|name| *name == "a").count(), 1);
    let delegation = o.delegate_task(task("x")).await.unwrap();
    assert_eq!(delegation.agent().as_str(), "b");
    assert_eq!(
        o.agent(&aid("a")).unwrap().availability,
        Availability::OverBudget
    );
    assert_eq!(o.status().agents.over_budget, 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_no_capable_agent_could_ever_pay_ends_as_over_budget() {
    let o = with_agents(&[("a", Some(calls(2)))]).await;
    let mut kinds = Vec::new();
    for outcome in o.execute_tasks(vec![task("x"); 4]).await {
        kinds.push(outcome.unwrap().failure_kind());
    }
    let over = Some(FailureKind::OverBudget);
    assert_eq!(kinds, [None, None, over, over]);
    let refused = o.delegate_task(task("x")).await.unwrap_err();
    assert_eq!(refused.reason().as_str(), "over_budget");
}

#[tokio::test(start_paused = true)]
async fn a_task_waits_for_a_busy_agent_beside_a_spent_one() {
    let o = with_agents(&[("a", Some(calls(0)))]).await;
    let busy = worker("b", &["x", "nap"], sleeper());
    o.register_agent(busy).await.unwrap();
    let nap = o.submit_task(task("nap").payload(100)).await.unwrap();
    settle().await;
    let refused = o.delegate_task(task("x")).await.unwrap_err();
    assert_eq!(refused.reason().as_str(), "all_busy");
    let waits = o.submit_task(task("x").payload(7)).await.unwrap();
    let next = o.submit_task(task("x").payload(8)).await.unwrap();
    settle().await;
    assert_eq!(waits.view().unwrap().state, TaskState::Queued);
    assert!(nap.outcome().await.unwrap().is_success());
    assert_eq!(waits.outcome().await.unwrap().result(), 7);
    assert_eq!(next.outcome().await.unwrap().result(), 8);
    // Nobody is left who could be paid.
    let nap = o.submit_task(task("nap").payload(100)).await.unwrap();
    let left = o.submit_task(task("x").payload(9)).await.unwrap();
    settle().await;
    assert_eq!(left.view().unwrap().state, TaskState::Queued);
    o.deregister_agent(&aid("b")).await.unwrap();
    let over = Some(FailureKind::OverBudget);
    assert_eq!(left.outcome().await.unwrap().failure_kind(), over);
    nap.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_task_too_large_for_an_agent_does_not_keep_it_from_smaller_ones() {
    let o = with_agents(&[("a", Some(tokens(10))), ("b", None)]).await;
    o.sleep_agent(&aid("b")).await.unwrap();
    let large = || task("x").estimate(Amount::tokens(11));
    let waits = o.submit_task(large()).await.unwrap();
    settle().await;
    let view = waits.view().unwrap();
    assert_eq!(view.waiting_for.as_deref(), Some("room in account agent a"));
    assert_eq!(o.status().queue.budget_limited, 1);
    let small = o.execute(task("x").estimate(Amount::tokens(9))).await;
    assert!(small.unwrap().is_success());
    assert!(o.delegate_task(large()).await.is_err());
    assert_eq!(waits.view().unwrap().state, TaskState::Queued);
    o.wake_agent(&aid("b")).await.unwrap();
    assert_eq!(waits.outcome().await.unwrap().result(), "b");
    assert_eq!(o.status().queue.budget_limited, 0);
}

#[tokio::test(start_paused = true)]
async fn a_capped_agent_takes_work_again_when_its_reservation_comes_back() {
    let o = plain().await;
    let agent = worker("a", &["nap"], sleeper()).concurrency(2);
    o.register_agent(agent.budget(tokens(10))).await.unwrap();
    let nap = || task("nap").payload(100).estimate(Amount::tokens(8));
    let both = o.execute_tasks(vec![nap(), nap()]).await;
    assert!(both.iter().all(|r| r.as_ref().unwrap().is_success()));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_could_never_pay_its_call_is_refused_at_the_door() {
    let o = with_agents(&[("a", None)]).await;
    let refused = o.execute(task("x").budget(calls(0))).await.unwrap_err();
    assert_eq!(refused.reason().as_str(), "over_budget");
    assert_eq!(o.status().tasks.accepted, 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_waits_while_only_reservations_stand_in_its_way() {
    let o = plain().await;
    let run = open(&o, "r", tokens(10));
    let agent = worker("a", &["nap"], sleeper()).concurrency(4);
    o.register_agent(agent).await.unwrap();
    let mut naps = Vec::new();
    for _ in 0..3 {
        naps.push(o.submit_task(nap(8).delay(ms(10))).await.unwrap());
    }
    tokio::time::sleep(ms(50)).await;
    let waiting: Vec<_> = naps.iter().filter_map(|n| n.view()?.waiting_for).collect();
    assert_eq!(waiting, ["room in account run r"; 2]);
    // What has room is not held up.
    assert!(o.execute(nap(2)).await.unwrap().is_success());
    for nap in naps {
        assert!(nap.outcome().await.unwrap().is_success());
    }
    let account = o.account(&run).unwrap();
    assert_eq!((account.spent.calls, account.reserved.calls), (4, 0));
    check_conservation(&o);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_a_budget_is_rejected_once_it_is_spent() {
    let o = plain().await;
    open(&o, "r", tokens(10));
    let spends = agent_fn(|(): (), context: TaskContext| async move {
        tokio::time::sleep(ms(100)).await;
        context.charge(Amount::tokens(8))?;
        Ok::<_, AgentError>(())
    });
    let agent = worker("a", &["x"], spends).concurrency(4);
    o.register_agent(agent).await.unwrap();
    let spend = || task("x").run("r").estimate(Amount::tokens(8));
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(o.submit_task(spend().delay(ms(10))).await.unwrap());
    }
    let mut kinds = Vec::new();
    for task in tasks {
        kinds.push(task.outcome().await.unwrap().failure_kind());
    }
    let over = Some(FailureKind::OverBudget);
    assert_eq!(kinds, [None, over, over, over]);
}

#[tokio::test(start_paused = true)]
async fn room_comes_back_by_a_bill_below_its_reservation_and_by_closing_the_run() {
    let o = plain().await;
    open(&o, "r", tokens(10));
    let thrifty = agent_fn(|(): (), context: TaskContext| async move {
        let reservation = context.reserve(Amount::tokens(9))?;
        tokio::time::sleep(ms(100)).await;
        reservation.settle(Amount::tokens(1));
        std::future::pending::<()>().await;
        Ok::<_, AgentError>(())
    });
    o.register_agent(worker("t", &["t"], thrifty))
        .await
        .unwrap();
    let agent = worker("a", &["nap"], sleeper()).concurrency(2);
    o.register_agent(agent).await.unwrap();
    let first = o.submit_task(nap(5).delay(ms(20))).await.unwrap();
    let second = o.submit_task(nap(8).delay(ms(20))).await.unwrap();
    let thrifty = o.submit_task(task("t").run("r")).await.unwrap();
    tokio::time::sleep(ms(50)).await;
    assert_eq!(o.status().queue.budget_limited, 2);
    tokio::time::sleep(ms(70)).await;
    assert_eq!(first.view().unwrap().state, TaskState::Running);
    assert_eq!(second.view().unwrap().state, TaskState::Queued);
    o.close_run(&RunId::new("r").unwrap()).unwrap();
    settle().await;
    assert_eq!(second.view().unwrap().state, TaskState::Running);
    thrifty.cancel();
    assert!(second.outcome().await.unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_a_budget_can_be_cancelled_and_expires() {
    let o = plain().await;
    open(&o, "r", tokens(10));
    o.register_agent(worker("a", &["nap"], sleeper()).concurrency(4))
        .await
        .unwrap();
    let holder = o.submit_task(nap(8).delay(ms(10))).await.unwrap();
    let cancelled = o.submit_task(nap(8).delay(ms(11))).await.unwrap();
    let late = nap(8).delay(ms(12)).deadline_in(ms(60));
    let late = o.submit_task(late).await.unwrap();
    let last = o.submit_task(nap(8).delay(ms(13))).await.unwrap();
    tokio::time::sleep(ms(50)).await;
    assert_eq!(o.status().queue.budget_limited, 3);
    assert!(cancelled.cancel());
    assert_eq!(late.outcome().await.unwrap().state(), TaskState::TimedOut);
    assert_eq!(o.status().queue.budget_limited, 1);
    assert!(holder.outcome().await.unwrap().is_success());
    assert!(last.outcome().await.unwrap().is_success());
    check_conservation(&o);
}

/// What it would wait for may be what its parent holds.
#[tokio::test(start_paused = true)]
async fn a_child_does_not_wait_for_a_budget() {
    let o = plain().await;
    open(&o, "r", tokens(10));
    let parent = agent_fn(|(): (), context: TaskContext| async move {
        let _held = context.reserve(Amount::tokens(1))?;
        let child = task("nap").payload(1).estimate(Amount::tokens(8));
        let first = context.execute_child(child.clone().delay(ms(10)));
        let later = async {
            tokio::time::sleep(ms(5)).await;
            context.reserve(Amount::tokens(8))
        };
        let (first, _held) = tokio::join!(first, later);
        let failure = first?.failure_kind();
        Ok::<_, AgentError>(format!("{failure:?}"))
    });
    o.register_agent(worker("p", &["p"], parent)).await.unwrap();
    o.register_agent(worker("a", &["nap"], sleeper()))
        .await
        .unwrap();
    let outcome = o.execute(task("p").run("r")).await.unwrap();
    assert_eq!(outcome.result(), "Some(OverBudget)");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_pays_on_the_day_on_which_an_attempt_begins() {
    let clock = TestWallClock::at(secs(86_400 * 20_000));
    let mut config = quiet_config();
    config.budget.tenant_per_day.calls = Some(2);
    let builder = test_builder(config).wall_clock(clock.clone());
    let o = builder.start().await.unwrap();
    o.register_agent(worker("a", &["x"], echo())).await.unwrap();
    let of = |tenant: &str| task("x").tenant(tenant).payload(json!(1));
    let mut delayed = Vec::new();
    for _ in 0..10 {
        let later = of("shop").delay(secs(86_400 * 3));
        delayed.push(o.submit_task(later).await.unwrap());
    }
    clock.advance(secs(86_400 * 3));
    // A tenant's first task of a day closes the accounts of days long past.
    let _ = o.execute(of("other")).await.unwrap();
    let mut succeeded = 0;
    for task in delayed {
        succeeded += u64::from(task.outcome().await.unwrap().is_success());
    }
    assert_eq!(succeeded, 2);
    let today = AccountId::TenantDay(Tenant::new("shop").unwrap(), 20_003);
    assert_eq!(o.account(&today).unwrap().spent.calls, 2);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_estimate_of_busy_time_bounds_what_runs_at_once() {
    let o = plain().await;
    let run = open(&o, "r", Limits::unlimited().with_busy(secs(1)));
    let agent = worker("a", &["nap"], sleeper()).concurrency(50);
    o.register_agent(agent).await.unwrap();
    let nap = || task("nap").run("r").payload(300).delay(ms(1));
    let mut naps = Vec::new();
    for _ in 0..50 {
        let estimated = nap().estimate(Amount::busy(ms(300)));
        naps.push(o.submit_task(estimated).await.unwrap());
    }
    let mut succeeded = 0;
    for nap in naps {
        succeeded += u64::from(nap.outcome().await.unwrap().is_success());
    }
    assert_eq!(succeeded, 3);
    assert_eq!(o.account(&run).unwrap().spent.busy, ms(900));
    assert_eq!(spent_tokens(&o, &run), 0);
}
