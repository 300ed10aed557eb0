//! Slots: taken, committed, given back.

use std::sync::Arc;
use std::time::Duration;

use crate::agent::AttemptCell;
use crate::budget::Hold;
use crate::clock::Stamp;
use crate::engine::effects::{BindingTimes, Garbage};
use crate::engine::pools::RankKey;
use crate::engine::tasks::{Place, TaskEntry};
use crate::engine::timers::Timer;
use crate::engine::{AgentKey, Engine, Launch, OBSERVE, Phase, Seen, TaskKey, Work};
use crate::event::Event;
use crate::plugin::HookPoint;
use crate::routing::rank_or_last;
use crate::task::{Delegation, TaskEvent, TaskRecord};

impl Engine {
    /// Takes a slot of an agent for a task. Nothing is committed yet.
    pub(crate) fn take_slot(
        &mut self,
        task: TaskKey,
        agent: AgentKey,
        hold: Option<Hold>,
        now: Stamp,
    ) -> Launch {
        self.in_flight += 1;
        self.order += 1;
        let slot = &mut self.agents.slots[agent];
        if slot.tasks.is_empty() {
            self.agents.counts.busy += 1;
        }
        slot.order = self.order;
        let position = slot.tasks.len() as u32;
        slot.tasks.push(task);
        if let Some(breaker) = slot.rare.as_mut().and_then(|r| r.breaker.as_mut()) {
            breaker.acquire(Duration::from_nanos(now.0));
        }
        let (id, runs, watched) = (slot.id.clone(), slot.runs.clone(), slot.rare.is_some());
        if watched {
            self.agents.recount(agent, now);
        }
        self.set_ready(agent, now);
        let entry = &mut self.tasks.entries[task];
        entry.agent = Some(agent);
        entry.slot = position;
        entry.attempt += 1;
        entry.assigned_at = now;
        if entry.place != Place::Provisional {
            entry.place = Place::Reserved;
        }
        if hold.is_some() {
            entry.cold_mut().hold = hold;
        }
        Launch {
            task,
            agent,
            record: Arc::clone(&entry.record),
            delegation: Delegation::new(entry.id().clone(), id, entry.attempt)
                .with_hint(Self::hint_of(task)),
            phase: Phase::Reserved,
            runs,
            cell: None,
        }
    }

    /// Commits as far as no hook has to be asked.
    pub(crate) fn commit_silently(&mut self, launch: &mut Launch, now: Stamp) {
        if self.plugins.decides(HookPoint::Delegate) {
            return;
        }
        self.commit_assign(launch, now);
        if launch.runs.is_some() && !self.plugins.decides(HookPoint::Start) {
            self.commit_start(launch, now);
        }
    }

    /// Whether a launch is still what the engine thinks it is.
    pub(crate) fn is_current(&self, launch: &Launch) -> bool {
        self.tasks.entries.get(launch.task).is_some_and(|e| {
            e.holds_slot()
                && e.agent == Some(launch.agent)
                && e.attempt == launch.delegation.attempt()
        })
    }

    /// Whether the agent may still take what it was reserved for; if not, the task waits again.
    pub(crate) fn still_eligible(&mut self, launch: &Launch, now: Stamp) -> bool {
        let eligible = self.may_still_take(launch, now);
        if !eligible {
            self.unbind(launch, now);
        }
        eligible
    }

    /// Whether an agent is still available to what it was reserved for, and still fits it.
    pub(crate) fn may_still_take(&self, launch: &Launch, now: Stamp) -> bool {
        let Some(entry) = self.tasks.entries.get(launch.task) else {
            return false;
        };
        let class = self.pools.class(entry.class);
        class.paused == 0
            && self.agents.slots.get(launch.agent).is_some_and(|slot| {
                slot.is_available_to_one_let_through(now) && class.pools.contains(&slot.pool)
            })
    }

