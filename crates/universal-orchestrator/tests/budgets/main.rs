//! Budgets through the orchestrator: what is refused, what is recorded, what comes back, on which account.

#![expect(clippy::panic, reason = "agents that panic are part of what is tested")]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

#[path = "../common/mod.rs"]
mod common;

mod accounts;
mod attempts;
mod spending;
mod units;

use std::sync::Arc;

use parking_lot::Mutex;
use universal_orchestrator::{
    AccountId, AccountView, Agent, AgentError, Amount, BudgetError, Limits, RunId, TaskContext,
    Tenant, UniversalOrchestrator, agent_fn,
};

pub(crate) fn tokens(limit: u64) -> Limits {
    Limits::unlimited().with_tokens(limit)
}

pub(crate) fn open(o: &UniversalOrchestrator, run: &str, limits: Limits) -> AccountId {
    let run = RunId::new(run).unwrap();
    o.open_run(&run, limits).unwrap();
    AccountId::Run(run)
}

pub(crate) fn tenant_day(tenant: &str, day: u64) -> AccountId {
    AccountId::TenantDay(Tenant::new(tenant).unwrap(), day)
}

pub(crate) fn view(o: &UniversalOrchestrator, account: &AccountId) -> AccountView {
    let view = o.account(account);
    view.unwrap_or_else(|| panic!("account {account} is not open"))
}

/// Tokens spent and reserved.
pub(crate) fn stands(o: &UniversalOrchestrator, account: &AccountId) -> (u64, u64) {
    let view = view(o, account);
    (view.spent.tokens, view.reserved.tokens)
}

/// The budget errors that agents met, in order.
#[derive(Clone, Default)]
pub(crate) struct Errors(Arc<Mutex<Vec<BudgetError>>>);

impl Errors {
    pub(crate) fn take(&self) -> Vec<BudgetError> {
        std::mem::take(&mut *self.0.lock())
    }

    fn keep(&self, error: BudgetError) {
        self.0.lock().push(error);
    }
}

/// Charges each of the amounts of tokens in its payload; succeeds whatever comes of it, with how many were taken.
pub(crate) fn payer(errors: &Errors) -> impl Agent + use<> {
    let errors = errors.clone();
    agent_fn(move |amounts: Vec<u64>, context: TaskContext| {
        let errors = errors.clone();
        async move {
            let mut taken = 0;
            for amount in amounts {
                match context.charge(Amount::tokens(amount)) {
                    Ok(()) => taken += 1,
                    Err(error) => errors.keep(error),
                }
            }
            Ok::<_, AgentError>(taken)
        }
    })
}

/// Does the same for any amounts, which are not payload.
pub(crate) fn charges(errors: &Errors, amounts: Vec<Amount>) -> impl Agent + use<> {
    let errors = errors.clone();
    agent_fn(move |_: (), context: TaskContext| {
        let taken = amounts
            .iter()
            .filter(|amount| match context.charge(**amount) {
                Ok(()) => true,
                Err(error) => {
                    errors.keep(error);
                    false
                }
            })
            .count();
        async move { Ok::<_, AgentError>(taken) }
    })
}
