//! The doors: how a task gets in.

use std::sync::Arc;
use std::time::Duration;

use slotmap::Key as _;
use tokio::time::Instant;

use crate::agent::Availability;
use crate::budget::AccountId;
use crate::capability::Labels;
use crate::clock::Stamp;
use crate::engine::accounts::amount_of;
use crate::engine::pools::{ClassIx, Demand, Reach};
use crate::engine::queue::OrderKey;
use crate::engine::tasks::{Door, Place, TaskEntry};
use crate::engine::timers::Timer;
use crate::engine::{AgentKey, Engine, Launch, OBSERVE, Seen, TaskKey};
use crate::event::Event;
use crate::plugin::HookPoint;
use crate::task::{
    Delegation, Refusal, Task, TaskFault, TaskOptions, TaskRecord, TaskState, UnavailableCounts,
};

static NO_LABELS: Labels = Labels::none();

/// How a task came to a door.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doorway {
    pub(crate) door: Door,
    /// The parent at work, for a child.
    pub(crate) parent: Option<TaskKey>,
}

/// How `delegate_task` binds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DelegateOptions {
    /// Hooks before the delegation run after the reservation.
    pub(crate) reserve_only: bool,
}

/// A task that was let in.
pub(crate) struct Accepted {
    pub(crate) key: TaskKey,
    /// An attempt that was bound at once to an in-process agent.
    pub(crate) launch: Option<Launch>,
}

pub(crate) fn demand_of(task: &Task) -> Demand<'_> {
    let options = task.options.as_deref();
    Demand {
        required: &task.required,
        role: options.and_then(|o| o.role),
        labels: options.map_or(&NO_LABELS, |o| &o.labels),
    }
}

impl Engine {
    /// Counts a refusal and closes the account that was opened for the task.
    pub(crate) fn was_refused(&mut self, record: &TaskRecord) {
        self.refused += 1;
        let has_budget = record
            .task()
            .options
            .as_deref()
            .is_some_and(|o| o.budget.is_some());
        if has_budget && self.tasks.key(record.id()).is_none() {
            self.ledger.close(&AccountId::Task(record.id().clone()));
        }
    }

    pub(crate) const fn count_refused(&mut self) {
        self.refused += 1;
    }

    /// What every door checks first.
    fn check_door(&self, record: &TaskRecord, parent: Option<TaskKey>) -> Result<(), Refusal> {
        // A child is part of the work of its parent, which was let in before.
        let from_outside = parent.is_none();
        if self.shutting_down && from_outside {
            return Err(Refusal::ShuttingDown);
        }
        if self.intake_paused && from_outside {
            return Err(Refusal::IntakePaused);
        }
        if let Some(key) = self.tasks.key(record.id()) {
            return Err(Refusal::Duplicate {
                id: record.id().clone(),
                state: self.tasks.entries[key].state,
            });
        }
        Ok(())
    }

    /// Binds a task now or refuses it. With `reserve_only`, the slot and the id are taken and nothing is accepted yet.
    pub(crate) fn delegate(
        &mut self,
        record: &Arc<TaskRecord>,
        options: DelegateOptions,
        now: Stamp,
    ) -> Result<Launch, Refusal> {
        let result = self.delegate_checked(record, options, now);
        if result.is_err() {
            self.was_refused(record);
        }
        result
    }

