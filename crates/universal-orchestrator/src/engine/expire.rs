//! What happens because time has passed.

use std::sync::Arc;

use crate::clock::Stamp;
use crate::engine::accept::demand_of;
use crate::engine::tasks::Place;
use crate::engine::timers::Timer;
use crate::engine::{AgentKey, Engine, TaskKey, Work};
use crate::task::{FailureKind, TaskEvent, TaskFailure, TaskState, demand_text};

impl Engine {
    /// Fires every timer that is due.
    pub(crate) fn fire_due(&mut self, now: Stamp) {
        while let Some(timer) = self.timers.pop_due(now) {
            self.fire(timer, now);
        }
        self.forget_old(now);
    }

    fn fire(&mut self, timer: Timer, now: Stamp) {
        match timer {
            Timer::Due(task) => {
                if self.place(task) == Some(Place::Delayed)
                    && let Some(launch) = self.make_ready_or_wait(task, now)
                {
                    self.effects.rare().launches.push(launch);
                }
            }
            Timer::Deadline(task) => {
                let place = self.place(task);
                if place.is_some_and(|p| p != Place::Over && p != Place::Provisional) {
                    self.time_out(
                        task,
                        FailureKind::DeadlineExceeded,
                        "its deadline passed",
                        now,
                    );
                }
            }
            Timer::Attempt(task, attempt) => self.attempt_due(task, attempt, now),
            Timer::Idle(task, attempt) => self.idle(task, attempt, now),
            Timer::Lease(task, attempt) => self.lease_due(task, attempt, now),
            Timer::Abort(cell) => {
                if Arc::strong_count(&cell) > 1 {
                    self.effects.rare().aborts.push(cell);
                }
            }
            Timer::ZombieLease(task, attempt) => {
                if let Some(agent) = self.zombie_attempts.remove(&(task, attempt)) {
                    self.free_zombie(agent, now);
                }
            }
            Timer::Heartbeat(agent) => self.heartbeat_due(agent, now),
            Timer::Breaker(agent) => self.availability_changed(agent, now),
            Timer::Unroutable(task) => self.unroutable_due(task, now),
            Timer::KeyRate(key) => {
                self.keys.disarm(&key);
                self.work.push_back(Work::Key(key));
            }
        }
    }

    /// Drops the futures of all cancelled attempts: nobody fires timers any more.
    pub(crate) fn abort_all(&mut self) {
        while let Some(timer) = self.timers.pop_due(Stamp::NEVER) {
            if let Timer::Abort(cell) = timer {
                self.effects.rare().aborts.push(cell);
            }
        }
    }

    fn place(&self, task: TaskKey) -> Option<Place> {
        self.tasks.entries.get(task).map(|e| e.place)
    }

    fn is_bound(&self, task: TaskKey, attempt: u32) -> bool {
        self.tasks
            .entries
            .get(task)
            .is_some_and(|e| e.place == Place::Bound && e.attempt == attempt)
    }

    fn time_out(&mut self, task: TaskKey, kind: FailureKind, text: &str, now: Stamp) {
        self.finish(
            task,
            TaskEvent::TimeOut,
            None,
            Some(TaskFailure::new(kind, text)),
            now,
        );
    }

    fn attempt_due(&mut self, task: TaskKey, attempt: u32, now: Stamp) {
        if !self.is_bound(task, attempt) {
            return;
        }
        let entry = &self.tasks.entries[task];
        let Some(timeout) = self.attempt_timeout(entry) else {
            return;
        };
        // Later than the timer when a binding was undone: it left its timer, and its number to the next one.
        let until = entry.assigned_at.after(timeout);
        if until > now {
            return self.timers.set(until, Timer::Attempt(task, attempt));
        }
        self.time_out(
            task,
            FailureKind::AttemptTimeout,
            "the attempt took longer than its timeout",
            now,
        );
    }

