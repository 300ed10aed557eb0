//! Accounts under one lock: a reservation takes from all of its accounts or from none.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::budget::{Amount, Hold, Limits, Unit};
use crate::id::{AgentId, RunId, TaskId, Tenant};

/// Names an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccountId {
    /// Everything.
    Global,
    /// One tenant on one UTC day, counted from 1970-01-01.
    TenantDay(Tenant, u64),
    /// One run.
    Run(RunId),
    /// One task with its children.
    Task(TaskId),
    /// One agent's own cap.
    Agent(AgentId),
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::TenantDay(tenant, day) => write!(f, "tenant {tenant} on day {day}"),
            Self::Run(run) => write!(f, "run {run}"),
            Self::Task(task) => write!(f, "task {task}"),
            Self::Agent(agent) => write!(f, "agent {agent}"),
        }
    }
}

/// A budget refusal. Its own type, so that it is never mistaken for an ordinary failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BudgetError {
    /// The account has no room for the amount.
    #[error(
        "account {account} has no room: {unit} is at {used} of {limit} and {asked} is asked for; raise the limit or ask for less"
    )]
    Exhausted {
        /// The account.
        account: AccountId,
        /// The unit that does not fit.
        unit: Unit,
        /// Its limit.
        limit: String,
        /// What is spent and reserved already.
        used: String,
        /// What was asked for on top.
        asked: String,
    },
    /// An earlier bill went over the limit; the account refuses everything further.
    #[error("account {account} is overdrawn: {unit} is {spent} of {limit}; raise the limit")]
    Overdrawn {
        /// The account.
        account: AccountId,
        /// The unit that is over.
        unit: Unit,
        /// Its limit.
        limit: String,
        /// What was spent.
        spent: String,
    },
    /// No such run.
    #[error("run {run} is not open: call open_run first")]
    UnknownRun {
        /// The run.
        run: RunId,
    },
    /// A run of this name is open.
    #[error("run {run} is open already: choose another name or close it")]
    DuplicateRun {
        /// The run.
        run: RunId,
    },
    /// The run would be within as many others as may be.
    #[error("run {run} would be within {max} others, the limit: open it within a wider one")]
    RunTooDeep {
        /// The run.
        run: RunId,
        /// The most runs that one may be within.
        max: usize,
    },
    /// Work that is no attempt is over, so nothing can be charged to it.
    #[error("the work is over: nothing can be charged to it")]
    WorkOver,
    /// The attempt is over, so nothing can be charged to it.
    #[error("attempt {attempt} of task {task} is over: nothing can be charged to it")]
    AttemptOver {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
    },
}

/// How an account stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccountView {
    /// The account.
    pub account: AccountId,
    /// Its limits.
    pub limits: Limits,
    /// What was spent.
    pub spent: Amount,
    /// What is reserved and not yet settled.
    pub reserved: Amount,
    /// Whether a bill went over a limit.
    pub overdrawn: bool,
}

/// An account that has no room for an attempt.
#[derive(Debug)]
pub(crate) struct Shortage {
    pub(crate) account: AccountId,
    /// What is reserved stands in the way, and may come back.
    pub(crate) may_return: bool,
    pub(crate) error: BudgetError,
}

impl Shortage {
    /// Whether it is an agent's own cap, so that another agent may do.
    pub(crate) const fn is_of_agent(&self) -> bool {
        matches!(self.account, AccountId::Agent(_))
    }
}

#[derive(Debug, Default)]
struct Account {
    limits: Limits,
    spent: Amount,
    reserved: Amount,
    overdrawn: Option<Unit>,
    /// Somebody was refused and may wait for what comes back.
    awaited: bool,
    /// The runs that a run is within, the narrowest first.
    within: Box<[AccountId]>,
}

impl Account {
    /// Why the amount does not fit.
    fn shortage(&self, id: &AccountId, amount: &Amount) -> Option<Shortage> {
        let error = self.check(id, amount).err()?;
        let lasts = self.limits.first_exceeded(&self.spent.plus(amount));
        Some(Shortage {
            account: id.clone(),
            may_return: self.overdrawn.is_none() && lasts.is_none(),
            error,
        })
    }

    fn check(&self, id: &AccountId, amount: &Amount) -> Result<(), BudgetError> {
        let used = self.spent.plus(&self.reserved);
        if let Some(unit) = self.overdrawn {
            let (limit, spent) = self.limits.describe(unit, &used);
            return Err(BudgetError::Overdrawn {
                account: id.clone(),
                unit,
                limit,
                spent,
            });
        }
        match self.limits.first_exceeded(&used.plus(amount)) {
            None => Ok(()),
            Some(unit) => {
                let (limit, used) = self.limits.describe(unit, &used);
                let (_, asked) = self.limits.describe(unit, amount);
                Err(BudgetError::Exhausted {
                    account: id.clone(),
                    unit,
                    limit,
                    used,
                    asked,
                })
            }
        }
    }
}

