//! Threads that reserve from the same accounts at the same time: never one unit over any limit of any level.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use universal_orchestrator::{
    AccountId, AccountView, Amount, Decimal, Limits, RunId, Spending, SpendingHold, Tenant,
    UniversalOrchestrator,
};
use universal_orchestrator_testkit::{quiet_config, test_orchestrator};

const THREADS: u64 = 8;
const ROUNDS: u64 = 3_000;

/// What may be held at once, in units of each kind: the narrowest of four levels is another one for each.
const MONEY: u64 = 50;
const TOKENS: u64 = 60;
const CALLS: u64 = 20;
const BUSY: u64 = 40;

fn amount(money: u64, tokens: u64, calls: u64, busy: u64) -> Amount {
    Amount {
        money: Decimal::new(i64::try_from(money).unwrap_or(0), 2),
        tokens,
        calls,
        busy: Duration::from_millis(busy),
    }
}

/// What all threads hold, as they see it themselves: never more than what the ledger has reserved.
#[derive(Debug, Default)]
struct Held {
    money: AtomicU64,
    tokens: AtomicU64,
    calls: AtomicU64,
    busy: AtomicU64,
}

impl Held {
    fn each(&self, of: [u64; 4], change: impl Fn(&AtomicU64, u64) -> u64) -> [u64; 4] {
        let all = [&self.money, &self.tokens, &self.calls, &self.busy];
        std::array::from_fn(|unit| change(all[unit], of[unit]))
    }

    fn take(&self, of: [u64; 4]) {
        let now = self.each(of, |held, more| {
            held.fetch_add(more, Ordering::SeqCst) + more
        });
        let limits = [MONEY, TOKENS, CALLS, BUSY];
        assert!(
            now.iter().zip(limits).all(|(held, limit)| *held <= limit),
            "{now:?} is held of {limits:?}"
        );
    }

    fn give(&self, of: [u64; 4]) {
        self.each(of, |held, less| held.fetch_sub(less, Ordering::SeqCst));
    }
}

/// Holds up to three reservations at a time, of sizes that change, and says how often there was room and how often not.
fn play(spending: &Spending, held: &Held, thread: u64) -> (u64, u64) {
    let (mut granted, mut refused) = (0, 0);
    let mut own: Vec<([u64; 4], SpendingHold)> = Vec::new();
    for round in 0..ROUNDS {
        let size = |unit: u64| (round * 7 + thread * 3 + unit * 5) % 11;
        let of = [size(0), size(1), size(2) % 4, size(3)];
        match spending.begin(amount(of[0], of[1], of[2], of[3])) {
            Ok(hold) => {
                granted += 1;
                held.take(of);
                own.push((of, hold));
            }
            Err(_) => refused += 1,
        }
        if own.len() > 2 || (round % 5 == 0 && !own.is_empty()) {
            let (of, hold) = own.remove(0);
            held.give(of);
            assert_eq!(hold.finish(Amount::default()), Amount::default());
        }
    }
    for (of, hold) in own {
        held.give(of);
        hold.finish(Amount::default());
    }
    (granted, refused)
}

fn is_within(view: &AccountView) -> bool {
    let used = view.spent.plus(&view.reserved);
    let Limits {
        money,
        tokens,
        calls,
        busy,
        ..
    } = view.limits;
    money.is_none_or(|max| used.money <= max)
        && tokens.is_none_or(|max| used.tokens <= max)
        && calls.is_none_or(|max| used.calls <= max)
        && busy.is_none_or(|max| used.busy <= max)
}

async fn world() -> (UniversalOrchestrator, Spending) {
    let mut config = quiet_config();
    config.budget.global.tokens = Some(TOKENS);
    config.budget.tenant_per_day.calls = Some(CALLS);
    let o = test_orchestrator(config).await;
    let run = |name: &str| RunId::new(name).expect("it is a name");
    let most = amount(MONEY, 0, 0, BUSY);
    let outer = Limits::unlimited().with_busy(most.busy);
    o.open_run(&run("outer"), outer).expect("it is new");
    let inner = Limits::unlimited().with_money(most.money);
    let opened = o.open_run_within(&run("inner"), &run("outer"), inner);
    opened.expect("it is new");
    let tenant = Tenant::new("tenant").expect("it is a name");
    let spending = o.spending(Some(&run("inner")), Some(&tenant));
    (o, spending.expect("the run is open"))
}

#[tokio::test]
async fn the_sum_of_reservations_is_never_one_unit_over() {
    let (o, spending) = world().await;
    assert_eq!(spending.accounts().len(), 4);
    let (held, done) = (Held::default(), AtomicBool::new(false));
    let view = |id: &AccountId| o.account(id).expect("it is open");
    let sums = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let views: Vec<_> = spending.accounts().iter().map(view).collect();
                assert!(views.iter().all(is_within), "{views:?}");
            }
        });
        let threads = (0..THREADS).map(|thread| {
            let (spending, held) = (&spending, &held);
            scope.spawn(move || play(spending, held, thread))
        });
        let threads: Vec<_> = threads.collect();
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        done.store(true, Ordering::SeqCst);
        ended
            .into_iter()
            .map(|ended| ended.expect("nobody holds too much"))
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    assert_eq!(sums.0 + sums.1, THREADS * ROUNDS);
    assert!(sums.0 > 1_000 && sums.1 > 1_000, "both happened: {sums:?}");
    for id in spending.accounts() {
        let view = view(id);
        assert!(view.reserved.is_zero() && view.spent.is_zero(), "{view:?}");
    }
    o.shutdown().await;
}

/// A path remembers where its accounts are kept; one that is closed and opened anew is another account.
#[tokio::test]
async fn an_account_that_is_opened_anew_is_found_again_by_name() {
    let o = test_orchestrator(quiet_config()).await;
    let run = RunId::new("run").expect("it is a name");
    let limits = |tokens| Limits::unlimited().with_tokens(tokens);
    o.open_run(&run, limits(10)).expect("it is new");
    let spending = o.spending(Some(&run), None).expect("it is open");
    let hold = spending.begin(Amount::tokens(10)).expect("there is room");
    assert!(spending.begin(Amount::tokens(1)).is_err());

    let closed = o.close_run(&run).expect("it is open");
    assert_eq!(closed.reserved.tokens, 10);
    // Another run may be kept in the same place by now: it must not be charged.
    let other = RunId::new("other").expect("it is a name");
    o.open_run(&other, limits(5)).expect("it is new");
    drop(
        spending
            .begin(Amount::tokens(100))
            .map(|hold| hold.finish(Amount::default())),
    );
    hold.finish(Amount::tokens(10));
    let view = |run: &RunId| o.account(&AccountId::Run(run.clone())).expect("it is open");
    assert!(view(&other).spent.is_zero() && view(&other).reserved.is_zero());

    o.open_run(&run, limits(3)).expect("it is new");
    assert!(
        spending.begin(Amount::tokens(4)).is_err(),
        "the new limit holds"
    );
    let hold = spending.begin(Amount::tokens(3)).expect("there is room");
    assert_eq!(view(&run).reserved.tokens, 3);
    hold.finish(Amount::tokens(2));
    assert_eq!(
        (view(&run).spent.tokens, view(&run).reserved.tokens),
        (2, 0)
    );
    o.shutdown().await;
}