    fn idle(&mut self, task: TaskKey, attempt: u32, now: Stamp) {
        if !self.is_bound(task, attempt) {
            return;
        }
        let entry = &self.tasks.entries[task];
        let Some(idle) = entry
            .record
            .task()
            .options
            .as_deref()
            .and_then(|o| o.idle_timeout)
        else {
            return;
        };
        let until = entry.activity().after(idle);
        if until <= now {
            self.time_out(
                task,
                FailureKind::IdleTimeout,
                "the attempt made no progress for its idle timeout",
                now,
            );
        } else {
            self.timers.set(until, Timer::Idle(task, attempt));
        }
    }

    fn lease_due(&mut self, task: TaskKey, attempt: u32, now: Stamp) {
        if !self.is_bound(task, attempt) {
            return;
        }
        let entry = &self.tasks.entries[task];
        let seen = entry
            .agent
            .and_then(|a| self.agents.slots.get(a))
            .map_or(Stamp::default(), |a| a.last_seen);
        let until = entry
            .activity()
            .max(seen)
            .after_ms(self.settings.agents.lease_ms);
        if until > now {
            self.timers.set(until, Timer::Lease(task, attempt));
        } else if entry.leased {
            self.lose_attempt(task, "its lease ran out", now);
        }
    }

    fn heartbeat_due(&mut self, agent: AgentKey, now: Stamp) {
        let Some(slot) = self.agents.slots.get(agent).filter(|s| s.reachable) else {
            return;
        };
        let Some(interval) = slot.heartbeat() else {
            return;
        };
        let until = slot.last_seen.after(self.silence(interval));
        if until > now {
            return self.timers.set(until, Timer::Heartbeat(agent));
        }
        self.agents.slots[agent].reachable = false;
        self.availability_changed(agent, now);
        self.lose_tasks(agent, "its agent's heartbeat is overdue", now);
    }

    fn unroutable_due(&mut self, task: TaskKey, now: Stamp) {
        let Some(entry) = self.tasks.entries.get(task) else {
            return;
        };
        let since = entry.cold.as_ref().map_or(now, |c| c.unroutable_since);
        let waits = matches!(
            entry.place,
            Place::Ready | Place::KeyLimited | Place::BudgetLimited
        ) && since.after_ms(self.settings.queue.unroutable_ttl_ms) <= now;
        if waits && !self.pools.has_member(entry.class) {
            let demand = demand_of(entry.record.task());
            let demand = demand_text(demand.required, demand.role, demand.labels);
            let failure = TaskFailure::new(
                FailureKind::Unroutable,
                format!(
                    "no registered agent fitted {} for queue.unroutable_ttl_ms {}",
                    demand.as_deref().unwrap_or("the task"),
                    self.settings.queue.unroutable_ttl_ms
                ),
            );
            self.finish(task, TaskEvent::Fail, None, Some(failure), now);
        }
    }

    /// Computes ranks again that rest on measured time, when the window has rolled.
    pub(crate) fn roll_windows(&mut self, now: Stamp) {
        if !self.policy.uses_window() {
            return;
        }
        let half = self.settings.routing_window_ms.saturating_mul(500_000);
        let agents: Vec<AgentKey> = self.agents.slots.keys().collect();
        for agent in agents {
            if let Some(recent) = self.agents.slots[agent]
                .rare
                .as_mut()
                .and_then(|r| r.recent.as_mut())
            {
                recent.roll(now, half);
            }
            self.set_ready(agent, now);
        }
    }

    /// Drops timers whose reason is gone, when there are many.
    pub(crate) fn sweep_timers(&mut self) {
        let (tasks, agents, zombies) = (
            &self.tasks.entries,
            &self.agents.slots,
            &self.zombie_attempts,
        );
        let live = |task: &TaskKey| tasks.get(*task).is_some_and(|e| e.state.is_live());
        let bound = |task: &TaskKey, attempt: &u32| {
            tasks
                .get(*task)
                .is_some_and(|e| e.place == Place::Bound && e.attempt == *attempt)
        };
        self.timers.sweep(|timer| match timer {
            Timer::Due(task) | Timer::Deadline(task) | Timer::Unroutable(task) => live(task),
            Timer::Attempt(task, attempt)
            | Timer::Idle(task, attempt)
            | Timer::Lease(task, attempt) => bound(task, attempt),
            Timer::ZombieLease(task, attempt) => zombies.contains_key(&(*task, *attempt)),
            Timer::Abort(cell) => Arc::strong_count(cell) > 1,
            Timer::Heartbeat(agent) | Timer::Breaker(agent) => agents.contains_key(*agent),
            Timer::KeyRate(_) => true,
        });
    }

