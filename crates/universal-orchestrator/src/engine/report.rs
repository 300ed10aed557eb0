//! What agents report.

use std::sync::Arc;

use serde_json::Value;
use slotmap::KeyData;

use crate::budget::{Amount, BudgetError, Ledger};
use crate::clock::Stamp;
use crate::engine::tasks::Place;
use crate::engine::{AgentKey, Effects, Engine, Launch, Phase, TaskKey};
use crate::event::Event;
use crate::task::{Delegation, ReportError, TaskEvent, TaskFailure, TaskOutcome, TaskState};

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Report {
    Done(Value),
    Failed(TaskFailure),
}

/// What became of a task whose in-process attempt ended.
pub(crate) enum RunEnd {
    Over(TaskOutcome),
    /// Another attempt follows.
    GoesOn,
    /// It was over before; the attempt was a zombie, and its slot is free now.
    WasOver,
}

impl Engine {
    /// Applies a report to the attempt that it names, or says why it changes nothing.
    pub(crate) fn report(
        &mut self,
        delegation: &Delegation,
        report: Report,
        now: Stamp,
    ) -> Result<(), ReportError> {
        let current = self.current(delegation, now).and_then(|task| {
            // Only its own return ends an attempt in this process: told from outside, its slot would be free while it still runs.
            let agent = self.tasks.entries[task].agent;
            match agent.and_then(|a| self.agents.slots.get(a)) {
                Some(slot) if slot.runs.is_none() => Ok(task),
                _ => Err(ReportError::InProcess {
                    task: delegation.task().clone(),
                    agent: delegation.agent().clone(),
                }),
            }
        });
        match current {
            Ok(task) => {
                self.apply(task, report, now);
                Ok(())
            }
            Err(error) => {
                self.report_refused(delegation, now);
                Err(error)
            }
        }
    }

    pub(crate) fn apply(&mut self, task: TaskKey, report: Report, now: Stamp) {
        match report {
            Report::Done(value) => self.finish(task, TaskEvent::Succeed, Some(value), None, now),
            Report::Failed(failure) if failure.kind().is_retryable() => {
                self.attempt_failed(task, failure, now)
            }
            Report::Failed(failure) => self.finish(task, TaskEvent::Fail, None, Some(failure), now),
        }
    }

    fn report_refused(&mut self, delegation: &Delegation, now: Stamp) {
        self.reports_refused += 1;
        self.metrics.reports_refused.increment(1);
        self.events.emit(|| Event::ReportRefused {
            task: delegation.task().clone(),
        });
        // A late report of a zombie says that it is gone.
        let Some(task) = self.find(delegation) else {
            return;
        };
        let key = (task, delegation.attempt());
        let agent = self.zombie_attempts.get(&key).copied();
        if let Some(agent) = agent.filter(|a| {
            self.agents
                .slots
                .get(*a)
                .is_some_and(|s| s.id == *delegation.agent())
        }) {
            self.zombie_attempts.remove(&key);
            self.free_zombie(agent, now);
        }
    }

    fn find(&self, delegation: &Delegation) -> Option<TaskKey> {
        let hinted = TaskKey::from(KeyData::from_ffi(delegation.hint()));
        if self
            .tasks
            .entries
            .get(hinted)
            .is_some_and(|e| e.id() == delegation.task())
        {
            return Some(hinted);
        }
        self.tasks.key(delegation.task())
    }

    /// The task of a delegation that is the current one.
    pub(crate) fn current(
        &mut self,
        delegation: &Delegation,
        now: Stamp,
    ) -> Result<TaskKey, ReportError> {
        let task = self
            .find(delegation)
            .ok_or_else(|| ReportError::UnknownTask {
                task: delegation.task().clone(),
            })?;
        let entry = &self.tasks.entries[task];
        let agent = entry.agent;
        let mine = agent
            .and_then(|a| self.agents.slots.get(a))
            .is_some_and(|slot| slot.id == *delegation.agent());
        if entry.state.is_terminal() {
            return Err(ReportError::AlreadyOver {
                task: entry.id().clone(),
                state: entry.state,
            });
        }
        if entry.attempt != delegation.attempt() {
            return Err(ReportError::Stale {
                task: entry.id().clone(),
                reported: delegation.attempt(),
                current: entry.attempt,
            });
        }
        if !mine || entry.place != Place::Bound {
            return Err(ReportError::NotYours {
                task: entry.id().clone(),
                agent: delegation.agent().clone(),
            });
        }
        if let Some(agent) = agent {
            self.touch(agent, now);
        }
        Ok(task)
    }

