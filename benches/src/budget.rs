//! The ledger of budgets under threads: four levels, all units, success and refusal mixed.
//!
//! All threads draw on one run: within another, of a tenant with a cap for the day, below the cap of the whole. Each level limits
//! money, tokens, calls and busy time. One pair is a reservation and what ends it: a bill as large as the reservation, or a refusal.
//! Every fourth asks for more than a level has, another unit each time.
//! The outer run has room for exactly what the others need, to the last token; [`Spenders::run`] checks that it was spent exactly.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use universal_orchestrator::{
    AccountId, AccountView, Amount, Decimal, Limits, OrchestratorConfig, RunId, Spending, Tenant,
    UniversalOrchestrator,
};

/// What a pair reserves and spends.
fn asked() -> Amount {
    Amount {
        money: Decimal::new(3, 4),
        tokens: 7,
        calls: 1,
        busy: Duration::from_micros(5),
    }
}

/// So many times what a pair spends.
fn asked_times(pairs: u64) -> Amount {
    let one = asked();
    Amount {
        money: one.money * Decimal::from(pairs),
        tokens: one.tokens * pairs,
        calls: one.calls * pairs,
        busy: Duration::from_micros(5 * pairs),
    }
}

fn limits_of(amount: &Amount) -> Limits {
    Limits::unlimited()
        .with_money(amount.money)
        .with_tokens(amount.tokens)
        .with_calls(amount.calls)
        .with_busy(amount.busy)
}

/// Every fourth pair asks for too much.
const fn is_refused(pair: u64) -> bool {
    pair % 4 == 3
}

/// More than any level has, of another unit each time.
fn too_much(pair: u64) -> Amount {
    let mut amount = asked();
    match (pair / 4) % 4 {
        0 => amount.money = Decimal::from(10_000_000_000_u64),
        1 => amount.tokens = u64::MAX / 2,
        2 => amount.calls = u64::MAX / 2,
        _ => amount.busy = Duration::from_secs(1 << 40),
    }
    amount
}

/// An orchestrator whose ledger is asked by threads.
#[derive(Debug)]
pub struct Spenders {
    orchestrator: UniversalOrchestrator,
    tenant: Tenant,
    rounds: AtomicU64,
}

impl Spenders {
    /// Starts an orchestrator. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn setup() -> Self {
        let mut config = OrchestratorConfig::default();
        for caps in [&mut config.budget.global, &mut config.budget.tenant_per_day] {
            caps.money = Some("1000000000".to_owned());
            caps.tokens = Some(1_000_000_000_000_000);
            caps.calls = Some(1_000_000_000_000_000);
            caps.busy_ms = Some(31_536_000_000);
        }
        let (builder, _metrics) = crate::ours::builder(config);
        Self {
            orchestrator: builder.start().await.expect("the limits are valid"),
            tenant: Tenant::new("tenant").expect("it is a name"),
            rounds: AtomicU64::new(0),
        }
    }

    fn open(&self, name: &str, within: Option<&RunId>, limits: Limits) -> RunId {
        let number = self.rounds.fetch_add(1, Ordering::Relaxed);
        let run = RunId::new(format!("{name}-{number}")).expect("it is a name");
        let opened = match within {
            Some(outer) => self.orchestrator.open_run_within(&run, outer, limits),
            None => self.orchestrator.open_run(&run, limits),
        };
        opened.expect("the name is new");
        run
    }

    fn account(&self, run: &RunId) -> AccountView {
        let account = self.orchestrator.account(&AccountId::Run(run.clone()));
        account.expect("it is open")
    }

    /// Makes `pairs` pairs with `threads` threads on one run, and returns the time from the first to the last.
    ///
    /// # Panics
    ///
    /// Panics when a pair is refused that had room, or had room and should not, or when not exactly what was billed is spent.
    #[must_use]
    pub fn run(&self, pairs: u64, threads: u64) -> Duration {
        let granted = (0..4).filter(|of| !is_refused(*of)).count() as u64 * pairs.div_ceil(4);
        let outer = self.open("outer", None, limits_of(&asked_times(granted)));
        let wide = limits_of(&asked_times(2 * granted + 1));
        let inner = self.open("inner", Some(&outer), wide);
        let spending = self.orchestrator.spending(Some(&inner), Some(&self.tenant));
        let spending = spending.expect("the run is open");
        assert_eq!(spending.accounts().len(), 4, "there are four levels");

        let barrier = Arc::new(Barrier::new(threads as usize));
        let spenders: Vec<_> = (0..threads)
            .map(|thread| {
                let (spending, barrier) = (spending.clone(), Arc::clone(&barrier));
                let share =
                    pairs.div_ceil(4) / threads + u64::from(thread < pairs.div_ceil(4) % threads);
                thread::spawn(move || {
                    barrier.wait();
                    let start = Instant::now();
                    spend(&spending, 4 * share);
                    (start, Instant::now())
                })
            })
            .collect();
        let ended = spenders.into_iter().map(thread::JoinHandle::join);
        let times: Vec<_> = ended.map(|ended| ended.expect("no check fails")).collect();
        let first = times.iter().map(|time| time.0).min();
        let last = times.iter().map(|time| time.1).max();
        let took = first
            .zip(last)
            .map_or(Duration::ZERO, |(first, last)| last - first);

        let account = self.account(&outer);
        assert_eq!(account.spent, asked_times(granted), "to the last token");
        assert!(account.reserved.is_zero() && !account.overdrawn);
        assert_eq!(self.account(&inner).spent, account.spent);
        for one in [
            Amount::money(Decimal::new(1, 4)),
            Amount::tokens(1),
            Amount::calls(1),
        ] {
            assert!(spending.begin(one).is_err(), "there is no room left");
        }
        for run in [inner, outer] {
            self.orchestrator.close_run(&run).expect("it is open");
        }
        took
    }
}

fn spend(spending: &Spending, pairs: u64) {
    for pair in 0..pairs {
        if is_refused(pair) {
            assert!(
                spending.begin(too_much(pair)).is_err(),
                "nobody has that much"
            );
        } else {
            let hold = spending.begin(asked()).expect("there is room to the last");
            assert_eq!(hold.finish(asked()).calls, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime;

    #[test]
    fn threads_spend_a_run_to_the_last_unit_and_not_one_more() {
        let rt = runtime();
        let spenders = rt.block_on(Spenders::setup());
        for threads in [1, 2, 8] {
            let _ = spenders.run(4_001, threads);
        }
    }
}
