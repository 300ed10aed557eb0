//! Which accounts a task draws on, and what an attempt reserves in them.

use std::sync::Arc;

use crate::budget::{AccountId, Amount, Hold, Path, Shortage};
use crate::clock::Stamp;
use crate::engine::pools::{ClassIx, Reach};
use crate::engine::queue::Spot;
use crate::engine::tasks::{Place, TaskEntry};
use crate::engine::{AgentKey, Engine, Launch, TaskKey, Work};
use crate::id::Tenant;
use crate::task::{FailureKind, Refusal, Task, TaskEvent, TaskFailure, TaskRecord};

/// What an attempt reserves: one call, and the estimate.
pub(super) fn amount_of(task: &Task) -> Amount {
    let estimate = task.options.as_deref().and_then(|o| o.estimate);
    let mut amount = estimate.unwrap_or_default();
    amount.calls = amount.calls.max(1);
    amount
}

impl Engine {
    /// The accounts that a task draws on; `None` when nothing limits or counts it.
    pub(super) fn accounts_for(
        &mut self,
        record: &TaskRecord,
        parent: Option<TaskKey>,
    ) -> Result<Option<Path>, Refusal> {
        let options = record.task().options.as_deref();
        let inherited = parent.and_then(|p| self.accounts_today(p));
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
        if let Some(run) = options.and_then(|o| o.run.as_ref()) {
            for account in self.ledger.lineage(run)? {
                if !path.contains(&account) {
                    path.push(account);
                }
            }
        }
        if let Some(tenant) = options.and_then(|o| o.tenant.clone()) {
            let account = self.open_today(tenant);
            if !path.contains(&account) {
                path.push(account);
            }
        }
        if !path.contains(&AccountId::Global) {
            path.push(AccountId::Global);
        }
        Ok(Some(path.into()))
    }

    /// The account of a tenant's present day.
    pub(crate) fn open_today(&self, tenant: Tenant) -> AccountId {
        let own = self.settings.tenants.get(tenant.as_str());
        let limits = own.copied().unwrap_or(self.settings.tenant_per_day);
        self.ledger.open_day(tenant, self.wall.utc_day(), limits)
    }

    /// The accounts of a task that was accepted; its tenant's is that of the present day.
    fn accounts_today(&mut self, task: TaskKey) -> Option<Path> {
        let entry = self.tasks.entries.get(task)?;
        let accounts = entry.cold.as_ref()?.accounts.clone()?;
        let past = |account: &AccountId| match account {
            AccountId::TenantDay(_, day) => *day != self.wall.utc_day(),
            _ => false,
        };
        if !accounts.iter().any(past) {
            return Some(accounts);
        }
        let today = accounts.iter().map(|account| match account {
            AccountId::TenantDay(tenant, _) => self.open_today(tenant.clone()),
            other => other.clone(),
        });
        let today: Path = today.collect();
        let entry = self.tasks.entries.get_mut(task)?;
        entry.cold_mut().accounts = Some(today.clone());
        Some(today)
    }

    /// The account of an agent's own budget, if it has one.
    fn cap_of(&self, agent: AgentKey) -> Option<AccountId> {
        let slot = self.agents.slots.get(agent)?;
        let capped = slot.rare.as_ref().is_some_and(|r| r.capped);
        capped.then(|| AccountId::Agent(slot.id.clone()))
    }

    /// Reserves for one attempt.
    pub(super) fn hold_for(
        &self,
        task: &Task,
        accounts: Option<&Path>,
        agent: AgentKey,
    ) -> Result<Option<Hold>, Box<Shortage>> {
        let path = match (accounts, self.cap_of(agent)) {
            (None, None) => return Ok(None),
            (Some(accounts), None) => accounts.clone(),
            (accounts, Some(cap)) => accounts
                .map_or(&[AccountId::Global][..], |a| &a[..])
                .iter()
                .cloned()
                .chain([cap])
                .collect(),
        };
        self.ledger.hold(path, amount_of(task)).map(Some)
    }