    fn delegate_checked(
        &mut self,
        record: &Arc<TaskRecord>,
        options: DelegateOptions,
        now: Stamp,
    ) -> Result<Launch, Refusal> {
        self.check_door(record, None)?;
        let task = record.task();
        if let Some(o) = task.options.as_deref() {
            let later = o.delay.is_some_and(|d| d > Duration::ZERO)
                || o.not_before.is_some_and(|at| self.epoch.stamp_of(at) > now);
            if later {
                return Err(Refusal::NotAtOnce { what: "a delay" });
            }
            if !o.after.is_empty() {
                return Err(Refusal::NotAtOnce { what: "`after`" });
            }
        }
        let deadline = self.deadline_of(task, None, now)?;
        let class = self.class_for(task);
        let agent = self.route(class, task)?;
        let accounts = self.accounts_for(record, None)?;
        let holds_key = self.take_key_at_once(task, now)?;
        let mut found = self
            .hold_for(task, accounts.as_ref(), agent)
            .map(|hold| (agent, hold));
        if let Err(shortage) = found {
            found = self.hold_elsewhere(
                task,
                accounts.as_ref(),
                (class, Reach::All),
                agent,
                shortage,
                now,
            );
        }
        let (agent, hold) = match found {
            Ok(found) => found,
            Err(shortage) => {
                self.give_key_back(task, holds_key);
                let others = shortage.is_of_agent() && self.could_be_paid(class, task);
                return Err(if others {
                    self.why_none(class, task)
                } else {
                    shortage.error.into()
                });
            }
        };
        let mut entry = Self::new_entry(record, Door::Delegate, class, deadline, now);
        if accounts.is_some() || holds_key {
            let cold = entry.cold_mut();
            cold.accounts = accounts;
            cold.holds_key = holds_key;
        }
        entry.place = Place::Provisional;
        let key = self.tasks.insert(entry);
        let launch = self.take_slot(key, agent, hold, now);
        if options.reserve_only {
            return Ok(launch);
        }
        Ok(self.commit_delegation(launch, now))
    }

    /// Accepts a reservation of `delegate_task` whose hooks have allowed it. `Err`: something changed meanwhile and the reservation is gone.
    pub(crate) fn commit_reservation(
        &mut self,
        mut launch: Launch,
        record: Arc<TaskRecord>,
        now: Stamp,
    ) -> Result<Launch, Launch> {
        let still = !self.shutting_down
            && self
                .tasks
                .entries
                .get(launch.task)
                .is_some_and(|e| e.place == Place::Provisional)
            && self.may_still_take(&launch, now);
        if !still {
            self.drop_reservation(launch.task, now);
            return Err(launch);
        }
        self.take_record(launch.task, &record);
        launch.record = record;
        Ok(self.commit_delegation(launch, now))
    }

    /// Undoes a reservation of `delegate_task`.
    pub(crate) fn drop_reservation(&mut self, task: TaskKey, now: Stamp) {
        if self
            .tasks
            .entries
            .get(task)
            .is_none_or(|e| e.place != Place::Provisional)
        {
            return;
        }
        self.forget_probe(self.tasks.entries[task].agent);
        self.free_slot(task, false, now);
        if let Some(entry) = self.tasks.remove(task) {
            self.close_task_account(&entry);
            self.discard(entry);
        }
    }

    fn commit_delegation(&mut self, mut launch: Launch, now: Stamp) -> Launch {
        self.accepted += 1;
        self.tasks.entries[launch.task].number = self.accepted;
        self.by_state[TaskState::Queued as usize] += 1;
        self.metrics.tasks_accepted.increment(1);
        self.set_place(launch.task, Place::Reserved);
        let id = launch.record.id();
        self.events
            .emit(|| Event::TaskAccepted { task: id.clone() });
        if self.plugins.wants(OBSERVE, HookPoint::Submit) {
            self.effects
                .seen
                .push(Seen::Submitted(Arc::clone(&launch.record)));
        }
        self.arm_deadline(launch.task);
        self.commit_assign(&mut launch, now);
        if launch.runs.is_some() && !self.plugins.decides(HookPoint::Start) {
            self.commit_start(&mut launch, now);
        }
        launch
    }

    /// Accepts a task into the queue and, if an agent is ready, binds it at once.
    pub(crate) fn submit(
        &mut self,
        record: &Arc<TaskRecord>,
        way: Doorway,
        now: Stamp,
    ) -> Result<Accepted, Refusal> {
        let result = self.submit_checked(record, way, now);
        if result.is_err() {
            self.was_refused(record);
        }
        result
    }

