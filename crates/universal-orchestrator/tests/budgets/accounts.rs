//! Which accounts a task draws on: its own and its parents', the run, the tenant's day, the whole, the agent's.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use universal_orchestrator::{
    AccountId, AgentError, Amount, BudgetError, Limits, Refusal, RunId, Task, TaskContext,
    UniversalOrchestrator, agent_fn,
};
use universal_orchestrator_testkit::{TestWallClock, quiet_config, test_builder};

use crate::common::*;
use crate::*;

const LEVELS: [&str; 5] = ["task", "run", "tenant", "global", "agent"];

/// An orchestrator in which each account has the limit that `limit` gives for its level, and the path of the task `t`.
async fn levels(
    errors: &Errors,
    limit: impl Fn(&str) -> u64,
) -> (UniversalOrchestrator, Task, Vec<AccountId>) {
    let clock = TestWallClock::at(secs(86_400 * 20_000));
    let mut config = quiet_config();
    config.budget.global.tokens = Some(limit("global"));
    config.budget.tenant_per_day.tokens = Some(limit("tenant"));
    let builder = test_builder(config).wall_clock(clock);
    let o = builder.start().await.unwrap();
    let agent = worker("a", &["pay"], payer(errors)).budget(tokens(limit("agent")));
    o.register_agent(agent).await.unwrap();
    let run = open(&o, "r", tokens(limit("run")));
    let task = task("pay").id("t").run("r").tenant("shop");
    let accounts = vec![
        AccountId::Task(tid("t")),
        run,
        tenant_day("shop", 20_000),
        AccountId::Global,
        AccountId::Agent(aid("a")),
    ];
    (o, task.budget(tokens(limit("task"))), accounts)
}