/// All accounts of one orchestrator.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    accounts: Mutex<HashMap<AccountId, Account>>,
    /// Awaited accounts that may have room again.
    freed: Mutex<Vec<AccountId>>,
    has_freed: AtomicBool,
    /// The latest day of which an account was opened.
    day: AtomicU64,
}

/// The accounts that a task draws on, the narrowest first.
pub(crate) type Path = Arc<[AccountId]>;

impl Ledger {
    /// Opens an account, or changes the limits of an open one.
    pub(crate) fn open(&self, id: AccountId, limits: Limits) {
        let mut accounts = self.accounts.lock();
        let account = accounts.entry(id).or_default();
        account.limits = limits;
        account.overdrawn = limits.first_exceeded(&account.spent);
    }

    /// The account of a tenant's day, opened on its first use if it has limits. The first of a day closes those of days long past.
    pub(crate) fn open_day(&self, tenant: Tenant, day: u64, limits: Limits) -> AccountId {
        let account = AccountId::TenantDay(tenant, day);
        if !limits.is_unlimited() && !self.is_open(&account) {
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
        let mut accounts = self.accounts.lock();
        let within = within.map(|outer| lineage(&accounts, outer)).transpose()?;
        let within = within.unwrap_or_default();
        if within.len() > RUNS_WITHIN_MAX {
            return Err(BudgetError::RunTooDeep {
                run: run.clone(),
                max: RUNS_WITHIN_MAX,
            });
        }
        match accounts.entry(AccountId::Run(run.clone())) {
            Entry::Occupied(_) => Err(BudgetError::DuplicateRun { run: run.clone() }),
            Entry::Vacant(place) => {
                place.insert(Account {
                    limits,
                    within: within.into(),
                    ..Account::default()
                });
                Ok(())
            }
        }
    }

    /// The accounts of a run: its own, and those of the runs that it is within.
    pub(crate) fn lineage(&self, run: &RunId) -> Result<Vec<AccountId>, BudgetError> {
        lineage(&self.accounts.lock(), run)
    }

    fn is_open(&self, id: &AccountId) -> bool {
        self.accounts.lock().contains_key(id)
    }

    pub(crate) fn close(&self, id: &AccountId) -> Option<AccountView> {
        let account = self.accounts.lock().remove(id)?;
        if account.awaited {
            self.free(id);
        }
        Some(view(id, &account))
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
        self.accounts.lock().retain(
            |id, account| !matches!(id, AccountId::TenantDay(_, d) if *d < day && account.reserved.is_zero()),
        );
    }

    pub(crate) fn view(&self, id: &AccountId) -> Option<AccountView> {
        self.accounts.lock().get(id).map(|a| view(id, a))
    }

    /// Open accounts, at most `max` of them, and how many there are.
    pub(crate) fn views(&self, max: usize) -> (Vec<AccountView>, usize) {
        let accounts = self.accounts.lock();
        let views = accounts
            .iter()
            .take(max)
            .map(|(id, a)| view(id, a))
            .collect();
        (views, accounts.len())
    }

    /// Whether the accounts would take the amount now.
    pub(crate) fn check(&self, path: &[AccountId], amount: &Amount) -> Result<(), BudgetError> {
        let accounts = self.accounts.lock();
        path.iter()
            .filter_map(|id| accounts.get(id).map(|a| (id, a)))
            .try_for_each(|(id, account)| account.check(id, amount))
    }

    /// Whether an account has room once nothing is reserved.
    pub(crate) fn could_hold(&self, id: &AccountId, amount: &Amount) -> bool {
        let accounts = self.accounts.lock();
        let shortage = accounts.get(id).and_then(|a| a.shortage(id, amount));
        shortage.is_none_or(|s| s.may_return)
    }

    pub(super) fn reserve(&self, path: &[AccountId], amount: &Amount) -> Result<(), BudgetError> {
        let mut accounts = self.accounts.lock();
        for id in path {
            if let Some(account) = accounts.get(id) {
                account.check(id, amount)?;
            }
        }
        add(&mut accounts, path, amount);
        Ok(())
    }

    /// Reserves for an attempt. An account that refuses is awaited from then on.
    fn reserve_attempt(&self, path: &[AccountId], amount: &Amount) -> Result<(), Box<Shortage>> {
        let mut accounts = self.accounts.lock();
        let short = |id| accounts.get(id)?.shortage(id, amount);
        // What no waiting and no other agent helps against comes first.
        let worst = path
            .iter()
            .filter_map(short)
            .min_by_key(|s| (s.is_of_agent(), s.may_return));
        let Some(shortage) = worst else {
            add(&mut accounts, path, amount);
            return Ok(());
        };
        if let Some(account) = accounts.get_mut(&shortage.account) {
            account.awaited = true;
        }
        Err(Box::new(shortage))
    }

    pub(super) fn settle(&self, path: &[AccountId], reserved: &Amount, actual: &Amount) {
        let mut accounts = self.accounts.lock();
        for id in path {
            // A task's account is closed when the task ends; a late bill still reaches the wider ones.
            if let Some(account) = accounts.get_mut(id) {
                account.reserved = account.reserved.minus(reserved);
                account.spent = account.spent.plus(actual);
                account.overdrawn = account.limits.first_exceeded(&account.spent);
                if std::mem::take(&mut account.awaited) {
                    self.free(id);
                }
            }
        }
    }

    /// A reservation of nothing from everything: it counts what an unlimited attempt spends.
    pub(crate) fn open_hold(self: &Arc<Self>) -> Hold {
        Hold::new(
            Arc::clone(self),
            Arc::new([AccountId::Global]),
            Amount::default(),
        )
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

fn lineage(
    accounts: &HashMap<AccountId, Account>,
    run: &RunId,
) -> Result<Vec<AccountId>, BudgetError> {
    let own = AccountId::Run(run.clone());
    let Some(account) = accounts.get(&own) else {
        return Err(BudgetError::UnknownRun { run: run.clone() });
    };
    let mut path = Vec::with_capacity(account.within.len() + 2);
    path.push(own);
    path.extend(account.within.iter().cloned());
    Ok(path)
}

fn add(accounts: &mut HashMap<AccountId, Account>, path: &[AccountId], amount: &Amount) {
    for id in path {
        if let Some(account) = accounts.get_mut(id) {
            account.reserved = account.reserved.plus(amount);
        }
    }
}

fn view(id: &AccountId, account: &Account) -> AccountView {
    AccountView {
        account: id.clone(),
        limits: account.limits,
        spent: account.spent,
        reserved: account.reserved,
        overdrawn: account.overdrawn.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(limit: u64) -> (Arc<Ledger>, Path) {
        let ledger = Arc::new(Ledger::default());
        let run = AccountId::Run(RunId::new("r").unwrap());
        ledger.open(AccountId::Global, Limits::unlimited().with_tokens(1_000));
        ledger.open(run.clone(), Limits::unlimited().with_tokens(limit));
        (ledger, [run, AccountId::Global].into())
    }

    #[test]
    fn a_refused_reservation_takes_from_no_account() {
        let (ledger, path) = ledger(10);
        let shortage = ledger.hold(path.clone(), Amount::tokens(11)).unwrap_err();
        assert!(!shortage.may_return);
        assert_eq!(
            shortage.error.to_string(),
            "account run r has no room: tokens is at 0 of 10 and 11 is asked for; raise the limit or ask for less"
        );
        assert!(ledger.view(&AccountId::Global).unwrap().reserved.is_zero());
    }

    #[test]
    fn a_bill_above_its_reservation_is_recorded_and_closes_the_account() {
        let (ledger, path) = ledger(10);
        let hold = ledger.hold(path.clone(), Amount::default()).unwrap();
        assert_eq!(hold.reserve(&Amount::tokens(4)), Ok(true));
        assert!(hold.settle(&Amount::tokens(4), &Amount::tokens(12)));
        let run = ledger.view(&path[0]).unwrap();
        assert_eq!(
            (run.spent.tokens, run.reserved.tokens, run.overdrawn),
            (12, 0, true)
        );
        let refused = ledger.hold(path, Amount::default()).unwrap_err();
        assert!(matches!(refused.error, BudgetError::Overdrawn { .. }));
    }

    #[test]
    fn a_lost_agent_is_charged_its_whole_reservation() {
        let (ledger, path) = ledger(10);
        let hold = ledger.hold(path.clone(), Amount::tokens(7)).unwrap();
        hold.charge(&Amount::tokens(2)).unwrap();
        drop(hold);
        let run = ledger.view(&path[0]).unwrap();
        assert_eq!((run.spent.tokens, run.reserved.tokens), (7, 0));
    }

    #[test]
    fn the_unused_part_is_returned() {
        let (ledger, path) = ledger(10);
        let hold = ledger.hold(path.clone(), Amount::tokens(7)).unwrap();
        hold.charge(&Amount::tokens(2)).unwrap();
        assert_eq!(
            hold.finish(&Amount::calls(1), false),
            Amount {
                tokens: 2,
                calls: 1,
                ..Amount::default()
            }
        );
        let run = ledger.view(&path[0]).unwrap();
        assert_eq!((run.spent.tokens, run.reserved.tokens), (2, 0));
        assert_eq!(hold.charge(&Amount::tokens(1)), Ok(false));
    }

    #[test]
    fn zero_is_zero() {
        let (ledger, path) = ledger(0);
        assert!(ledger.hold(path.clone(), Amount::default()).is_ok());
        assert!(ledger.hold(path, Amount::tokens(1)).is_err());
    }
}