    /// Like [`Self::submit`]; `None` when there is no room in the queue, which is no refusal: the task comes again.
    pub(crate) fn submit_if_room(
        &mut self,
        record: &Arc<TaskRecord>,
        way: Doorway,
        now: Stamp,
    ) -> Option<Result<Accepted, Refusal>> {
        let may_come_again = self.settings.queue.max_tasks > 0;
        if may_come_again && !self.has_room() && self.check_door(record, way.parent).is_ok() {
            return None;
        }
        Some(self.submit(record, way, now))
    }

    fn submit_checked(
        &mut self,
        record: &Arc<TaskRecord>,
        way: Doorway,
        now: Stamp,
    ) -> Result<Accepted, Refusal> {
        self.check_door(record, way.parent)?;
        let task = record.task();
        if let Some(parent) = way.parent {
            self.check_parent(parent, task)?;
        }
        if self.by_state[TaskState::Queued as usize] >= self.settings.queue.max_tasks as u64 {
            return Err(Refusal::QueueFull {
                max: self.settings.queue.max_tasks,
            });
        }
        let deadline = self.deadline_of(task, way.parent, now)?;
        let class = self.class_for(task);
        if !self.settings.queue.queue_unroutable && !self.pools.has_member(class) {
            return Err(self.no_capable_agent(task));
        }
        let options = task.options.as_deref();
        let blocked_by = options.map_or(Ok(Vec::new()), |o| self.blocked_by(record, o))?;
        if let Some(parent) = way.parent {
            self.check_deadlock(parent, task, class, &blocked_by)?;
        }
        let accounts = self.accounts_for(record, way.parent)?;
        if let Some(accounts) = &accounts {
            self.ledger.check(accounts, &amount_of(task))?;
        }
        let mut entry = Self::new_entry(record, way.door, class, deadline, now);
        let due = options.map_or(Stamp::default(), |o| self.due_of(o, now));
        if accounts.is_some() || way.parent.is_some() || due > now {
            let cold = entry.cold_mut();
            cold.accounts = accounts;
            cold.parent = way.parent;
            cold.due = due;
        }
        self.accepted += 1;
        entry.number = self.accepted;
        let key = self.tasks.insert(entry);
        self.by_state[TaskState::Queued as usize] += 1;
        self.metrics.tasks_accepted.increment(1);
        self.events.emit(|| Event::TaskAccepted {
            task: record.id().clone(),
        });
        if self.plugins.wants(OBSERVE, HookPoint::Submit) {
            self.effects.seen.push(Seen::Submitted(Arc::clone(record)));
        }
        if let Some(parent) = way.parent.and_then(|p| self.tasks.entries.get_mut(p)) {
            parent.cold_mut().children.push(key);
        }
        self.arm_deadline(key);
        let launch = if blocked_by.is_empty() {
            self.make_ready_or_wait(key, now)
        } else {
            self.block(key, &blocked_by);
            None
        };
        Ok(Accepted { key, launch })
    }

    fn new_entry(
        record: &Arc<TaskRecord>,
        door: Door,
        class: ClassIx,
        deadline: Stamp,
        now: Stamp,
    ) -> TaskEntry {
        TaskEntry {
            record: Arc::clone(record),
            state: TaskState::Queued,
            door,
            place: Place::Gate,
            level: record.task().priority as u8,
            leased: false,
            attempt: 0,
            slot: 0,
            class,
            order: OrderKey::default(),
            number: 0,
            accepted_at: now,
            ready_at: now,
            assigned_at: now,
            deadline,
            agent: None,
            cell: None,
            outcome: None,
            cold: None,
        }
    }

    fn class_for(&mut self, task: &Task) -> ClassIx {
        self.tidy_classes();
        let paused = &self.paused;
        self.pools.class_of(demand_of(task), |c| paused.contains(c))
    }

    fn no_capable_agent(&self, task: &Task) -> Refusal {
        let demand = demand_of(task);
        let nearest = self.pools.missing(demand.required);
        Refusal::NoCapableAgent {
            required: demand.required.clone(),
            role: demand.role,
            labels: demand.labels.clone(),
            similar: nearest.as_ref().and_then(|c| self.pools.in_other_case(c)),
            nearest,
        }
    }