#[tokio::test(start_paused = true)]
async fn the_account_without_room_is_named_and_no_account_is_charged() {
    for (at, level) in LEVELS.into_iter().enumerate() {
        let errors = Errors::default();
        let limit = |of: &str| if of == level { 99 } else { 1_000 };
        let (o, task, accounts) = levels(&errors, limit).await;
        let outcome = o.execute(task.payload(json!([100, 99]))).await.unwrap();
        assert_eq!(outcome.result(), 1, "{level}: the second charge fits");
        assert_eq!(
            errors.take(),
            [BudgetError::Exhausted {
                account: accounts[at].clone(),
                unit: universal_orchestrator::Unit::Tokens,
                limit: "99".to_owned(),
                used: "0".to_owned(),
                asked: "100".to_owned(),
            }],
            "{level}"
        );
        for account in &accounts[1..] {
            assert_eq!(stands(&o, account), (99, 0), "{level}: {account}");
        }
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_charge_is_in_every_account_and_the_tasks_own_is_closed_with_it() {
    let errors = Errors::default();
    let (o, task, accounts) = levels(&errors, |_| 1_000).await;
    let while_it_runs = {
        let (o, accounts) = (o.clone(), accounts.clone());
        agent_fn(move |_: (), context: TaskContext| {
            let (o, accounts) = (o.clone(), accounts.clone());
            async move {
                context.charge(Amount::tokens(7))?;
                let all: Vec<u64> = accounts[..4].iter().map(|a| stands(&o, a).0).collect();
                Ok::<_, AgentError>(all)
            }
        })
    };
    let looking = worker("b", &["look"], while_it_runs);
    o.register_agent(looking).await.unwrap();
    let outcome = o.execute(task.requires(["look"])).await.unwrap();
    assert_eq!(outcome.result(), &json!([7, 7, 7, 7]));
    assert_eq!((outcome.cost().tokens, outcome.cost().calls), (7, 1));
    assert_eq!(o.account(&accounts[0]), None, "the task's account");
    assert_eq!(stands(&o, &accounts[4]), (0, 0), "the other agent's cap");
    o.deregister_agent(&aid("a")).await.unwrap();
    assert_eq!(o.account(&accounts[4]), None, "an agent's account");
    o.shutdown().await;
}

/// An agent with a cap of its own used to keep what it spent from the account of the whole.
#[tokio::test(start_paused = true)]
async fn an_agents_cap_holds_over_all_its_tasks_and_the_whole_counts_them_too() {
    let errors = Errors::default();
    let o = plain().await;
    let capped = worker("a", &["pay"], payer(&errors)).budget(tokens(10));
    o.register_agent(capped).await.unwrap();
    for tenant in ["shop", "bank"] {
        let paying = task("pay").tenant(tenant).payload(json!([5]));
        assert!(o.execute(paying).await.unwrap().is_success());
    }
    assert_eq!(stands(&o, &AccountId::Agent(aid("a"))), (10, 0));
    assert_eq!(stands(&o, &AccountId::Global), (10, 0));
    drop(o.execute(task("pay").payload(json!([1]))).await.unwrap());
    let refused = errors.take();
    let [BudgetError::Exhausted { account, .. }] = &refused[..] else {
        panic!("{refused:?}")
    };
    assert_eq!(account, &AccountId::Agent(aid("a")));
    // Another agent of the same capability has a purse of its own.
    let other = worker("b", &["pay2"], payer(&errors));
    o.register_agent(other).await.unwrap();
    let outcome = o.execute(task("pay2").payload(json!([1]))).await.unwrap();
    assert_eq!(outcome.result(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_child_can_only_narrow_what_its_parent_may_spend() {
    let errors = Errors::default();
    let o = plain().await;
    let run = open(&o, "r", tokens(1_000));
    let rich = open(&o, "rich", tokens(1_000_000));
    let leaf = worker("leaf", &["pay"], payer(&errors)).concurrency(4);
    o.register_agent(leaf).await.unwrap();
    let parent = agent_fn(|_: (), context: TaskContext| async move {
        let wide = task("pay").id("wide").budget(tokens(1_000_000)).run("rich");
        let narrow = task("pay").id("narrow").budget(tokens(20));
        let mut taken = Vec::new();
        for (child, amounts) in [
            (wide, json!([101, 60])),  // the parent's 100 hold, and 60 fit
            (narrow, json!([21, 15])), // its own 20 hold
            (task("pay").id("plain"), json!([26, 25])), // what the others left: 25
        ] {
            let outcome = context.execute_child(child.payload(amounts)).await?;
            taken.push(outcome.result().clone());
        }
        let own = context.charge(Amount::tokens(1)).is_err();
        Ok::<_, AgentError>(json!([taken, own]))
    });
    let parents = worker("p", &["parent"], parent);
    o.register_agent(parents).await.unwrap();
    let task = task("parent").id("top").run("r").budget(tokens(100));
    let outcome = o.execute(task).await.unwrap();
    assert_eq!(outcome.result(), &json!([[1, 1, 1], true]));
    let accounts: Vec<String> = errors
        .take()
        .into_iter()
        .map(|error| match error {
            BudgetError::Exhausted { account, .. } => account.to_string(),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(accounts, ["task top", "task narrow", "task top"]);
    assert_eq!(stands(&o, &run), (100, 0), "the parent's run pays");
    assert_eq!(stands(&o, &rich), (0, 0), "and not one that a child names");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_has_a_new_purse_at_midnight_utc_and_pays_on_the_day_of_the_attempt() {
    let errors = Errors::default();
    let clock = TestWallClock::at(secs(86_400 * 20_000 + 86_399));
    let mut config = quiet_config();
    config.budget.tenant_per_day.tokens = Some(10);
    let builder = test_builder(config).wall_clock(clock.clone());
    let o = builder.start().await.unwrap();
    let agent = worker("a", &["pay"], payer(&errors));
    o.register_agent(agent).await.unwrap();
    let pay = |amount: u64| task("pay").tenant("shop").payload(json!([amount]));
    assert_eq!(o.execute(pay(10)).await.unwrap().result(), 1);
    assert_eq!(o.execute(pay(1)).await.unwrap().result(), 0, "spent up");
    let bank = task("pay").tenant("bank").payload(json!([4]));
    assert_eq!(o.execute(bank).await.unwrap().result(), 1, "another tenant");
    let nobody = task("pay").payload(json!([4_000]));
    assert_eq!(o.execute(nobody).await.unwrap().result(), 1, "no tenant");

    let late = o.submit_task(pay(1).delay(secs(60))).await.unwrap();
    clock.advance(secs(1));
    assert_eq!(o.execute(pay(9)).await.unwrap().result(), 1, "a new day");
    let late = late.outcome().await.unwrap();
    assert_eq!(late.result(), 1, "accepted yesterday, which is spent up");
    assert_eq!(stands(&o, &tenant_day("shop", 20_000)), (10, 0));
    assert_eq!(stands(&o, &tenant_day("shop", 20_001)), (10, 0));

    clock.advance(secs(3 * 86_400));
    drop(o.execute(pay(1)).await.unwrap());
    assert_eq!(o.account(&tenant_day("shop", 20_000)), None, "long past");
    assert_eq!(stands(&o, &tenant_day("shop", 20_004)), (1, 0));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn runs_are_opened_once_and_closed_once_and_their_tasks_go_on() {
    let o = plain().await;
    o.register_agent(external("e", &["x"])).await.unwrap();
    let run = RunId::new("r").unwrap();
    let in_run = || task("x").id("t").run("r").payload("mine");
    let refused = o.submit_task(in_run()).await.unwrap_err();
    let unknown = BudgetError::UnknownRun { run: run.clone() };
    assert_eq!(refused.reason(), &Refusal::OverBudget(unknown.clone()));
    assert_eq!(refused.task().payload_value(), "mine");
    assert_eq!(o.close_run(&run).unwrap_err(), unknown);

    open(&o, "r", tokens(10));
    let again = o.open_run(&run, Limits::unlimited()).unwrap_err();
    assert_eq!(again, BudgetError::DuplicateRun { run: run.clone() });
    let d = o.delegate_task(in_run()).await.unwrap();
    o.charge_task(&d, Amount::tokens(8)).await.unwrap();
    assert!(o.charge_task(&d, Amount::tokens(3)).await.is_err());
    let closed = o.close_run(&run).unwrap();
    assert_eq!((closed.spent.tokens, closed.reserved.calls), (8, 1));
    o.charge_task(&d, Amount::tokens(3)).await.unwrap();
    o.complete_task(&d, 1).await.unwrap();
    assert_eq!(stands(&o, &AccountId::Global), (11, 0));
    open(&o, "r", tokens(10));
    assert_eq!(stands(&o, &AccountId::Run(run)), (0, 0), "a new one");
}

/// Of two callers that open the same run at the same time, one succeeds, and its limits hold.
#[tokio::test(start_paused = true)]
async fn a_run_is_opened_by_one_of_two_callers() {
    let o = plain().await;
    let runs: Vec<_> = (0..20_000)
        .map(|n| RunId::new(format!("r{n}")).unwrap())
        .collect();
    let there = AtomicU64::new(0);
    let opened_by = |caller: u64| {
        let (o, runs, there) = (&o, &runs, &there);
        move || {
            let opens = |(round, run): (u64, &RunId)| {
                there.fetch_add(1, Ordering::SeqCst);
                // std::sync::Barrier wakes one after the other.
                while there.load(Ordering::SeqCst) < 2 * (round + 1) {
                    std::thread::yield_now();
                }
                o.open_run(run, tokens(caller)).is_ok()
            };
            (0..).zip(runs).map(opens).collect::<Vec<_>>()
        }
    };
    let opened: Vec<Vec<bool>> = std::thread::scope(|s| {
        let callers: Vec<_> = (0..2).map(|caller| s.spawn(opened_by(caller))).collect();
        callers.into_iter().map(|c| c.join().unwrap()).collect()
    });
    for (n, run) in runs.iter().enumerate() {
        let winners: Vec<u64> = (0..2).filter(|c| opened[*c as usize][n]).collect();
        let limits = o.account(&AccountId::Run(run.clone())).unwrap().limits;
        assert_eq!(winners.len(), 1, "{run}");
        assert_eq!(limits, tokens(winners[0]), "{run}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_account_stops_its_tasks_and_nobody_else() {
    let o = plain().await;
    let errors = Errors::default();
    let agent = worker("a", &["pay"], payer(&errors));
    o.register_agent(agent).await.unwrap();
    let one_call = Limits::unlimited().with_calls(1);
    open(&o, "poor", one_call);
    open(&o, "rich", Limits::unlimited());
    let of = |run: &str| task("pay").run(run).payload(json!([1]));
    assert!(o.execute(of("poor")).await.unwrap().is_success());
    let over = o.execute(of("poor")).await.unwrap_err();
    assert_eq!(over.reason().as_str(), "over_budget");
    let refused = o.delegate_task(of("poor")).await.unwrap_err();
    assert_eq!(refused.reason().as_str(), "over_budget");
    assert_eq!(refused.task().run_id().unwrap().as_str(), "poor");
    assert!(o.execute(of("rich")).await.unwrap().is_success());
    let status = o.status();
    assert_eq!((status.agents.busy, status.tasks.active), (0, 0));
    check_conservation(&o);
}
