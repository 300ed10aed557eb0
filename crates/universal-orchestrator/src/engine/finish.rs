//! Ends: of attempts, and of tasks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::budget::Amount;
use crate::clock::Stamp;
use crate::engine::effects::Garbage;
use crate::engine::tasks::{Cold, Door, Place, TaskEntry};
use crate::engine::timers::Timer;
use crate::engine::{Engine, Finished, Gate, OBSERVE, Seen, TaskKey, Work};
use crate::event::Event;
use crate::plugin::{HookPoint, Stage};
use crate::principal::Principal;
use crate::task::{
    FailureKind, OutcomeParts, RetryPolicy, TaskEvent, TaskFailure, TaskOutcome, TaskRecord,
    TaskState,
};

impl Engine {
    /// An attempt failed: another one follows, or the task ends.
    pub(crate) fn attempt_failed(&mut self, task: TaskKey, failure: TaskFailure, now: Stamp) {
        let Some(delay) = self.retry_delay(task, &failure, now) else {
            return self.finish(task, TaskEvent::Fail, None, Some(failure), now);
        };
        let Some(delegation) = self.delegation_of(task) else {
            return self.finish(task, TaskEvent::Fail, None, Some(failure), now);
        };
        self.end_attempt(task, false, failure.kind() == FailureKind::AgentLost, now);
        if self.transition(task, TaskEvent::Retry).is_err() {
            return;
        }
        let record = Arc::clone(&self.tasks.entries[task].record);
        if self.plugins.wants(Stage::Guard, HookPoint::Retry) {
            self.set_place(task, Place::Gate);
            self.effects.rare().gates.push(Gate {
                task,
                record,
                delegation,
                failure,
                delay,
            });
            return;
        }
        self.schedule_retry(task, &record, delegation, failure, delay, now);
    }

    /// The guard of a retry has spoken; `true` when there is one.
    pub(crate) fn gate_answered(
        &mut self,
        gate: Gate,
        veto: Option<TaskFailure>,
        now: Stamp,
    ) -> bool {
        let waits = self.tasks.entries.get(gate.task).is_some_and(|e| {
            e.place == Place::Gate
                && e.state == TaskState::Queued
                && e.attempt == gate.delegation.attempt()
        });
        if !waits {
            return false;
        }
        let retries = veto.is_none();
        match veto {
            None => self.schedule_retry(
                gate.task,
                &gate.record,
                gate.delegation,
                gate.failure,
                gate.delay,
                now,
            ),
            Some(veto) => {
                let text = format!(
                    "{}; not tried again: {}",
                    gate.failure.message(),
                    veto.message()
                );
                let failure = TaskFailure::new(gate.failure.kind(), text);
                self.finish(gate.task, TaskEvent::Fail, None, Some(failure), now);
            }
        }
        retries
    }

    fn schedule_retry(
        &mut self,
        task: TaskKey,
        record: &Arc<TaskRecord>,
        delegation: crate::task::Delegation,
        failure: TaskFailure,
        delay: Duration,
        now: Stamp,
    ) {
        self.retries += 1;
        self.metrics.retries.increment(1);
        self.events.emit(|| Event::TaskRetrying {
            task: record.id().clone(),
            attempt: delegation.attempt(),
            failure: failure.kind(),
            delay,
        });
        if self.plugins.wants(OBSERVE, HookPoint::Retry) {
            self.effects.seen.push(Seen::Retrying(
                Arc::clone(record),
                delegation,
                failure,
                delay,
            ));
        }
        if let Some(entry) = self.tasks.entries.get_mut(task) {
            entry.cold_mut().due = now.after(delay);
            // A shape hook may have changed it.
            entry.level = entry.record.task().priority as u8;
        }
        if let Some(launch) = self.make_ready_or_wait(task, now) {
            self.effects.rare().launches.push(launch);
        }
    }

    /// The delay before the next attempt; `None` when there is none.
    fn retry_delay(
        &mut self,
        task: TaskKey,
        failure: &TaskFailure,
        now: Stamp,
    ) -> Option<Duration> {
        if !failure.kind().is_retryable() {
            return None;
        }
        let random = self.random();
        let entry = self.tasks.entries.get(task)?;
        let policy = self.retry_policy(entry)?;
        if !policy.allows_after(entry.attempt) {
            return None;
        }
        let delay = policy.delay_after(entry.attempt, random);
        (now.after(delay) < entry.deadline).then_some(delay)
    }

    fn retry_policy(&self, entry: &TaskEntry) -> Option<RetryPolicy> {
        let own = entry.record.task().options.as_deref().and_then(|o| o.retry);
        match (own, entry.door) {
            (Some(policy), _) => Some(policy),
            (None, Door::Delegate) => None,
            (None, _) => Some(self.settings.retry),
        }
    }

    /// Gives the slot back, counts the attempt and settles its reservation. `zombie`: the agent may still be at work.
    pub(crate) fn end_attempt(&mut self, task: TaskKey, success: bool, lost: bool, now: Stamp) {
        self.end_attempt_as(task, Some(success), lost, false, now);
    }

