//! Accounts under one lock: a reservation takes from all of its accounts or from none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::budget::{Amount, Limits, Unit};
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

#[derive(Debug, Default)]
struct Account {
    limits: Limits,
    spent: Amount,
    reserved: Amount,
    overdrawn: Option<Unit>,
}

impl Account {
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

    /// Opens an account; `false`, and nothing changes, when it is open.
    pub(crate) fn open_new(&self, id: AccountId, limits: Limits) -> bool {
        match self.accounts.lock().entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                let limits_only = Account {
                    limits,
                    ..Account::default()
                };
                place.insert(limits_only);
                true
            }
        }
    }

    pub(crate) fn is_open(&self, id: &AccountId) -> bool {
        self.accounts.lock().contains_key(id)
    }

    pub(crate) fn close(&self, id: &AccountId) -> Option<AccountView> {
        let account = self.accounts.lock().remove(id)?;
        Some(view(id, &account))
    }

    /// Closes the accounts of days before `day`.
    pub(crate) fn close_days_before(&self, day: u64) {
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

    fn reserve(&self, path: &[AccountId], amount: &Amount) -> Result<(), BudgetError> {
        let mut accounts = self.accounts.lock();
        for id in path {
            if let Some(account) = accounts.get(id) {
                account.check(id, amount)?;
            }
        }
        for id in path {
            if let Some(account) = accounts.get_mut(id) {
                account.reserved = account.reserved.plus(amount);
            }
        }
        Ok(())
    }

    fn settle(&self, path: &[AccountId], reserved: &Amount, actual: &Amount) {
        let mut accounts = self.accounts.lock();
        for id in path {
            // A task's account is closed when the task ends; a late bill still reaches the wider ones.
            if let Some(account) = accounts.get_mut(id) {
                account.reserved = account.reserved.minus(reserved);
                account.spent = account.spent.plus(actual);
                account.overdrawn = account.limits.first_exceeded(&account.spent);
            }
        }
    }

    /// A reservation of nothing from everything: it counts what an unlimited attempt spends.
    pub(crate) fn open_hold(self: &Arc<Self>) -> Hold {
        Hold {
            ledger: Arc::clone(self),
            path: Arc::new([AccountId::Global]),
            inner: Mutex::new(HoldState {
                held: Amount::default(),
                outstanding: Amount::default(),
                spent: Amount::default(),
                open: true,
            }),
        }
    }

    /// Reserves for one attempt.
    pub(crate) fn hold(self: &Arc<Self>, path: Path, amount: Amount) -> Result<Hold, BudgetError> {
        let amount = amount.sanitised();
        self.reserve(&path, &amount)?;
        Ok(Hold {
            ledger: Arc::clone(self),
            path,
            inner: Mutex::new(HoldState {
                held: amount,
                outstanding: Amount::default(),
                spent: Amount::default(),
                open: true,
            }),
        })
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

/// What one attempt holds reserved. Dropped unsettled, the whole of it is charged: the agent is lost and may have spent it.
#[derive(Debug)]
pub(crate) struct Hold {
    ledger: Arc<Ledger>,
    path: Path,
    inner: Mutex<HoldState>,
}

#[derive(Debug)]
struct HoldState {
    /// Reserved for the attempt itself and not yet spent: its call and its estimate.
    held: Amount,
    /// Reserved by the agent and not yet settled. It outlives the attempt: its bill may come later.
    outstanding: Amount,
    spent: Amount,
    open: bool,
}

impl HoldState {
    /// What a charge may take from the reservation: the estimate without the attempt's own call and time, whose bill comes at its end.
    fn free(&self) -> Amount {
        Amount {
            calls: self.held.calls.saturating_sub(1),
            busy: Duration::ZERO,
            ..self.held
        }
    }
}

impl Hold {
    /// Reserves a further amount; `false` when the attempt is over.
    pub(crate) fn reserve(&self, amount: &Amount) -> Result<bool, BudgetError> {
        let mut inner = self.inner.lock();
        if !inner.open {
            return Ok(false);
        }
        self.ledger.reserve(&self.path, amount)?;
        inner.outstanding = inner.outstanding.plus(amount);
        Ok(true)
    }

    /// Reserves what the hold lacks and spends the amount. Nothing is recorded when it is refused.
    pub(crate) fn charge(&self, amount: &Amount) -> Result<bool, BudgetError> {
        let mut inner = self.inner.lock();
        if !inner.open {
            return Ok(false);
        }
        let from_hold = amount.least(&inner.free());
        let further = amount.minus(&from_hold);
        if !further.is_zero() {
            self.ledger.reserve(&self.path, &further)?;
        }
        self.ledger.settle(&self.path, amount, amount);
        inner.held = inner.held.minus(&from_hold);
        inner.spent = inner.spent.plus(amount);
        Ok(true)
    }

    /// Records the bill of an earlier reservation as it is, even above it.
    pub(crate) fn settle(&self, reserved: &Amount, actual: &Amount) -> bool {
        let mut inner = self.inner.lock();
        let reserved = reserved.least(&inner.outstanding);
        self.ledger.settle(&self.path, &reserved, actual);
        inner.outstanding = inner.outstanding.minus(&reserved);
        inner.spent = inner.spent.plus(actual);
        inner.open
    }

    /// Ends the attempt: adds `usage` as it is, returns the unused part or, for a lost agent, charges it. Returns what was spent.
    pub(crate) fn finish(&self, usage: &Amount, lost: bool) -> Amount {
        let mut inner = self.inner.lock();
        if !inner.open {
            return inner.spent;
        }
        inner.open = false;
        let held = std::mem::take(&mut inner.held);
        // The call reserved for the attempt itself is part of `usage`, so only what lies beyond is a loss.
        let bill = if lost {
            usage.plus(&held.minus(usage))
        } else {
            *usage
        };
        self.ledger.settle(&self.path, &held, &bill);
        inner.spent = inner.spent.plus(&bill);
        inner.spent
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.finish(&Amount::default(), true);
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
        let error = ledger.hold(path.clone(), Amount::tokens(11)).unwrap_err();
        assert_eq!(
            error.to_string(),
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
        assert!(matches!(
            ledger.hold(path, Amount::default()),
            Err(BudgetError::Overdrawn { .. })
        ));
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