    /// Binds for good: the attempt counts from here.
    pub(crate) fn commit_assign(&mut self, launch: &mut Launch, now: Stamp) -> bool {
        if !self.is_current(launch) || self.transition(launch.task, TaskEvent::Assign).is_err() {
            return false;
        }
        launch.phase = Phase::Assigned;
        self.take_record(launch.task, &launch.record);
        let entry = &mut self.tasks.entries[launch.task];
        entry.place = Place::Bound;
        let queue_wait = now.since(entry.accepted_at);
        if !queue_wait.is_zero() {
            self.metrics.queue_wait.record(queue_wait.as_secs_f64());
        }
        self.metrics.delegations.increment(1);
        let delegation = &launch.delegation;
        self.events.emit(|| Event::TaskDelegated {
            task: delegation.task().clone(),
            agent: delegation.agent().clone(),
            attempt: delegation.attempt(),
        });
        if self.plugins.wants(OBSERVE, HookPoint::Delegate) {
            self.effects.seen.push(Seen::Delegated(
                Arc::clone(&launch.record),
                delegation.clone(),
                BindingTimes {
                    took: None,
                    queue_wait,
                },
            ));
        }
        if launch.runs.is_none() {
            self.arm_attempt(launch.task, now);
        }
        true
    }

    /// Tells the observers of the last binding how long the call took that asked for it.
    pub(crate) fn binding_took(&mut self, took: Duration) {
        let seen = self.effects.seen.iter_mut().rev();
        let times = seen.filter_map(|seen| match seen {
            Seen::Delegated(_, _, times) => Some(times),
            _ => None,
        });
        if let Some(times) = times.take(1).next() {
            times.took = Some(took);
        }
    }

    /// Takes over what shape hooks made of a task. A nearer deadline holds from here.
    pub(crate) fn take_record(&mut self, task: TaskKey, record: &Arc<TaskRecord>) {
        let entry = &mut self.tasks.entries[task];
        if Arc::ptr_eq(&entry.record, record) {
            return;
        }
        let old = std::mem::replace(&mut entry.record, Arc::clone(record));
        let nearer = record.task().options.as_deref().and_then(|o| o.deadline_in);
        let nearer = nearer.map(|time| entry.accepted_at.after(time));
        if let Some(at) = nearer.filter(|at| *at < entry.deadline) {
            entry.deadline = at;
            self.timers.set(at, Timer::Deadline(task));
        }
        self.effects.garbage.push(Garbage::Record(old, None));
    }

    /// The agent begins.
    pub(crate) fn commit_start(&mut self, launch: &mut Launch, now: Stamp) -> bool {
        if !self.is_current(launch) || self.transition(launch.task, TaskEvent::Start).is_err() {
            return false;
        }
        launch.phase = Phase::Running;
        let record = Arc::clone(&launch.record);
        self.take_record(launch.task, &record);
        if launch.runs.is_some() {
            let epoch = self.epoch;
            let entry = &mut self.tasks.entries[launch.task];
            let hold = entry.cold.as_mut().and_then(|c| c.hold.take());
            let deadline = (entry.deadline != Stamp::NEVER).then(|| epoch.instant(entry.deadline));
            let cell = Arc::new(AttemptCell::new(
                Arc::clone(&record),
                launch.delegation.clone(),
                deadline,
                self.host.clone(),
                hold,
            ));
            entry.cell = Some(Arc::clone(&cell));
            launch.cell = Some(cell);
        }
        if launch.runs.is_some() {
            // Hooks took their time; an agent elsewhere is timed from its binding on.
            self.tasks.entries[launch.task].assigned_at = now;
            // Before the first poll: an agent that blocks there is timed too.
            self.arm_attempt(launch.task, now);
        }
        if self.plugins.wants(OBSERVE, HookPoint::Start) {
            self.effects
                .seen
                .push(Seen::Started(record, launch.delegation.clone()));
        }
        true
    }

    /// An external agent that pulled holds a lease from here.
    pub(crate) fn lease(&mut self, task: TaskKey, now: Stamp) {
        let lease_ms = self.settings.agents.lease_ms;
        if let Some(entry) = self.tasks.entries.get_mut(task)
            && lease_ms > 0
        {
            entry.leased = true;
            self.timers
                .set(now.after_ms(lease_ms), Timer::Lease(task, entry.attempt));
        }
    }