    /// An in-process attempt ended by itself.
    pub(crate) fn run_ended(
        &mut self,
        task: TaskKey,
        agent: AgentKey,
        attempt: u32,
        report: Report,
        now: Stamp,
    ) -> RunEnd {
        if !self.is_running(task, agent, attempt) {
            self.has_stopped(agent, now);
            return RunEnd::WasOver;
        }
        self.touch(agent, now);
        let finished_before = self.effects.finished.len();
        self.apply(task, report, now);
        match self.effects.finished.get(finished_before) {
            Some(finished) => RunEnd::Over(finished.outcome.clone()),
            None => RunEnd::GoesOn,
        }
    }

    pub(crate) fn is_running(&self, task: TaskKey, agent: AgentKey, attempt: u32) -> bool {
        self.tasks.entries.get(task).is_some_and(|e| {
            e.place == Place::Bound
                && e.agent == Some(agent)
                && e.attempt == attempt
                && e.state == TaskState::Running
        })
    }

    /// An attempt reports progress; `false` when it is over.
    pub(crate) fn progress(
        &mut self,
        delegation: &Delegation,
        value: Value,
        now: Stamp,
    ) -> Result<(), ReportError> {
        let task = self.current(delegation, now)?;
        let value = Arc::new(value);
        let entry = &mut self.tasks.entries[task];
        let cold = entry.cold_mut();
        cold.activity = now;
        cold.progress = Some(Arc::clone(&value));
        if let Some(signal) = &cold.signal {
            signal.progress(&value);
        }
        self.events.emit(|| Event::TaskProgress {
            task: delegation.task().clone(),
            progress: value,
        });
        Ok(())
    }

    /// An in-process attempt was dropped before its end: its task is lost, or was over already.
    pub(crate) fn run_dropped(&mut self, task: TaskKey, agent: AgentKey, attempt: u32, now: Stamp) {
        if self.is_running(task, agent, attempt) {
            let failure = TaskFailure::new(
                crate::task::FailureKind::AgentLost,
                "the agent's future was dropped before its end",
            );
            self.attempt_failed(task, failure, now);
        } else {
            self.has_stopped(agent, now);
        }
    }

    /// Whether a task more would fit into the queue.
    pub(crate) fn has_room(&self) -> bool {
        self.by_state[TaskState::Queued as usize] < self.settings.queue.max_tasks as u64
    }

    /// Whether nothing that began is left: what still waits cannot run any more.
    pub(crate) fn is_drained(&self) -> bool {
        self.in_flight == 0
    }

    /// A bound attempt of an external agent, for its start.
    pub(crate) fn launch_of(
        &mut self,
        delegation: &Delegation,
        now: Stamp,
    ) -> Result<Launch, ReportError> {
        let task = self.current(delegation, now)?;
        let entry = &self.tasks.entries[task];
        let not_yours = || ReportError::NotYours {
            task: delegation.task().clone(),
            agent: delegation.agent().clone(),
        };
        let agent = entry.agent.ok_or_else(not_yours)?;
        if entry.state != TaskState::Assigned
            || self
                .agents
                .slots
                .get(agent)
                .is_none_or(|a| a.runs.is_some())
        {
            return Err(not_yours());
        }
        Ok(Launch {
            task,
            agent,
            record: Arc::clone(&entry.record),
            delegation: delegation.clone(),
            phase: Phase::Assigned,
            runs: None,
            cell: None,
        })
    }

    /// Charges an external attempt.
    pub(crate) fn charge(
        &mut self,
        delegation: &Delegation,
        amount: Amount,
        now: Stamp,
    ) -> Result<(), BudgetError> {
        let over = || BudgetError::AttemptOver {
            task: delegation.task().clone(),
            attempt: delegation.attempt(),
        };
        let task = self.current(delegation, now).map_err(|_| over())?;
        let ledger: Arc<Ledger> = Arc::clone(&self.ledger);
        let entry = &mut self.tasks.entries[task];
        let hold = match &entry.cell {
            Some(cell) => cell.hold(),
            None => Some(
                &*entry
                    .cold_mut()
                    .hold
                    .get_or_insert_with(|| ledger.open_hold()),
            ),
        };
        let charged = hold.map_or(Ok(false), |hold| hold.charge(&amount))?;
        charged.then_some(()).ok_or_else(over)
    }

    pub(crate) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }
}