    /// An agent was chosen and an account has no room. When it is the agent's own, another agent may do.
    pub(super) fn hold_elsewhere(
        &mut self,
        task: &Task,
        accounts: Option<&Path>,
        (class, reach): (ClassIx, Reach),
        agent: AgentKey,
        shortage: Box<Shortage>,
        now: Stamp,
    ) -> Result<(AgentKey, Option<Hold>), Box<Shortage>> {
        if !shortage.is_of_agent() {
            return Err(shortage);
        }
        self.recheck_cap(agent, now);
        let Some(other) = self.agent_with_room(class, task, reach) else {
            return Err(shortage);
        };
        Ok((other, self.hold_for(task, accounts, other)?))
    }

    /// The best ready agent whose own budget, if any, has room for the task. Walks the ready agents of the class.
    fn agent_with_room(&self, class: ClassIx, task: &Task, reach: Reach) -> Option<AgentKey> {
        let amount = amount_of(task);
        let pools = self.pools.class(class).pools.iter();
        let ready = pools.flat_map(|ix| self.pools.pool(*ix).ready(reach));
        let fits = |agent| match self.cap_of(agent) {
            Some(cap) => self.ledger.check(&[cap], &amount).is_ok(),
            None => true,
        };
        let ready = ready.filter(|(_, agent)| fits(*agent));
        let options = task.options.as_deref();
        match options.and_then(|o| o.affinity_key.as_ref()) {
            Some(key) => self.stickiest(key, ready),
            None => ready.min_by_key(|(rank, _)| *rank).map(|(_, agent)| agent),
        }
    }

    /// Whether a capable agent, ready or not, could pay for the task from its own budget once nothing is reserved. Walks all agents.
    pub(super) fn could_be_paid(&self, class: ClassIx, task: &Task) -> bool {
        let pools = &self.pools.class(class).pools;
        let amount = amount_of(task);
        let slots = self.agents.slots.iter();
        let mut capable = slots.filter(|(_, slot)| pools.contains(&slot.pool));
        capable.any(|(agent, _)| match self.cap_of(agent) {
            Some(cap) => self.ledger.could_hold(&cap, &amount),
            None => true,
        })
    }

    /// Looks whether an agent's own budget has room for any attempt.
    pub(super) fn recheck_cap(&mut self, agent: AgentKey, now: Stamp) {
        let Some(cap) = self.cap_of(agent) else {
            return;
        };
        let spent = self.ledger.check(&[cap], &Amount::calls(1)).is_err();
        if let Some(rare) = self
            .agents
            .slots
            .get_mut(agent)
            .and_then(|s| s.rare.as_mut())
            && std::mem::replace(&mut rare.spent, spent) != spent
        {
            self.availability_changed(agent, now);
        }
    }

    /// Reserves budget and slot for a task that was `queued` there. One for which an account has no room waits for it, or ends when nothing can come back.
    pub(super) fn bind(
        &mut self,
        task: TaskKey,
        agent: AgentKey,
        queued: Option<Spot>,
        now: Stamp,
    ) -> Option<Launch> {
        let accounts = self.accounts_today(task);
        let entry = self.tasks.entries.get(task)?;
        let class = entry.class;
        let mut found = self
            .hold_for(entry.record.task(), accounts.as_ref(), agent)
            .map(|hold| (agent, hold));
        if let Err(shortage) = found {
            let record = Arc::clone(&self.tasks.entries[task].record);
            let among = (class, Reach::Push);
            found = self.hold_elsewhere(
                record.task(),
                accounts.as_ref(),
                among,
                agent,
                shortage,
                now,
            );
        }
        match found {
            Ok((agent, hold)) => {
                self.next_in_lot(task, None);
                if let Some(spot) = queued {
                    let record = &self.tasks.entries[task].record;
                    self.ready.served(spot, record.task().tenant_name());
                }
                Some(self.take_slot(task, agent, hold, now))
            }
            Err(shortage) => {
                self.give_key_of(task);
                self.without_room(task, queued, *shortage, now);
                None
            }
        }
    }

