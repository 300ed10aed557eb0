//! Accounts under one lock: a reservation takes from all of its accounts or from none.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use crate::budget::account::Account;
use crate::budget::books::Books;
use crate::budget::sum::Sum;
use crate::budget::{AccountId, AccountView, Amount, BudgetError, Hold, Limits, Path, Shortage};
use crate::id::{RunId, Tenant};

/// How often a thread looks whether the lock is free before it asks the kernel to wait: a wake-up costs many reservations.
const SPINS: u32 = 100;

/// All accounts of one orchestrator.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    /// Awaited accounts that may have room again.
    freed: Mutex<Vec<AccountId>>,
    has_freed: AtomicBool,
    /// The latest day of which an account was opened.
    day: AtomicU64,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Books> {
        for _ in 0..SPINS {
            if let Some(books) = self.books.try_lock() {
                return books;
            }
            std::hint::spin_loop();
        }
        self.books.lock()
    }

    /// Opens an account, or changes the limits of an open one.
    pub(crate) fn open(&self, id: AccountId, limits: Limits) {
        self.lock().get_or_open(id).limit(limits);
    }

    /// The account of a tenant's day, opened on its first use if it has limits. The first of a day closes those of days long past.
    pub(crate) fn open_day(&self, tenant: Tenant, day: u64, limits: Limits) -> AccountId {
        let account = AccountId::TenantDay(tenant, day);
        if !limits.is_unlimited() && !self.lock().contains(&account) {
            if self.day.swap(day, Ordering::Relaxed) != day {
                self.close_days_before(day.saturating_sub(1));
            }
            self.open(account.clone(), limits);
        }
        account
    }

    /// Opens a run, perhaps within another. Nothing changes when it is refused.
    pub(crate) fn open_run(
        &self,
        run: &RunId,
        within: Option<&RunId>,
        limits: Limits,
    ) -> Result<(), BudgetError> {
        let mut books = self.lock();
        let within = within.map(|outer| lineage(&books, outer)).transpose()?;
        let within = within.unwrap_or_default();
        if within.len() > RUNS_WITHIN_MAX {
            return Err(BudgetError::RunTooDeep {
                run: run.clone(),
                max: RUNS_WITHIN_MAX,
            });
        }
        let account = Account::within(within.into(), limits);
        if !books.open(AccountId::Run(run.clone()), account) {
            return Err(BudgetError::DuplicateRun { run: run.clone() });
        }
        Ok(())
    }

    /// The accounts of a run: its own, and those of the runs that it is within.
    pub(crate) fn lineage(&self, run: &RunId) -> Result<Vec<AccountId>, BudgetError> {
        lineage(&self.lock(), run)
    }

    pub(crate) fn close(&self, id: &AccountId) -> Option<AccountView> {
        let account = self.lock().close(id)?;
        if account.awaited {
            self.free(id);
        }
        Some(account.view(id))
    }

    /// An awaited account may have room again. Its lock is held or the account is gone, so that nobody begins to wait meanwhile.
    #[cold]
    fn free(&self, id: &AccountId) {
        self.freed.lock().push(id.clone());
        self.has_freed.store(true, Ordering::SeqCst);
    }

    /// Whether somebody who was refused may be served now.
    pub(crate) fn has_freed(&self) -> bool {
        self.has_freed.load(Ordering::Relaxed)
    }

    pub(crate) fn take_freed(&self) -> Vec<AccountId> {
        let mut freed = self.freed.lock();
        self.has_freed.store(false, Ordering::SeqCst);
        std::mem::take(&mut *freed)
    }

    /// Closes the accounts of days before `day`.
    fn close_days_before(&self, day: u64) {
        self.lock().retain(|id, account| {
            let past = matches!(id, AccountId::TenantDay(_, of) if *of < day);
            !past || account.has_reservations()
        });
    }

    pub(crate) fn view(&self, id: &AccountId) -> Option<AccountView> {
        self.lock().get(id).map(|account| account.view(id))
    }

    /// Open accounts, at most `max` of them, and how many there are.
    pub(crate) fn views(&self, max: usize) -> (Vec<AccountView>, usize) {
        let books = self.lock();
        let first = books.iter().take(max);
        let views = first.map(|(id, account)| account.view(id)).collect();
        (views, books.len())
    }

    /// Whether the accounts would take the amount now.
    pub(crate) fn check(&self, ids: &[AccountId], amount: &Amount) -> Result<(), BudgetError> {
        let sum = Sum::from(amount);
        let books = self.lock();
        let lack = |id| Some((id, books.get(id)?.lack(&sum)?));
        let short = ids.iter().find_map(lack);
        drop(books);
        match short {
            None => Ok(()),
            Some((id, lack)) => Err(lack.into_error(id, amount)),
        }
    }

    /// The first step of a path whose account is overdrawn.
    pub(crate) fn overdrawn(&self, path: &Path) -> Option<usize> {
        let books = self.lock();
        let mut open = books.along(path);
        let overdrawn = open.find(|(_, _, account)| account.is_overdrawn())?;
        Some(overdrawn.0)
    }

    /// Whether an account has room once nothing is reserved.
    pub(crate) fn could_hold(&self, id: &AccountId, amount: &Amount) -> bool {
        let sum = Sum::from(amount);
        let books = self.lock();
        let lack = books.get(id).and_then(|account| account.lack(&sum));
        lack.is_none_or(|lack| lack.may_return)
    }

    pub(super) fn reserve(&self, path: &Path, amount: &Amount) -> Result<(), BudgetError> {
        let sum = Sum::from(amount);
        let mut books = self.lock();
        let mut open = books.along(path);
        let short = open.find_map(|(at, _, account)| Some((at, account.lack(&sum)?)));
        drop(open);
        if let Some((at, lack)) = short {
            drop(books);
            return Err(lack.into_error(&path[at], amount));
        }
        books.change_along(path, |_, account| account.reserve(&sum));
        Ok(())
    }

    /// Reserves for an attempt. An account that refuses is awaited from then on.
    fn reserve_attempt(&self, path: &Path, amount: &Amount) -> Result<(), Box<Shortage>> {
        let sum = Sum::from(amount);
        let mut books = self.lock();
        // What no waiting and no other agent helps against comes first.
        let is_of_agent = |at: usize| matches!(path[at], AccountId::Agent(_));
        let worst = books
            .along(path)
            .filter_map(|(at, slot, account)| Some((at, slot, account.lack(&sum)?)))
            .min_by_key(|(at, _, lack)| (is_of_agent(*at), lack.may_return));
        let Some((at, slot, lack)) = worst else {
            books.change_along(path, |_, account| account.reserve(&sum));
            return Ok(());
        };
        books.at_mut(slot).awaited = true;
        drop(books);
        Err(Box::new(Shortage {
            account: path[at].clone(),
            may_return: lack.may_return,
            error: lack.into_error(&path[at], amount),
        }))
    }

    /// A task's account is closed when the task ends; a late bill still reaches the wider ones.
    pub(super) fn settle(&self, path: &Path, reserved: &Amount, actual: &Amount) {
        let (reserved, actual) = (Sum::from(reserved), Sum::from(actual));
        self.lock().change_along(path, |at, account| {
            if account.settle(&reserved, &actual) {
                self.free(&path[at]);
            }
        });
    }

    /// A reservation of nothing from everything: it counts what an unlimited attempt spends.
    pub(crate) fn open_hold(self: &Arc<Self>) -> Hold {
        let path = std::iter::once(AccountId::Global).collect();
        Hold::new(Arc::clone(self), path, Amount::default())
    }

    /// Reserves for work that is no attempt: nobody waits for room.
    pub(crate) fn hold_now(
        self: &Arc<Self>,
        path: Path,
        amount: Amount,
    ) -> Result<Hold, BudgetError> {
        let amount = amount.sanitised();
        self.reserve(&path, &amount)?;
        Ok(Hold::new(Arc::clone(self), path, amount))
    }

    /// Reserves for one attempt.
    pub(crate) fn hold(
        self: &Arc<Self>,
        path: Path,
        amount: Amount,
    ) -> Result<Hold, Box<Shortage>> {
        let amount = amount.sanitised();
        self.reserve_attempt(&path, &amount)?;
        Ok(Hold::new(Arc::clone(self), path, amount))
    }
}

/// The most runs that one run may be within.
const RUNS_WITHIN_MAX: usize = 32;

fn lineage(books: &Books, run: &RunId) -> Result<Vec<AccountId>, BudgetError> {
    let own = AccountId::Run(run.clone());
    let Some(account) = books.get(&own) else {
        return Err(BudgetError::UnknownRun { run: run.clone() });
    };
    let mut path = Vec::with_capacity(account.within.len() + 2);
    path.push(own);
    path.extend(account.within.iter().cloned());
    Ok(path)
}