    /// The agent for a task that must be bound now, or why there is none.
    fn route(&mut self, class: ClassIx, task: &Task) -> Result<AgentKey, Refusal> {
        if self.pools.class(class).paused > 0
            && let Some(capability) = task.required.iter().find(|c| self.paused.contains(*c))
        {
            return Err(Refusal::CapabilityPaused {
                capability: capability.clone(),
            });
        }
        if self.in_flight >= self.settings.max_concurrent_tasks {
            return Err(Refusal::TooManyInFlight {
                max: self.settings.max_concurrent_tasks,
            });
        }
        let found = match task
            .options
            .as_deref()
            .and_then(|o| o.affinity_key.as_ref())
        {
            Some(key) => self.sticky(class, key, Reach::All),
            None => self.pools.best(class, Reach::All),
        };
        found.ok_or_else(|| self.why_none(class, task))
    }

    /// Costs one look at each pool of the class: with everybody busy, refusals are what is asked for most.
    pub(crate) fn why_none(&self, class: ClassIx, task: &Task) -> Refusal {
        let capable = self.pools.members(class);
        if capable == 0 {
            return self.no_capable_agent(task);
        }
        let pools = &self.pools.class(class).pools;
        let count = |availability| self.agents.count_in(pools, availability);
        let busy = count(Availability::Available);
        if busy > 0 {
            return Refusal::AllBusy { capable, busy };
        }
        Refusal::AllUnavailable {
            capable,
            counts: UnavailableCounts {
                sleeping: count(Availability::Sleeping),
                draining: count(Availability::Draining),
                quarantined: count(Availability::Quarantined),
                unreachable: count(Availability::Unreachable),
                breaker_open: count(Availability::BreakerOpen),
                over_budget: count(Availability::OverBudget),
            },
        }
    }

    /// The deadline of a task: its own, its parent's and the configured one, whichever comes first.
    fn deadline_of(
        &self,
        task: &Task,
        parent: Option<TaskKey>,
        now: Stamp,
    ) -> Result<Stamp, Refusal> {
        let mut deadline = match self.settings.tasks.deadline_max_ms {
            0 => Stamp::NEVER,
            ms => now.after_ms(ms),
        };
        if let Some(parent) = parent.and_then(|p| self.tasks.entries.get(p)) {
            deadline = deadline.min(parent.deadline);
        }
        if let Some(options) = task.options.as_deref() {
            if let Some(time) = options.deadline_in {
                if time.is_zero() {
                    return Err(TaskFault::DeadlinePassed { ago: time }.into());
                }
                deadline = deadline.min(now.after(time));
            }
            if let Some(at) = options.deadline {
                let at_stamp = self.epoch.stamp_of(at);
                if at_stamp <= now {
                    let ago = Instant::now().saturating_duration_since(at);
                    return Err(TaskFault::DeadlinePassed { ago }.into());
                }
                deadline = deadline.min(at_stamp);
            }
        }
        Ok(deadline)
    }

    fn due_of(&self, options: &TaskOptions, now: Stamp) -> Stamp {
        let mut due = options.delay.map_or(Stamp::default(), |d| now.after(d));
        if let Some(at) = options.not_before {
            due = due.max(self.epoch.stamp_of(at));
        }
        due
    }

    pub(crate) fn arm_deadline(&mut self, task: TaskKey) {
        if let Some(entry) = self.tasks.entries.get(task) {
            self.timers.set(entry.deadline, Timer::Deadline(task));
        }
    }

    pub(crate) fn hint_of(key: TaskKey) -> u64 {
        key.data().as_ffi()
    }

    pub(crate) fn delegation_of(&self, task: TaskKey) -> Option<Delegation> {
        let entry = self.tasks.entries.get(task)?;
        let agent = self.agents.slots.get(entry.agent?)?;
        Some(
            Delegation::new(entry.id().clone(), agent.id.clone(), entry.attempt)
                .with_hint(Self::hint_of(task)),
        )
    }
}
