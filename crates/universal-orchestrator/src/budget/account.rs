//! One account: what is spent and reserved of its limits.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::budget::sum::{Caps, Sum};
use crate::budget::{Amount, BudgetError, Limits, Unit};
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

/// What is spent and reserved of some limits.
#[derive(Debug)]
pub(super) struct Account {
    limits: Limits,
    caps: Caps,
    spent: Sum,
    reserved: Sum,
    overdrawn: Option<Unit>,
    /// Somebody was refused and may wait for what comes back.
    pub(super) awaited: bool,
    /// The runs that a run is within, the narrowest first.
    pub(super) within: Box<[AccountId]>,
}

impl Account {
    /// An account of a run that is within others, the narrowest first.
    pub(super) fn within(within: Box<[AccountId]>, limits: Limits) -> Self {
        Self {
            limits,
            caps: Caps::from(&limits),
            spent: Sum::default(),
            reserved: Sum::default(),
            overdrawn: None,
            awaited: false,
            within,
        }
    }

    /// Gives it other limits, which may end that it is overdrawn.
    pub(super) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
        self.caps = Caps::from(&limits);
        self.overdrawn = self.caps.first_exceeded(&self.spent);
    }

    pub(super) const fn is_overdrawn(&self) -> bool {
        self.overdrawn.is_some()
    }

    pub(super) fn has_reservations(&self) -> bool {
        !self.reserved.is_zero()
    }

    /// Reserves an amount for which there is room.
    pub(super) fn reserve(&mut self, amount: &Sum) {
        self.reserved = self.reserved.plus(amount);
    }

    /// Gives a reservation back and spends an amount, as it is. Says whether somebody waits for what came back.
    pub(super) fn settle(&mut self, reserved: &Sum, actual: &Sum) -> bool {
        self.reserved = self.reserved.minus(reserved);
        self.spent = self.spent.plus(actual);
        self.overdrawn = self.caps.first_exceeded(&self.spent);
        std::mem::take(&mut self.awaited)
    }

    pub(super) fn view(&self, id: &AccountId) -> AccountView {
        AccountView {
            account: id.clone(),
            limits: self.limits,
            spent: self.spent.amount(),
            reserved: self.reserved.amount(),
            overdrawn: self.overdrawn.is_some(),
        }
    }

    /// What stands in the way of an amount; `None` when there is room.
    pub(super) fn lack(&self, amount: &Sum) -> Option<Lack> {
        let used = self.spent.plus(&self.reserved);
        let exceeded = self.caps.first_exceeded(&used.plus(amount));
        let unit = self.overdrawn.or(exceeded)?;
        let lasts = self.caps.first_exceeded(&self.spent.plus(amount));
        Some(Lack {
            unit,
            limits: self.limits,
            used,
            overdrawn: self.overdrawn.is_some(),
            may_return: self.overdrawn.is_none() && lasts.is_none(),
        })
    }
}

/// What stands in the way of an amount. Its texts are written when the lock of the ledger is free again.
#[derive(Debug)]
pub(super) struct Lack {
    unit: Unit,
    limits: Limits,
    /// Spent and reserved.
    used: Sum,
    overdrawn: bool,
    /// What is reserved stands in the way, and may come back.
    pub(super) may_return: bool,
}

impl Lack {
    pub(super) fn into_error(self, account: &AccountId, amount: &Amount) -> BudgetError {
        let (account, unit) = (account.clone(), self.unit);
        let (limit, used) = self.limits.describe(unit, &self.used.amount());
        if self.overdrawn {
            return BudgetError::Overdrawn {
                account,
                unit,
                limit,
                spent: used,
            };
        }
        let (_, asked) = self.limits.describe(unit, amount);
        BudgetError::Exhausted {
            account,
            unit,
            limit,
            used,
            asked,
        }
    }
}
