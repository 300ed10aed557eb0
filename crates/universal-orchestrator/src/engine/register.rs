//! Agents come, change and go.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::agent::{AgentCallError, AgentChange, AgentFault, AgentSpec, Intent, RegisterRefusal};
use crate::breaker::CircuitBreaker;
use crate::budget::AccountId;
use crate::clock::Stamp;
use crate::engine::agents::{AgentSlot, RareAgent, Recent};
use crate::engine::effects::{Garbage, Launch};
use crate::engine::timers::Timer;
use crate::engine::{AgentKey, Engine, Seen, TaskKey, Work};
use crate::event::Event;
use crate::id::AgentId;
use crate::plugin::{HookPoint, Stage};
use crate::principal::Principal;
use crate::task::{FailureKind, TaskFailure};

/// What `next_task` finds.
pub(crate) enum Pull {
    /// A task that is bound and waits for its hooks.
    Launch(Launch),
    /// Nothing yet: a place to wait.
    Wait(oneshot::Receiver<Launch>),
}

impl Engine {
    /// Whether an agent could be registered now; the guard is asked in between.
    pub(crate) fn check_register(&self, id: &AgentId) -> Result<(), RegisterRefusal> {
        if self.shutting_down {
            return Err(RegisterRefusal::ShuttingDown);
        }
        if self.agents.key(id).is_some() {
            return Err(RegisterRefusal::Duplicate { id: id.clone() });
        }
        if self.agents.counts.total >= self.settings.max_agents {
            return Err(RegisterRefusal::TooMany {
                max: self.settings.max_agents,
            });
        }
        Ok(())
    }

    pub(crate) fn register(
        &mut self,
        id: &AgentId,
        spec: &AgentSpec,
        by: &Principal,
        begun: Stamp,
        now: Stamp,
    ) -> Result<AgentKey, RegisterRefusal> {
        self.check_register(id)?;
        let pool = self.pools.join(
            &spec.capabilities,
            spec.role,
            &spec.labels,
            spec.concurrency,
        );
        let breaker = self.settings.breaker.map(CircuitBreaker::new);
        let recent = self.policy.uses_window().then(|| Recent {
            since: now,
            ..Recent::default()
        });
        // An attempt of this process cannot be lost in silence: its future is there or dropped.
        let heartbeat = spec.heartbeat.filter(|_| spec.runs.is_none());
        let rare = (heartbeat.is_some()
            || breaker.is_some()
            || recent.is_some()
            || !spec.metadata.is_null()
            || spec.budget.is_some())
        .then(|| {
            Box::new(RareAgent {
                heartbeat,
                breaker,
                recent,
                metadata: spec.metadata.clone(),
                capped: spec.budget.is_some(),
                ..RareAgent::default()
            })
        });
        if let Some(limits) = spec.budget {
            self.ledger.open(AccountId::Agent(id.clone()), limits);
        }
        self.order += 1;
        let key = self.agents.insert(AgentSlot {
            id: id.clone(),
            pool,
            role: spec.role,
            intent: Intent::Active,
            reachable: true,
            concurrency: spec.concurrency,
            zombies: 0,
            tasks: SmallVec::new(),
            order: self.order,
            ready: None,
            counted: crate::agent::Availability::Available,
            runs: spec.runs.clone(),
            registered_at: now,
            last_seen: now,
            completed: 0,
            failed: 0,
            busy_nanos: 0,
            cost: spec.cost,
            rare,
        });
        self.metrics.agents_registered.increment(1);
        self.events
            .emit(|| Event::AgentRegistered { agent: id.clone() });
        if self.plugins.wants(Stage::Observe, HookPoint::Register) {
            let seen = Seen::Registered(id.clone(), by.clone(), now.since(begun));
            self.effects.seen.push(seen);
        }
        if let Some(interval) = heartbeat {
            self.timers
                .set(now.after(self.silence(interval)), Timer::Heartbeat(key));
        }
        self.recheck_cap(key, now);
        self.set_ready(key, now);
        if self.some_wait_for_an_agent() {
            self.work.push_back(Work::Agent(key));
        }
        Ok(key)
    }

    /// How long an agent may be silent.
    pub(crate) fn silence(&self, interval: Duration) -> Duration {
        interval.saturating_mul(self.settings.agents.heartbeat_timeout_factor.max(1))
    }

    fn agent_key(&self, id: &AgentId) -> Result<AgentKey, AgentCallError> {
        self.agents
            .key(id)
            .ok_or_else(|| AgentCallError::Unknown { id: id.clone() })
    }

