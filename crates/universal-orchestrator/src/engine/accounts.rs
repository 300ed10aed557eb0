//! Which accounts a task draws on, and what an attempt reserves in them.

use std::sync::Arc;

use crate::budget::AccountId;
use crate::engine::tasks::TaskEntry;
use crate::engine::{AgentKey, Engine, TaskKey};
use crate::task::{Refusal, Task, TaskRecord};

impl Engine {
    /// The accounts that a task draws on; `None` when nothing limits or counts it.
    pub(super) fn accounts_for(
        &self,
        record: &TaskRecord,
        parent: Option<TaskKey>,
    ) -> Result<Option<Arc<[AccountId]>>, Refusal> {
        let options = record.task().options.as_deref();
        let inherited = parent
            .and_then(|p| self.tasks.entries.get(p))
            .and_then(|e| e.cold.as_ref())
            .and_then(|c| c.accounts.clone());
        let own =
            options.is_some_and(|o| o.budget.is_some() || o.run.is_some() || o.estimate.is_some());
        if !own && !self.settings.budgets_limited {
            return Ok(inherited);
        }
        let mut path: Vec<AccountId> = Vec::new();
        if let Some(limits) = options.and_then(|o| o.budget) {
            let account = AccountId::Task(record.id().clone());
            self.ledger.open(account.clone(), limits);
            path.push(account);
        }
        if let Some(inherited) = &inherited {
            path.extend(inherited.iter().cloned());
        }
        if let Some(run) = options.and_then(|o| o.run.clone()) {
            let account = AccountId::Run(run.clone());
            if !self.ledger.is_open(&account) {
                return Err(crate::budget::BudgetError::UnknownRun { run }.into());
            }
            if !path.contains(&account) {
                path.push(account);
            }
        }
        if let Some(tenant) = options.and_then(|o| o.tenant.clone()) {
            let limits = self
                .settings
                .tenants
                .get(tenant.as_str())
                .copied()
                .unwrap_or(self.settings.tenant_per_day);
            let account = AccountId::TenantDay(tenant, self.wall.utc_day());
            if !path.contains(&account) {
                if !limits.is_unlimited() && !self.ledger.is_open(&account) {
                    self.ledger
                        .close_days_before(self.wall.utc_day().saturating_sub(1));
                    self.ledger.open(account.clone(), limits);
                }
                path.push(account);
            }
        }
        if !path.contains(&AccountId::Global) {
            path.push(AccountId::Global);
        }
        Ok(Some(path.into()))
    }

    /// Reserves for one attempt: one call, and the estimate.
    pub(crate) fn hold_for(
        &self,
        task: &Task,
        accounts: Option<&Arc<[AccountId]>>,
        agent: AgentKey,
    ) -> Result<Option<crate::budget::Hold>, crate::budget::BudgetError> {
        let capped = self
            .agents
            .slots
            .get(agent)
            .filter(|a| a.rare.as_ref().is_some_and(|r| r.capped))
            .map(|a| AccountId::Agent(a.id.clone()));
        let path = match (accounts, capped) {
            (None, None) => return Ok(None),
            (Some(accounts), None) => Arc::clone(accounts),
            (accounts, Some(cap)) => accounts
                .map_or(&[AccountId::Global][..], |a| &a[..])
                .iter()
                .cloned()
                .chain([cap])
                .collect(),
        };
        let mut amount = task
            .options
            .as_deref()
            .and_then(|o| o.estimate)
            .unwrap_or_default();
        amount.calls = amount.calls.max(1);
        self.ledger.hold(path, amount).map(Some)
    }

    /// Takes the limits of a run or task out of the ledger when they are over.
    pub(crate) fn close_task_account(&self, entry: &TaskEntry) {
        let has_budget = entry
            .record
            .task()
            .options
            .as_deref()
            .is_some_and(|o| o.budget.is_some());
        if has_budget {
            self.ledger.close(&AccountId::Task(entry.id().clone()));
        }
    }
}