    fn without_room(
        &mut self,
        task: TaskKey,
        queued: Option<Spot>,
        shortage: Shortage,
        now: Stamp,
    ) {
        let entry = &self.tasks.entries[task];
        let of_agent = shortage.is_of_agent();
        let waits = if of_agent {
            self.could_be_paid(entry.class, entry.record.task())
        } else {
            // What a child would wait for may be what its own parent holds.
            let is_child = entry.cold.as_ref().is_some_and(|c| c.parent.is_some());
            shortage.may_return && !is_child
        };
        if !waits {
            self.next_in_lot(task, None);
            self.set_place(task, Place::Gate);
            if let Some(spot) = queued {
                let record = &self.tasks.entries[task].record;
                self.ready
                    .not_served(spot.level, record.task().tenant_name());
            }
            let failure = TaskFailure::new(FailureKind::OverBudget, shortage.error.to_string());
            return self.finish(task, TaskEvent::Reject, None, Some(failure), now);
        }
        let Some(spot) = queued.or_else(|| self.new_spot(task, now)) else {
            return;
        };
        let account = shortage.account;
        self.next_in_lot(task, Some(&account));
        self.short_of_agents += usize::from(of_agent);
        self.short.entry_ref(&account).or_default().park(spot, task);
        self.tasks.entries[task].cold_mut().waits_for = Some(account);
        self.set_place(task, Place::BudgetLimited);
    }

    /// A task leaves the account that it waited for: the next one's turn, unless it goes back there.
    pub(super) fn next_in_lot(&mut self, task: TaskKey, back_to: Option<&AccountId>) {
        let cold = self
            .tasks
            .entries
            .get_mut(task)
            .and_then(|e| e.cold.as_mut());
        if let Some(account) = cold.and_then(|c| c.waits_for.take())
            && back_to != Some(&account)
        {
            self.work.push_back(Work::Account(account));
        }
    }

    /// Takes a task out of the lot of the account that it waits for.
    pub(super) fn leave_lot(&mut self, task: TaskKey, spot: Spot) {
        let cold = self.tasks.entries.get(task).and_then(|e| e.cold.as_ref());
        let Some(account) = cold.and_then(|c| c.waits_for.clone()) else {
            return;
        };
        if let Some(lot) = self.short.get_mut(&account)
            && lot.remove(spot)
        {
            self.short_of_agents -= usize::from(matches!(account, AccountId::Agent(_)));
            if lot.len() == 0 {
                self.short.remove(&account);
            }
        }
    }

    /// Learns which accounts may have room again.
    pub(super) fn take_freed(&mut self) {
        if self.ledger.has_freed() {
            let freed = self.ledger.take_freed();
            self.work.extend(freed.into_iter().map(Work::Account));
        }
    }

    /// An account may have room: the first task of each class that waits for it may run.
    pub(super) fn account_freed(&mut self, account: &AccountId, now: Stamp) {
        if let AccountId::Agent(id) = account
            && let Some(agent) = self.agents.key(id)
        {
            self.recheck_cap(agent, now);
        }
        let Some(lot) = self.short.get_mut(account) else {
            return;
        };
        let first = lot.representatives();
        if lot.len() == 0 {
            self.short.remove(account);
        }
        if matches!(account, AccountId::Agent(_)) {
            self.short_of_agents -= first.len();
        }
        self.ready_again(first, now);
    }

    /// An agent may have a free slot, or has left: it may do what found no room in the budgets of others.
    pub(super) fn try_capped(&mut self, now: Stamp) {
        if self.short_of_agents > 0 {
            let lots = self.short.keys();
            let of_agents = lots.filter(|a| matches!(a, AccountId::Agent(_))).cloned();
            for account in of_agents.collect::<Vec<_>>() {
                self.account_freed(&account, now);
            }
        }
    }

    /// Whether a task waits that an agent with a free slot could take.
    pub(super) fn some_wait_for_an_agent(&self) -> bool {
        self.ready.len() + self.short_of_agents > 0
    }

    /// Tasks that wait for a key or a budget, picked by their class.
    pub(super) fn parked_tasks(&self, picks: impl Fn(ClassIx) -> bool) -> Vec<TaskKey> {
        let lots = self.keys.lots().chain(self.short.values());
        lots.flat_map(|lot| lot.tasks_of(&picks)).collect()
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
