//! Budgets under many tasks at once: the sum of what is spent and reserved never exceeds a limit, and nothing stays reserved.

#![expect(
    clippy::disallowed_methods,
    reason = "a test is not the orchestrator: it spawns what calls it"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use universal_orchestrator::{
    AccountId, AccountView, AgentError, AgentRole, AgentSpec, Amount, BudgetError, Limits, RunId,
    Task, TaskContext, UniversalOrchestrator, agent_fn,
};
use universal_orchestrator_testkit::{TestWallClock, quiet_config, test_builder};

/// One thing that an agent does with its budget, in tokens.
#[derive(Debug, Clone, Copy)]
enum Act {
    Charge(u64),
    /// Reserves, waits a moment, and is billed at most that.
    Settle(u64, u64),
    /// Reserves and returns it.
    Release(u64),
    /// Reserves and loses the reservation, which is charged whole.
    Forget(u64),
    /// Ends the attempt, to be tried again.
    Retry,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0u64..40).prop_map(Act::Charge),
        4 => (0u64..40, 0u64..40).prop_map(|(a, b)| Act::Settle(a.max(b), a.min(b))),
        2 => (0u64..40).prop_map(Act::Release),
        1 => (0u64..40).prop_map(Act::Forget),
        1 => Just(Act::Retry),
    ]
}

/// What was paid according to the agents themselves.
#[derive(Debug, Default)]
struct Books {
    paid: AtomicU64,
}

async fn play(acts: Vec<Act>, context: TaskContext, books: Arc<Books>) -> Result<(), AgentError> {
    let pay = |tokens| {
        books.paid.fetch_add(tokens, Ordering::SeqCst);
    };
    for (n, act) in acts.into_iter().enumerate() {
        match act {
            Act::Charge(tokens) => {
                context.charge(Amount::tokens(tokens))?;
                pay(tokens);
            }
            Act::Settle(reserved, billed) => {
                let reservation = context.reserve(Amount::tokens(reserved))?;
                tokio::task::yield_now().await;
                reservation.settle(Amount::tokens(billed));
                pay(billed);
            }
            Act::Release(tokens) => {
                let reservation = context.reserve(Amount::tokens(tokens))?;
                tokio::task::yield_now().await;
                reservation.release();
            }
            Act::Forget(tokens) => {
                let reservation = context.reserve(Amount::tokens(tokens))?;
                pay(tokens);
                drop(reservation);
            }
            Act::Retry if context.attempt() < 3 && n > 0 => {
                return Err(AgentError::retryable("told to"));
            }
            Act::Retry => {}
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn check(account: &AccountView) {
    let used = account.spent.tokens + account.reserved.tokens;
    let limit = account.limits.tokens.unwrap_or(u64::MAX);
    assert!(used <= limit, "{account:?}");
    let calls = account.spent.calls + account.reserved.calls;
    assert!(
        calls <= account.limits.calls.unwrap_or(u64::MAX),
        "{account:?}"
    );
    assert!(!account.overdrawn, "{account:?}");
}

struct Caps {
    global: u64,
    tenant: u64,
    run: u64,
    calls: u64,
}

async fn start(caps: &Caps, clock: &TestWallClock) -> UniversalOrchestrator {
    let mut config = quiet_config();
    config.budget.global.tokens = Some(caps.global);
    config.budget.tenant_per_day.tokens = Some(caps.tenant);
    config.retry.base_delay_ms = 0;
    test_builder(config)
        .wall_clock(clock.clone())
        .start()
        .await
        .expect("the configuration is valid")
}

/// Runs all plans at once as tasks of one run, watching every account meanwhile.
async fn run(caps: Caps, plans: Vec<Vec<Act>>) {
    let clock = TestWallClock::at(Duration::from_secs(86_400 * 20_000));
    let o = start(&caps, &clock).await;
    let books = Arc::new(Books::default());
    let (all, shared) = (Arc::new(plans), Arc::clone(&books));
    let count = all.len();
    let agent = agent_fn(move |n: usize, context: TaskContext| {
        play(all[n].clone(), context, Arc::clone(&shared))
    });
    let spec = AgentSpec::new("a", AgentRole::Worker).concurrency(16);
    o.register_agent(spec.in_process(agent))
        .await
        .expect("it is new");
    let id = RunId::new("run").expect("the text is an id");
    let limits = Limits::unlimited()
        .with_tokens(caps.run)
        .with_calls(caps.calls);
    o.open_run(&id, limits).expect("it is new");
    let account = AccountId::Run(id.clone());
    let done = AtomicBool::new(false);
    let watch = async {
        while !done.load(Ordering::SeqCst) {
            o.status().budget.iter().for_each(check);
            check(&o.account(&account).expect("it is open"));
            tokio::task::yield_now().await;
        }
    };
    let work = async {
        let tasks = (0..count).map(|n| {
            let task = Task::new("t").payload(n).run("run").tenant("tenant");
            o.execute(task.budget(Limits::unlimited().with_tokens(90)))
        });
        for result in futures::future::join_all(tasks).await {
            if let Err(refused) = result {
                use universal_orchestrator::Refusal;
                let over = matches!(
                    refused.reason(),
                    Refusal::OverBudget(BudgetError::Exhausted { .. })
                );
                assert!(over, "{refused}");
            }
        }
        done.store(true, Ordering::SeqCst);
    };
    let both = async { tokio::join!(watch, work) };
    let ended = tokio::time::timeout(Duration::from_secs(20), both).await;
    assert!(
        ended.is_ok(),
        "tasks hang: {:?}",
        o.tasks(
            &universal_orchestrator::TaskFilter::all()
                .state(universal_orchestrator::TaskState::Queued)
                .state(universal_orchestrator::TaskState::Running)
        )
    );
    let status = o.status();
    let paid = books.paid.load(Ordering::SeqCst);
    let run = o.close_run(&id).expect("it is open");
    for account in status.budget.iter().chain([&run]) {
        check(account);
        assert!(account.reserved.is_zero(), "{account:?}");
        assert_eq!(
            account.spent.tokens, paid,
            "{account:?}: every token is in every account"
        );
    }
    assert!(status.budget.len() >= 2, "{:?}", status.budget);
    o.shutdown().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_time: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn no_account_is_overspent(
        (global, tenant, of_run, calls) in (0u64..900, 0u64..900, 0u64..900, 0u64..60),
        plans in vec(vec(act(), 0..8), 1..24),
        threads in 1usize..4,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .expect("a runtime can be built");
        let caps = Caps { global, tenant, run: of_run, calls };
        runtime.block_on(async { tokio::spawn(run(caps, plans)).await }).expect("the run holds");
    }
}