    /// Takes an agent out. Its attempts are lost.
    pub(crate) fn deregister(
        &mut self,
        id: &AgentId,
        by: &Principal,
        now: Stamp,
    ) -> Result<(), AgentCallError> {
        let key = self.agent_key(id)?;
        self.agents.slots[key].intent = Intent::Draining;
        self.availability_changed(key, now);
        self.lose_tasks(key, "its agent was deregistered", now);
        let Some(slot) = self.agents.slots.get(key) else {
            return Ok(());
        };
        if let Some((lane, rank)) = slot.ready {
            self.pools.remove(slot.pool, lane, rank);
        }
        let pool = slot.pool;
        self.pools.leave(pool, slot.concurrency);
        let Some(slot) = self.agents.remove(key) else {
            return Ok(());
        };
        if let Some(runs) = slot.runs {
            self.effects.garbage.push(Garbage::Agent(runs));
        }
        for waiter in slot.rare.into_iter().flat_map(|r| r.waiters) {
            self.effects.garbage.push(Garbage::Waiter(waiter));
        }
        self.zombie_attempts.retain(|_, agent| *agent != key);
        self.ledger.close(&AccountId::Agent(id.clone()));
        self.metrics.agents_deregistered.increment(1);
        self.events
            .emit(|| Event::AgentDeregistered { agent: id.clone() });
        if self.plugins.wants(Stage::Observe, HookPoint::Deregister) {
            let seen = Seen::Deregistered(id.clone(), by.clone());
            self.effects.seen.push(seen);
        }
        self.report_unroutable(pool, now);
        self.try_capped(now);
        Ok(())
    }

    /// Every attempt of an agent is lost: tried again elsewhere, or failed.
    pub(crate) fn lose_tasks(&mut self, agent: AgentKey, why: &str, now: Stamp) {
        let tasks: SmallVec<[TaskKey; 2]> = match self.agents.slots.get(agent) {
            Some(slot) => slot.tasks.clone(),
            None => return,
        };
        for task in tasks {
            self.lose_attempt(task, why, now);
        }
    }

    /// An attempt is lost. An in-process one is cancelled, and holds its slot until it is gone.
    pub(crate) fn lose_attempt(&mut self, task: TaskKey, why: &str, now: Stamp) {
        let Some(entry) = self.tasks.entries.get(task).filter(|e| e.holds_slot()) else {
            return;
        };
        if entry.place == crate::engine::tasks::Place::Provisional {
            return self.drop_reservation(task, now);
        }
        self.metrics.leases_lost.increment(1);
        let cell = entry.cell.clone();
        let agent = entry.agent;
        let never_began = entry.state == crate::task::TaskState::Queued;
        if never_began {
            // Its hooks still run; the commit will find that it is no longer bound.
            let delegation = self.delegation_of(task);
            if let (Some(delegation), Some(agent)) = (delegation, agent) {
                let record = Arc::clone(&self.tasks.entries[task].record);
                let launch = Launch {
                    task,
                    agent,
                    record,
                    delegation,
                    phase: crate::engine::Phase::Reserved,
                    runs: None,
                    cell: None,
                };
                self.unbind(&launch, now);
            }
            return;
        }
        self.attempt_failed(task, TaskFailure::new(FailureKind::AgentLost, why), now);
        if let (Some(cell), Some(agent)) = (cell, agent) {
            if let Some(slot) = self.agents.slots.get_mut(agent) {
                slot.zombies += 1;
                self.agents.counts.zombies += 1;
                self.set_ready(agent, now);
            }
            self.ask_to_stop(cell, now);
        }
    }

    /// Says which queued tasks nobody can do now that a pool has changed.
    fn report_unroutable(&mut self, pool: crate::engine::pools::PoolIx, now: Stamp) {
        if self.pools.pool(pool).members > 0 {
            return;
        }
        let mut left: Vec<_> = self.pools.pool(pool).classes.clone();
        left.retain(|class| !self.pools.has_member(*class));
        let queued = left.iter().flat_map(|class| self.ready.tasks_of(*class));
        let mut tasks: Vec<TaskKey> = queued.collect();
        tasks.extend(self.parked_tasks(|class| left.contains(&class)));
        for task in tasks {
            self.unroutable(task, now);
        }
    }

    pub(crate) fn check_change(&self, change: &AgentChange) -> Result<(), AgentFault> {
        let max = self.settings.agents.concurrency_max;
        if let Some(concurrency) = change.concurrency.filter(|c| *c == 0 || *c > max) {
            return Err(AgentFault::Concurrency { concurrency, max });
        }
        Ok(())
    }

