//! Code that is no agent draws on the same accounts; runs within runs narrow them.

use universal_orchestrator::{
    AccountId, Amount, BudgetError, Limits, RunId, Task, Tenant, UniversalOrchestrator,
};
use universal_orchestrator_testkit::{quiet_config, test_orchestrator};

fn tokens(o: &UniversalOrchestrator, account: &AccountId) -> (u64, u64) {
    let view = o.account(account).expect("it is open");
    (view.spent.tokens, view.reserved.tokens)
}

fn limits(tokens: u64) -> Limits {
    Limits::unlimited().with_tokens(tokens)
}

#[tokio::test(start_paused = true)]
async fn a_run_within_another_narrows_it() {
    let o = test_orchestrator(quiet_config()).await;
    let (outer, inner) = (RunId::new("outer").unwrap(), RunId::new("inner").unwrap());
    o.open_run(&outer, limits(100)).unwrap();
    o.open_run_within(&inner, &outer, limits(30)).unwrap();
    let spending = o.spending(Some(&inner), None).unwrap();
    assert!(matches!(
        spending.begin(Amount::tokens(31)),
        Err(BudgetError::Exhausted { account: AccountId::Run(run), .. }) if run == inner
    ));
    let hold = spending.begin(Amount::tokens(30)).unwrap();
    assert_eq!(tokens(&o, &AccountId::Run(outer.clone())), (0, 30));
    hold.charge(Amount::tokens(7)).unwrap();
    assert_eq!(hold.finish(Amount::calls(1)).tokens, 7);
    for account in [
        AccountId::Run(inner.clone()),
        AccountId::Run(outer.clone()),
        AccountId::Global,
    ] {
        assert_eq!(tokens(&o, &account), (7, 0), "{account}");
    }
    let error = o.open_run_within(&inner, &outer, limits(1)).unwrap_err();
    assert_eq!(error, BudgetError::DuplicateRun { run: inner });
    let nowhere = RunId::new("nowhere").unwrap();
    let error = o.open_run_within(&RunId::new("x").unwrap(), &nowhere, limits(1));
    assert_eq!(error, Err(BudgetError::UnknownRun { run: nowhere }));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_of_an_inner_run_draws_on_the_outer() {
    use universal_orchestrator::{AgentRole, AgentSpec, FailureKind};
    use universal_orchestrator_testkit::{ScriptedAgent, Step};
    let o = test_orchestrator(quiet_config()).await;
    let (outer, inner) = (RunId::new("outer").unwrap(), RunId::new("inner").unwrap());
    o.open_run(&outer, limits(5)).unwrap();
    o.open_run_within(&inner, &outer, limits(100)).unwrap();
    let agent = ScriptedAgent::steps([Step::Charge(Amount::tokens(4))]);
    let spec = AgentSpec::new("a", AgentRole::Worker).in_process(agent);
    o.register_agent(spec).await.unwrap();
    assert!(
        o.execute(Task::new("t").run("inner"))
            .await
            .unwrap()
            .is_success()
    );
    let second = o.execute(Task::new("t").run("inner")).await.unwrap();
    assert_eq!(second.failure_kind(), Some(FailureKind::OverBudget));
    assert_eq!(tokens(&o, &AccountId::Run(outer)), (4, 0));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_dropped_is_charged_whole_and_wakes_who_waits() {
    use universal_orchestrator::{AgentRole, AgentSpec};
    use universal_orchestrator_testkit::{ScriptedAgent, settle};
    let o = test_orchestrator(quiet_config()).await;
    let agent = ScriptedAgent::succeeds(1);
    let spec = AgentSpec::new("a", AgentRole::Worker).in_process(agent.clone());
    o.register_agent(spec).await.unwrap();
    let run = RunId::new("run").unwrap();
    o.open_run(&run, limits(10)).unwrap();
    let tenant = Tenant::new("ann").unwrap();
    let spending = o.spending(Some(&run), Some(&tenant)).unwrap();
    assert_eq!(spending.accounts().len(), 3);
    drop(spending.begin(Amount::tokens(4)).unwrap());
    assert_eq!(tokens(&o, &AccountId::Run(run.clone())), (4, 0));

    o.pause_queue();
    let task = Task::new("t").run("run").estimate(Amount::tokens(6));
    let handle = o.submit_task(task).await.unwrap();
    let hold = spending.begin(Amount::tokens(6)).unwrap();
    o.resume_queue();
    settle().await;
    assert!(handle.try_outcome().is_none(), "there is no room");
    assert_eq!(hold.finish(Amount::default()).tokens, 0);
    settle().await;
    assert_eq!(agent.calls().len(), 1, "nobody but the hold woke it");
    assert!(handle.outcome().await.unwrap().is_success());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_bill_is_recorded_as_it_is_and_lost_work_is_charged_whole() {
    let o = test_orchestrator(quiet_config()).await;
    let run = RunId::new("run").unwrap();
    o.open_run(&run, limits(10)).unwrap();
    let spending = o.spending(Some(&run), None).unwrap();
    let hold = spending.begin(Amount::tokens(4)).unwrap();
    hold.bill(Amount::tokens(3));
    assert_eq!(tokens(&o, &AccountId::Run(run.clone())), (3, 1));
    assert_eq!(hold.lose(Amount::calls(1)).tokens, 4);
    let hold = spending.begin(Amount::tokens(1)).unwrap();
    hold.bill(Amount::tokens(9));
    assert_eq!(tokens(&o, &AccountId::Run(run.clone())), (13, 0));
    assert!(matches!(
        spending.begin(Amount::default()),
        Err(BudgetError::Overdrawn { .. })
    ));
    let _ = hold.finish(Amount::default());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn runs_within_runs_are_bounded() {
    let o = test_orchestrator(quiet_config()).await;
    let name = |n: usize| RunId::new(format!("run-{n}")).unwrap();
    o.open_run(&name(0), limits(1)).unwrap();
    let deep = (1..100).find_map(|n| o.open_run_within(&name(n), &name(n - 1), limits(1)).err());
    assert_eq!(
        deep.map(|e| e.to_string()).as_deref(),
        Some("run run-33 would be within 32 others, the limit: open it within a wider one")
    );
    o.shutdown().await;
}