    /// Sets the timers of an attempt: at the binding of an external agent, at the start of one in this process.
    fn arm_attempt(&mut self, task: TaskKey, now: Stamp) {
        let Some(entry) = self.tasks.entries.get(task).filter(|e| e.holds_slot()) else {
            return;
        };
        let (attempt, since) = (entry.attempt, entry.assigned_at);
        let timeout = self.attempt_timeout(entry);
        let idle = entry
            .record
            .task()
            .options
            .as_deref()
            .and_then(|o| o.idle_timeout);
        if let Some(timeout) = timeout {
            self.timers
                .set(since.after(timeout), Timer::Attempt(task, attempt));
        }
        if let Some(idle) = idle {
            self.timers.set(now.after(idle), Timer::Idle(task, attempt));
        }
    }

    /// The timeout of an attempt: the task's and the configured one, whichever is shorter; a configured zero is none.
    pub(crate) fn attempt_timeout(&self, entry: &TaskEntry) -> Option<Duration> {
        let options = entry.record.task().options.as_deref();
        let own = options.and_then(|o| o.attempt_timeout);
        let configured_ms = self.settings.tasks.attempt_timeout_ms;
        let configured = (configured_ms > 0).then(|| Duration::from_millis(configured_ms));
        own.into_iter().chain(configured).min()
    }

    /// Puts an agent into, or takes it out of, its pool's ready order, as it stands now.
    pub(crate) fn set_ready(&mut self, agent: AgentKey, now: Stamp) {
        let Some(slot) = self.agents.slots.get_mut(agent) else {
            return;
        };
        use crate::agent::Availability as A;
        let availability = slot.availability(now);
        let wanted = (slot.has_free_slot() && matches!(availability, A::Available | A::OverBudget))
            .then(|| {
                // One whose own budget is spent comes last: a task meets it, and is refused, only when nobody else is ready.
                let rank = match availability {
                    A::Available => rank_or_last(&*self.policy, &slot.figures()),
                    _ => u64::MAX,
                };
                (
                    slot.lane(),
                    RankKey {
                        rank,
                        order: slot.order,
                    },
                )
            });
        if slot.ready == wanted {
            return;
        }
        let before = std::mem::replace(&mut slot.ready, wanted);
        let pool = slot.pool;
        if let Some((lane, rank)) = before {
            self.pools.remove(pool, lane, rank);
        }
        if let Some((lane, rank)) = wanted {
            self.pools.insert(pool, lane, rank, agent);
        }
    }

    /// Gives the slot of a task's attempt back; as a zombie it stays taken until [`Self::free_zombie`].
    pub(crate) fn free_slot(&mut self, task: TaskKey, zombie: bool, now: Stamp) {
        let Some(entry) = self.tasks.entries.get_mut(task) else {
            return;
        };
        if !entry.holds_slot() {
            return;
        }
        let (Some(agent), position) = (entry.agent, entry.slot as usize) else {
            return;
        };
        let took = now.since(entry.assigned_at);
        entry.place = Place::Gate;
        entry.leased = false;
        if let Some(cell) = entry.cell.take() {
            self.effects.garbage.push(Garbage::Cell(cell));
        }
        let key_held = entry
            .cold
            .as_mut()
            .is_some_and(|c| std::mem::take(&mut c.holds_key));
        if key_held {
            let key = entry
                .record
                .task()
                .options
                .as_deref()
                .and_then(|o| o.concurrency_key.clone());
            if let Some(key) = key {
                self.keys.release(&key);
                self.work.push_back(Work::Key(key));
            }
        }
        self.in_flight -= 1;
        if let Some(slot) = self.agents.slots.get_mut(agent) {
            slot.tasks.swap_remove(position);
            let moved = slot.tasks.get(position).copied();
            slot.busy_nanos = slot
                .busy_nanos
                .saturating_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            if slot.tasks.is_empty() {
                self.agents.counts.busy -= 1;
            }
            if zombie {
                slot.zombies += 1;
                self.agents.counts.zombies += 1;
            }
            if let Some(moved) = moved.and_then(|m| self.tasks.entries.get_mut(m)) {
                moved.slot = position as u32;
            }
        }
        self.after_free(agent, now);
    }