    pub(crate) fn update(
        &mut self,
        id: &AgentId,
        change: AgentChange,
        now: Stamp,
    ) -> Result<(), AgentCallError> {
        self.check_change(&change)?;
        let key = self.agent_key(id)?;
        self.touch(key, now);
        let slot = &self.agents.slots[key];
        let (pool, before) = (slot.pool, slot.concurrency);
        let after = change.concurrency.unwrap_or(before);
        let current = self.pools.pool(pool);
        let capabilities = change
            .capabilities
            .unwrap_or_else(|| current.capabilities().clone());
        let labels = change.labels.unwrap_or_else(|| current.labels().clone());
        if capabilities == *current.capabilities() && labels == *current.labels() {
            self.pools.change_slots(pool, before, after);
        } else {
            if let Some((lane, rank)) = self.agents.slots[key].ready.take() {
                self.pools.remove(pool, lane, rank);
            }
            let role = self.agents.slots[key].role;
            self.pools.leave(pool, before);
            let joined = self.pools.join(&capabilities, role, &labels, after);
            self.agents.change_pool(key, joined);
            self.report_unroutable(pool, now);
        }
        let slot = &mut self.agents.slots[key];
        slot.concurrency = after;
        if let Some(metadata) = change.metadata {
            slot.rare_mut().metadata = metadata;
        }
        self.set_ready(key, now);
        self.work.push_back(Work::Agent(key));
        Ok(())
    }

    pub(crate) fn set_intent(
        &mut self,
        id: &AgentId,
        intent: Intent,
        now: Stamp,
    ) -> Result<(), AgentCallError> {
        let key = self.agent_key(id)?;
        self.agents.slots[key].intent = intent;
        self.availability_changed(key, now);
        Ok(())
    }

    pub(crate) fn set_quarantine(
        &mut self,
        id: &AgentId,
        reason: Option<String>,
        now: Stamp,
    ) -> Result<(), AgentCallError> {
        let key = self.agent_key(id)?;
        self.agents.slots[key].rare_mut().quarantine = reason;
        self.availability_changed(key, now);
        Ok(())
    }

    pub(crate) fn heartbeat(&mut self, id: &AgentId, now: Stamp) -> Result<(), AgentCallError> {
        let key = self.agent_key(id)?;
        self.touch(key, now);
        Ok(())
    }

    /// A call named the agent: it is alive.
    pub(crate) fn touch(&mut self, agent: AgentKey, now: Stamp) {
        let Some(slot) = self.agents.slots.get_mut(agent) else {
            return;
        };
        slot.last_seen = now;
        if slot.reachable {
            return;
        }
        slot.reachable = true;
        if let Some(interval) = slot.heartbeat() {
            self.timers
                .set(now.after(self.silence(interval)), Timer::Heartbeat(agent));
        }
        self.availability_changed(agent, now);
    }

    /// Counts an agent where it stands now, and gives it work if it may have some.
    pub(crate) fn availability_changed(&mut self, agent: AgentKey, now: Stamp) {
        let changed = self.agents.recount(agent, now);
        self.set_ready(agent, now);
        let Some(slot) = self.agents.slots.get(agent) else {
            return;
        };
        if changed {
            self.events.emit(|| Event::AgentAvailability {
                agent: slot.id.clone(),
                availability: slot.counted,
            });
        }
        if slot.ready.is_some() && self.some_wait_for_an_agent() {
            self.work.push_back(Work::Agent(agent));
        }
    }

    /// The next task for an external agent, or a place to wait for one.
    pub(crate) fn pull(&mut self, id: &AgentId, now: Stamp) -> Result<Pull, AgentCallError> {
        if self.shutting_down {
            return Err(AgentCallError::ShuttingDown);
        }
        let key = self.agent_key(id)?;
        self.touch(key, now);
        let slot = &mut self.agents.slots[key];
        if slot.runs.is_some() {
            return Err(AgentCallError::InProcess { id: id.clone() });
        }
        let (sender, receiver) = oneshot::channel();
        slot.rare_mut().waiters.retain(|w| !w.is_closed());
        let others_wait = slot.waits();
        slot.rare_mut().waiters.push(sender);
        if others_wait {
            // They came first, and there was nothing for them.
            return Ok(Pull::Wait(receiver));
        }
        self.set_ready(key, now);
        self.match_agent(key, now);
        // Matched at once: take the launch out of the effects, so that no wake-up stands in between.
        let at = self
            .effects
            .rare()
            .delivers
            .iter()
            .position(|(_, launch)| launch.agent == key);
        match at {
            Some(at) => {
                let (waiter, launch) = self.effects.rare().delivers.swap_remove(at);
                self.effects.garbage.push(Garbage::Waiter(waiter));
                Ok(Pull::Launch(launch))
            }
            None => Ok(Pull::Wait(receiver)),
        }
    }

    /// Nobody waits in `next_task` any more: the agent leaves the lane that the queue pushes to.
    pub(crate) fn stop_waiting(&mut self, id: &AgentId, now: Stamp) {
        let Some(key) = self.agents.key(id) else {
            return;
        };
        if let Some(rare) = self.agents.slots[key].rare.as_mut() {
            rare.waiters.retain(|w| !w.is_closed());
        }
        self.set_ready(key, now);
    }

    /// Metadata bounds are checked with the payload's.
    pub(crate) fn metadata_of(slot: &AgentSlot) -> Value {
        slot.rare
            .as_ref()
            .map_or(Value::Null, |r| r.metadata.clone())
    }
}