    fn end_attempt_as(
        &mut self,
        task: TaskKey,
        success: Option<bool>,
        lost: bool,
        zombie: bool,
        now: Stamp,
    ) {
        let Some(entry) = self.tasks.entries.get_mut(task) else {
            return;
        };
        if !entry.holds_slot() {
            return;
        }
        let took = now.since(entry.assigned_at);
        let agent = entry.agent;
        let usage = Amount {
            calls: 1,
            busy: took,
            ..Amount::default()
        };
        let hold = entry.cold.as_mut().and_then(|c| c.hold.take());
        let in_cell = entry.cell.as_ref().and_then(|c| c.hold());
        if let Some(spent) = hold
            .as_ref()
            .or(in_cell)
            .map(|hold| hold.finish(&usage, lost))
        {
            let cold = entry.cold_mut();
            cold.spent = cold.spent.plus(&spent);
        }
        if success.is_none() {
            self.forget_probe(agent);
        }
        self.free_slot(task, zombie, now);
        if let (Some(agent), Some(success)) = (agent, success) {
            self.count_attempt(agent, success, took, now);
        }
    }

    /// Returns the whole reservation of an attempt that does not take place.
    pub(crate) fn return_hold(&mut self, task: TaskKey) {
        let entry = self.tasks.entries.get_mut(task);
        if let Some(hold) = entry.and_then(|e| e.cold.as_mut()?.hold.take()) {
            hold.finish(&Amount::default(), false);
        }
    }

    /// Stops an attempt that is not told to stop by its own report: cancels it, and keeps its slot until it is really gone.
    pub(crate) fn stop_attempt(&mut self, task: TaskKey, success: Option<bool>, now: Stamp) {
        let Some(entry) = self.tasks.entries.get(task).filter(|e| e.holds_slot()) else {
            return;
        };
        let (agent, attempt) = (entry.agent, entry.attempt);
        let in_process = agent
            .and_then(|a| self.agents.slots.get(a))
            .is_some_and(|a| a.runs.is_some());
        let told = entry.state != TaskState::Queued;
        let zombie = match (in_process, &entry.cell) {
            (true, Some(cell)) => {
                let cell = Arc::clone(cell);
                self.ask_to_stop(cell, now);
                true
            }
            (true, None) => false,
            (false, _) => told && self.settings.agents.lease_ms > 0,
        };
        if let (false, true, Some(agent)) = (in_process, zombie, agent) {
            self.zombie_attempts.insert((task, attempt), agent);
            let lease = self.settings.agents.lease_ms;
            self.timers
                .set(now.after_ms(lease), Timer::ZombieLease(task, attempt));
        }
        self.end_attempt_as(task, success, false, zombie, now);
    }

    /// Ends a task, wherever it is kept.
    pub(crate) fn finish(
        &mut self,
        task: TaskKey,
        event: TaskEvent,
        result: Option<Value>,
        failure: Option<TaskFailure>,
        now: Stamp,
    ) {
        let Some(entry) = self.tasks.entries.get(task) else {
            return;
        };
        if entry.state.apply(event).is_err() {
            return;
        }
        let (assigned, waited) = (entry.holds_slot(), entry.place);
        let success = event == TaskEvent::Succeed;
        // Whoever runs the attempt inline learns the outcome from its cell, even when it is not retained.
        let cell = if success { None } else { entry.cell.clone() };
        if assigned {
            match event {
                TaskEvent::Cancel => self.stop_attempt(task, None, now),
                TaskEvent::TimeOut => self.stop_attempt(task, Some(false), now),
                TaskEvent::Reject => {
                    // It never began, so it costs nothing.
                    self.return_hold(task);
                    self.end_attempt_as(task, None, false, false, now);
                }
                _ => {
                    let lost = failure.as_ref().is_some_and(|f| {
                        matches!(f.kind(), FailureKind::AgentLost | FailureKind::Panicked)
                    });
                    self.end_attempt(task, success, lost, now);
                }
            }
        } else {
            self.take_out(task, waited);
        }
        let Ok(state) = self.transition(task, event) else {
            return;
        };
        self.set_place(task, Place::Over);
        self.conclude(task, state, result, failure, assigned, now);
        if let (Some(cell), Some(finished)) = (cell, self.effects.finished.last()) {
            cell.set_outcome(finished.outcome.clone());
        }
    }

    /// Takes a waiting task out of where it waits.
    fn take_out(&mut self, task: TaskKey, place: Place) {
        let Some(entry) = self.tasks.entries.get(task) else {
            return;
        };
        let spot = entry.spot();
        let options = entry.record.task().options.as_deref();
        let key = options.and_then(|o| o.concurrency_key.clone());
        if matches!(
            place,
            Place::Ready | Place::KeyLimited | Place::BudgetLimited
        ) {
            let tenant = options.and_then(|o| o.tenant.as_ref());
            self.ready.not_served(spot.level, tenant);
        }
        match (place, key) {
            (Place::Ready, key) => {
                self.ready.remove(spot);
                // It may have been its turn among those that wait for the key: the next one's then.
                self.work.extend(key.map(Work::Key));
                self.next_in_lot(task, None);
            }
            (Place::BudgetLimited, _) => self.leave_lot(task, spot),
            (Place::KeyLimited, Some(key)) => self.keys.unpark(&key, spot),
            _ => {}
        }
    }