    /// Forgets required sets that no task uses, when there are many.
    pub(crate) fn tidy_classes(&mut self) {
        const TIDY_FROM: usize = 4096;
        if self.pools.class_count() < TIDY_FROM.max(self.tidied_at * 2) {
            return;
        }
        let mut used = vec![false; self.pools.class_count()];
        for entry in self.tasks.entries.values().filter(|e| e.state.is_live()) {
            used[entry.class as usize] = true;
        }
        for class in self.keys.uses_class() {
            used[class as usize] = true;
        }
        if let Some(moved) = self.pools.forget_classes(|ix| used[ix as usize]) {
            self.ready.move_classes(&moved);
            self.keys.move_classes(&moved);
            for lot in self.short.values_mut() {
                lot.move_classes(&moved);
            }
            for entry in self.tasks.entries.values_mut() {
                entry.class = moved
                    .get(entry.class as usize)
                    .copied()
                    .flatten()
                    .unwrap_or(0);
            }
        }
        self.tidied_at = self.pools.class_count();
    }

    pub(crate) fn pause_intake(&mut self, pause: bool) {
        self.intake_paused = pause;
    }

    pub(crate) fn pause_queue(&mut self, pause: bool) {
        self.queue_paused = pause;
        if !pause {
            self.work.push_back(Work::All);
        }
    }

    pub(crate) fn pause_capability(&mut self, capability: &crate::id::Capability, pause: bool) {
        let changed = if pause {
            self.paused.insert(capability.clone())
        } else {
            self.paused.remove(capability)
        };
        if changed {
            self.pools.pause(capability, pause);
            self.work.push_back(Work::All);
        }
    }

    /// Nothing new is accepted from here on.
    pub(crate) fn begin_shutdown(&mut self) {
        if !std::mem::replace(&mut self.shutting_down, true) {
            self.events.emit(|| crate::event::Event::ShutdownStarted);
        }
    }

    pub(crate) const fn is_shutting_down(&self) -> bool {
        self.shutting_down
    }

    /// Tasks assigned or running.
    pub(crate) fn busy_tasks(&self) -> u64 {
        self.by_state[TaskState::Assigned as usize] + self.by_state[TaskState::Running as usize]
    }

    pub(crate) fn live_tasks(&self) -> u64 {
        self.busy_tasks() + self.by_state[TaskState::Queued as usize]
    }

    /// Every live task that was accepted, in the order of acceptance.
    pub(crate) fn live_keys(&self) -> Vec<TaskKey> {
        let mut live: Vec<_> = self
            .tasks
            .entries
            .iter()
            .filter(|(_, e)| e.state.is_live() && e.place != Place::Provisional)
            .map(|(key, e)| (e.number, key))
            .collect();
        live.sort_unstable();
        live.into_iter().map(|(_, key)| key).collect()
    }

    /// Nothing new is accepted and every live task is cancelled; returns how many there were.
    pub(crate) fn cancel_everything(&mut self, why: &str, now: Stamp) -> usize {
        self.begin_shutdown();
        let mut cancelled = 0;
        for task in self.live_keys() {
            cancelled += usize::from(self.cancel(task, why, FailureKind::Shutdown, now));
        }
        self.dismiss_waiters(now);
        cancelled
    }

    /// Drops what waits in `next_task`.
    pub(crate) fn dismiss_waiters(&mut self, now: Stamp) {
        let agents: Vec<AgentKey> = self.agents.slots.keys().collect();
        for agent in agents {
            let waiters = self.agents.slots[agent]
                .rare
                .as_mut()
                .map(|r| std::mem::take(&mut r.waiters))
                .unwrap_or_default();
            for waiter in waiters {
                self.effects
                    .garbage
                    .push(crate::engine::effects::Garbage::Waiter(waiter));
            }
            self.set_ready(agent, now);
        }
    }
}
