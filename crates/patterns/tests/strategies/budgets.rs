//! Check C1: what is spent never exceeds a limit, whoever spends; zero is zero; one kind of error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use universal_orchestrator::{
    AccountId, AgentError, AgentRole, AgentSpec, Amount, Decimal, Limits, Task, TaskContext,
    UniversalOrchestrator, agent_fn,
};
use universal_orchestrator_patterns::{
    ErrorCategory, OrchestrationContext, Parallel, Sequential, Specialist, Step, StepContext,
    StepFailure, StopReason,
};
use universal_orchestrator_testkit::{TestWallClock, quiet_config, test_builder};

use crate::common::{buys, orchestrator, tokens, with_budget};

#[tokio::test(start_paused = true)]
async fn c1_a_budget_stop_ends_the_run_and_keeps_what_was_found() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(10));
    let all = Sequential::new("all")
        .step(buys("a", 4, 4))
        .step(buys("b", 4, 4))
        .step(buys("c", 4, 4))
        .step(buys("d", 0, 0));
    let report = all.report(&context, 1).await;
    let found: Vec<_> = report.found().map(|(name, _)| name).collect();
    assert_eq!(found, ["a", "b"]);
    assert!(matches!(report.stopped(), Some(StopReason::Budget { .. })));
    assert_eq!(
        report.steps()[3].result().attempts(),
        0,
        "nothing runs after the stop"
    );
    assert_eq!(
        (
            report.cost().tokens,
            context.account().unwrap().spent.tokens
        ),
        (8, 8)
    );
    let step = report.into_step(universal_orchestrator_patterns::Required::All);
    assert_eq!(
        step.failure().map(|f| (f.category(), f.is_retryable())),
        Some((ErrorCategory::Budget, false))
    );
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn c1_one_failing_specialist_does_not_stop_the_rest_but_an_overdrawn_account_does() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(10));
    let fails = Specialist::function("fails", |_: u32, _: StepContext| async move {
        Err::<u32, _>(StepFailure::permanent("told to"))
    });
    let overdraws = Specialist::function("overdraws", |n: u32, step: StepContext| async move {
        step.bill(Amount::tokens(11))?;
        Ok::<_, StepFailure>(n)
    });
    let all = Sequential::new("all")
        .step(fails)
        .step(buys("a", 1, 1))
        .step(overdraws)
        .step(buys("b", 0, 0));
    let report = all.report(&context, 1).await;
    let found: Vec<_> = report.found().map(|(name, _)| name).collect();
    assert_eq!(found, ["a", "overdraws"], "the bill is recorded as it is");
    assert!(
        matches!(report.stopped(), Some(StopReason::Budget { detail }) if detail.contains("overdrawn"))
    );
    assert!(context.account().unwrap().overdrawn);
    let more = buys("more", 0, 0).run(&context, 1).await;
    assert!(
        more.skip_reason().is_some(),
        "everything further is refused"
    );
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn c1_the_last_step_s_overdraft_is_said_too() {
    let o = orchestrator().await;
    for parallel in [false, true] {
        let context = with_budget(&o, tokens(10));
        let overdraws = Specialist::function("overdraws", |n: u32, step: StepContext| async move {
            step.bill(Amount::tokens(11))?;
            Ok::<_, StepFailure>(n)
        });
        let report = if parallel {
            Parallel::new("all")
                .step(overdraws)
                .report(&context, 1)
                .await
        } else {
            Sequential::new("all")
                .step(overdraws)
                .report(&context, 1)
                .await
        };
        assert!(report.is_complete());
        assert!(matches!(report.stopped(), Some(StopReason::Budget { .. })));
        drop(context);
    }
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn c1_zero_is_zero_of_every_unit() {
    let o = orchestrator().await;
    let money = |n: u32| Amount::money(Decimal::from(n));
    for (limits, amount) in [
        (tokens(0), Amount::tokens(1)),
        (Limits::unlimited().with_money(Decimal::ZERO), money(1)),
        (Limits::unlimited().with_calls(0), Amount::default()),
    ] {
        let context = with_budget(&o, limits);
        let spends = Specialist::function("spends", move |n: u32, step: StepContext| async move {
            step.charge(amount)?;
            Ok::<_, StepFailure>(n)
        });
        let unforeseen = spends.run(&context, 1).await;
        let refused = match unforeseen.failure() {
            Some(failure) => failure.category() == ErrorCategory::Budget && !failure.is_retryable(),
            None => unforeseen.skip_reason().is_some(),
        };
        assert!(refused, "{unforeseen:?}");
        let spent = context.account().unwrap().spent;
        assert_eq!((spent.tokens, spent.money), (0, Decimal::ZERO));
        drop(context);
    }
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn c1_a_tenant_s_day_caps_all_of_its_runs() {
    let mut config = quiet_config();
    config.budget.tenant_per_day.tokens = Some(10);
    let clock = TestWallClock::at(Duration::from_secs(86_400 * 20_000));
    let o = test_builder(config)
        .wall_clock(clock.clone())
        .start()
        .await
        .unwrap();
    let of = |tenant: &str| {
        OrchestrationContext::builder(&o)
            .tenant(tenant)
            .budget(tokens(8))
            .build()
            .unwrap()
    };
    let (first, second) = (of("ann"), of("ann"));
    assert!(buys("a", 8, 8).run(&first, 1).await.is_success());
    assert!(
        buys("a", 8, 8)
            .run(&second, 1)
            .await
            .skip_reason()
            .is_some(),
        "ann has two left"
    );
    assert!(buys("a", 8, 8).run(&of("bob"), 1).await.is_success());
    clock.advance(Duration::from_secs(86_400));
    assert!(
        buys("a", 8, 8).run(&of("ann"), 1).await.is_success(),
        "a new day"
    );
    drop((first, second));
    o.shutdown().await;
}

/// How a specialist of the property test behaves with its money.
#[derive(Debug, Clone, Copy)]
enum Act {
    Charges,
    Crashes,
    Hangs,
    Fails,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    act: Act,
    estimate: u64,
    charge: u64,
    is_agent: bool,
    wait_ms: u64,
}

fn plan() -> impl Strategy<Value = Plan> {
    let act = prop_oneof![4 => Just(Act::Charges), 1 => Just(Act::Crashes), 1 => Just(Act::Hangs), 1 => Just(Act::Fails)];
    (act, 0_u64..40, 0_u64..40, any::<bool>(), 0_u64..20).prop_map(
        |(act, estimate, charge, is_agent, wait_ms)| Plan {
            act,
            estimate,
            charge,
            is_agent,
            wait_ms,
        },
    )
}

async fn play(
    plan: Plan,
    charge: impl Fn(u64) -> Result<(), StepFailure>,
) -> Result<u32, StepFailure> {
    charge(plan.charge / 2)?;
    tokio::time::sleep(Duration::from_millis(plan.wait_ms)).await;
    match plan.act {
        Act::Charges => charge(plan.charge - plan.charge / 2).map(|()| 1),
        Act::Crashes => panic!("told to"),
        Act::Hangs => std::future::pending().await,
        Act::Fails => Err(StepFailure::permanent("told to")),
    }
}

async fn specialist(o: &UniversalOrchestrator, n: usize, plan: Plan) -> Specialist<u32, u32> {
    let name = format!("s{n}");
    let made = if plan.is_agent {
        let work = agent_fn(move |_: u32, context: TaskContext| async move {
            let charge = |tokens| {
                context
                    .charge(Amount::tokens(tokens))
                    .map_err(StepFailure::from)
            };
            play(plan, charge)
                .await
                .map_err(|f| AgentError::permanent(f.to_string()))
        });
        let spec = AgentSpec::new(&*name, AgentRole::Specialist).capabilities([&*name]);
        o.register_agent(spec.in_process(work)).await.unwrap();
        Specialist::agent(name.clone(), Task::new("t").requires([&*name]))
    } else {
        Specialist::function(name, move |_: u32, step: StepContext| async move {
            play(plan, |tokens| {
                step.charge(Amount::tokens(tokens))
                    .map_err(StepFailure::from)
            })
            .await
        })
    };
    made.estimate(Amount::tokens(plan.estimate))
        .timeout(Duration::from_millis(200))
}

/// Runs all plans at once, watches the accounts meanwhile, and perhaps cancels.
async fn spend(limit: u64, plans: Vec<Plan>, cancel_after_ms: u64) {
    let mut config = quiet_config();
    config.budget.global.tokens = Some(limit + 20);
    config.tasks.cancel_grace_ms = 1;
    let o = test_builder(config).start().await.unwrap();
    let context = with_budget(&o, tokens(limit));
    let mut all = Parallel::new("all").at_most(8);
    for (n, plan) in plans.iter().enumerate() {
        all = all.step(specialist(&o, n, *plan).await);
    }
    let run = AccountId::Run(context.run().unwrap().clone());
    let done = Arc::new(AtomicBool::new(false));
    let check = |account: &AccountId, limit: u64| {
        let view = o.account(account).unwrap();
        assert!(
            view.spent.tokens + view.reserved.tokens <= limit,
            "{view:?}"
        );
        assert!(!view.overdrawn, "{view:?}");
        view
    };
    let watch = async {
        while !done.load(Ordering::SeqCst) {
            check(&run, limit);
            check(&AccountId::Global, limit + 20);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let work = async {
        let mut report = Box::pin(all.report(&context, 1));
        let in_time =
            tokio::time::timeout(Duration::from_millis(cancel_after_ms), &mut report).await;
        if in_time.is_err() {
            context.cancel();
            let _ = report.await;
        }
        // What was cancelled has its grace.
        tokio::time::sleep(Duration::from_millis(50)).await;
        done.store(true, Ordering::SeqCst);
    };
    tokio::join!(watch, work);
    for (account, limit) in [(run, limit), (AccountId::Global, limit + 20)] {
        let view = check(&account, limit);
        assert!(
            view.reserved.is_zero(),
            "every reservation is settled or returned: {view:?}"
        );
    }
    drop(context);
    o.shutdown().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, max_shrink_time: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn c1_what_is_spent_never_exceeds_a_limit(
        limit in 0_u64..300,
        plans in vec(plan(), 1..24),
        cancel_after_ms in 0_u64..300,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(spend(limit, plans, cancel_after_ms));
    }
}

/// The same on several threads, with many more at once than the budget has room for.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn c1_many_agents_at_once_do_not_overspend() {
    let plan = |n: u64| Plan {
        act: if n.is_multiple_of(7) {
            Act::Crashes
        } else {
            Act::Charges
        },
        estimate: n % 5,
        charge: n % 11,
        is_agent: n.is_multiple_of(2),
        wait_ms: 0,
    };
    spend(60, (0..64).map(plan).collect(), 10_000).await;
}