    /// Everything that follows from a task's end.
    fn conclude(
        &mut self,
        task: TaskKey,
        state: TaskState,
        result: Option<Value>,
        failure: Option<TaskFailure>,
        assigned: bool,
        now: Stamp,
    ) {
        let Some(entry) = self.tasks.entries.get_mut(task) else {
            return;
        };
        let Some(task_type) = entry.record.task().task_type.clone() else {
            return;
        };
        let cold: Option<&mut Cold> = entry.cold.as_deref_mut();
        let partial = cold
            .as_ref()
            .and_then(|c| c.progress.as_deref().cloned())
            .filter(|_| state != TaskState::Succeeded);
        let cost = cold
            .as_ref()
            .map(|c| c.spent)
            .filter(|spent| !spent.is_zero())
            .map(Box::new);
        let run_time = if assigned {
            now.since(entry.assigned_at)
        } else {
            Duration::ZERO
        };
        let agent = entry
            .agent
            .and_then(|a| self.agents.slots.get(a))
            .map(|a| a.id.clone());
        let outcome = TaskOutcome::new(OutcomeParts {
            task: entry.record.id().clone(),
            task_type,
            state,
            result: result.unwrap_or_default(),
            failure,
            partial,
            agent,
            attempts: entry.attempt,
            queue_wait: entry.assigned_at.since(entry.accepted_at),
            run_time,
            cost,
        });
        entry.outcome = Some(outcome.clone());
        let record = Arc::clone(&entry.record);
        if let Some(cold) = entry.cold.as_deref_mut() {
            for dependent in std::mem::take(&mut cold.dependents) {
                self.work.push_back(Work::Dependent(dependent, state));
            }
            for child in std::mem::take(&mut cold.children) {
                self.work.push_back(Work::Child(child));
            }
            if let Some(signal) = cold.signal.take() {
                self.effects.signals.push((signal, outcome.clone()));
            }
            if let Some(parent) = cold
                .parent
                .and_then(|p| self.tasks.entries.get_mut(p))
                .and_then(|p| p.cold.as_mut())
            {
                parent.children.retain(|child| *child != task);
            }
        }
        self.close_task_account(&self.tasks.entries[task]);
        let is_error = matches!(state, TaskState::Failed | TaskState::TimedOut);
        if matches!(
            state,
            TaskState::Succeeded | TaskState::Failed | TaskState::TimedOut
        ) {
            self.window
                .record(now, is_error, assigned.then_some(run_time));
        }
        if is_error {
            let dropped = self.retention.bury(&record, &outcome, self.wall.unix_ms());
            drop(dropped);
        }
        self.metrics.finished(state).increment(1);
        self.events.emit(|| Event::TaskFinished {
            task: record.id().clone(),
            state,
        });
        self.effects.finished.push(Finished {
            record,
            outcome,
            was_assigned: assigned,
        });
        self.retention.keep(task, now);
        self.forget_old(now);
    }

    /// A child whose parent is over is cancelled.
    pub(crate) fn parent_over(&mut self, task: TaskKey, now: Stamp) {
        let failure = TaskFailure::new(FailureKind::Cancelled, "its parent is over");
        self.finish(task, TaskEvent::Cancel, None, Some(failure), now);
    }

    /// Cancels a live task; `false` when it is over already.
    pub(crate) fn cancel(
        &mut self,
        task: TaskKey,
        reason: &str,
        kind: FailureKind,
        now: Stamp,
    ) -> bool {
        let live = self
            .tasks
            .entries
            .get(task)
            .is_some_and(|e| e.state.is_live() && e.place != Place::Provisional);
        if live {
            self.finish(
                task,
                TaskEvent::Cancel,
                None,
                Some(TaskFailure::new(kind, reason)),
                now,
            );
        }
        live
    }

    /// Like [`Self::cancel`], at the request of somebody whom observers see.
    pub(crate) fn cancel_for(
        &mut self,
        task: TaskKey,
        reason: &str,
        by: &Principal,
        now: Stamp,
    ) -> bool {
        let live = self.cancel(task, reason, FailureKind::Cancelled, now);
        if live && self.plugins.wants(OBSERVE, HookPoint::Cancel) {
            self.effects.rare().canceller = Some(by.clone());
        }
        live
    }

    /// Forgets retained tasks beyond their number or age.
    pub(crate) fn forget_old(&mut self, now: Stamp) {
        while let Some(task) = self.retention.next_old(now) {
            if let Some(entry) = self.tasks.remove(task) {
                self.discard(entry);
            }
        }
    }

    /// Drops an entry outside of the lock.
    pub(crate) fn discard(&mut self, entry: TaskEntry) {
        if let Some(hold) = entry.cold.and_then(|c| c.hold) {
            hold.finish(&Amount::default(), false);
        }
        self.effects
            .garbage
            .push(Garbage::Record(entry.record, entry.outcome));
    }
}