    /// A slot may be free: brings the agent back into the ready order and looks for work.
    fn after_free(&mut self, agent: AgentKey, now: Stamp) {
        if self
            .agents
            .slots
            .get(agent)
            .is_some_and(|s| s.rare.is_some())
        {
            self.recheck_cap(agent, now);
            self.availability_changed(agent, now);
        } else {
            self.set_ready(agent, now);
        }
        if self.starved {
            self.starved = false;
            self.work.push_back(Work::All);
        } else if self.some_wait_for_an_agent() {
            self.work.push_back(Work::Agent(agent));
        }
    }

    /// An attempt that does not take place is no probe of a half-open breaker. Before its slot is freed.
    pub(crate) fn forget_probe(&mut self, agent: Option<AgentKey>) {
        let slot = agent.and_then(|a| self.agents.slots.get_mut(a));
        if let Some(breaker) = slot.and_then(|s| s.rare.as_mut()?.breaker.as_mut()) {
            breaker.forget();
        }
    }

    /// Asks an attempt of this process that is over to stop; its future is dropped when the grace is over.
    pub(crate) fn ask_to_stop(&mut self, cell: Arc<AttemptCell>, now: Stamp) {
        self.lingering += 1;
        self.effects.rare().cancels.push(Arc::clone(&cell));
        let grace = self.settings.tasks.cancel_grace_ms;
        self.timers.set(now.after_ms(grace), Timer::Abort(cell));
    }

    /// The future of an attempt that was asked to stop is gone.
    pub(crate) fn has_stopped(&mut self, agent: AgentKey, now: Stamp) {
        self.lingering = self.lingering.saturating_sub(1);
        self.free_zombie(agent, now);
    }

    /// An attempt that could not be stopped at once is gone.
    pub(crate) fn free_zombie(&mut self, agent: AgentKey, now: Stamp) {
        if let Some(slot) = self.agents.slots.get_mut(agent)
            && slot.zombies > 0
        {
            slot.zombies -= 1;
            self.agents.counts.zombies -= 1;
            self.after_free(agent, now);
        }
    }

    /// Feeds an attempt's outcome to the agent's counts, breaker and recent figures.
    pub(crate) fn count_attempt(
        &mut self,
        agent: AgentKey,
        success: bool,
        took: Duration,
        now: Stamp,
    ) {
        let half = self.settings.routing_window_ms.saturating_mul(500_000);
        let Some(slot) = self.agents.slots.get_mut(agent) else {
            return;
        };
        if success {
            slot.completed += 1;
        } else {
            slot.failed += 1;
        }
        let Some(rare) = slot.rare.as_mut() else {
            return;
        };
        if let Some(recent) = &mut rare.recent {
            recent.record(now, half, success, took);
        }
        let Some(breaker) = &mut rare.breaker else {
            // The policy may rank by what was just recorded.
            return self.set_ready(agent, now);
        };
        breaker.record(Duration::from_nanos(now.0), success, took);
        if let Some(until) = breaker.opens_until() {
            self.timers
                .set(Stamp(0).after(until), Timer::Breaker(agent));
        }
        self.availability_changed(agent, now);
    }

    /// Undoes a binding that never started: the task waits again in its old place and the attempt does not count.
    pub(crate) fn unbind(&mut self, launch: &Launch, now: Stamp) {
        if !self.is_current(launch) {
            return;
        }
        if self.tasks.entries[launch.task].place == Place::Provisional {
            return self.drop_reservation(launch.task, now);
        }
        self.forget_probe(Some(launch.agent));
        let was_assigned =
            self.tasks.entries[launch.task].state == crate::task::TaskState::Assigned;
        self.free_slot(launch.task, false, now);
        if was_assigned && self.transition(launch.task, TaskEvent::Release).is_err() {
            return;
        }
        let entry = &mut self.tasks.entries[launch.task];
        entry.attempt -= 1;
        self.return_hold(launch.task);
        self.enqueue(launch.task, false, now);
        let class = self.tasks.entries[launch.task].class;
        self.work.push_back(Work::Class(class));
    }
}
