//! What happens in the model because time passes, and what the runtime does after a decision.

use universal_orchestrator::TaskState;

use super::state::{Job, Model, Place, Timer, Work};
use super::step::Told;

impl Model {
    pub(crate) fn set_timer(&mut self, at: u64, timer: Timer) {
        self.timer_sequence += 1;
        self.timers.insert((at, self.timer_sequence), timer);
    }

    /// Ends a decision: what follows is decided, then what it cancelled stops and what it bound begins.
    pub(crate) fn decided(&mut self) {
        self.settle();
        let mut stops = std::mem::take(&mut self.stops);
        self.jobs.append(&mut stops);
        let mut launches = std::mem::take(&mut self.launches);
        self.jobs.append(&mut launches);
    }

    /// Lets the runtime run until nothing is left to do.
    pub(crate) fn run_jobs(&mut self) {
        while let Some(job) = self.jobs.pop_front() {
            self.run(job);
        }
    }

    fn run(&mut self, job: Job) {
        match job {
            Job::Begin(task, attempt, registration) => {
                if self.is_bound(task, attempt) {
                    self.arm_attempt(task);
                } else {
                    self.stopped(registration);
                }
            }
            Job::Stopped(registration) => self.stopped(registration),
            Job::End(task, attempt, told) => {
                if !self.is_bound(task, attempt) {
                    return;
                }
                if let Some(agent) = self.tasks[task].agent {
                    self.touch(agent);
                }
                match told {
                    Told::Done => self.finish(task, TaskState::Succeeded),
                    Told::Permanent => self.finish(task, TaskState::Failed),
                    Told::Retryable => self.attempt_failed(task),
                }
                self.hand_over();
            }
        }
    }

    fn stopped(&mut self, registration: u64) {
        self.free_zombie(registration);
        self.hand_over();
    }

    /// The first attempt that an ended one makes room for begins in its place, before anything else.
    fn hand_over(&mut self) {
        self.settle();
        let next = self.launches.pop_front();
        self.decided();
        if let Some(next) = next {
            self.run(next);
        }
    }

    pub(crate) fn is_bound(&self, task: usize, attempt: u32) -> bool {
        let entry = &self.tasks[task];
        entry.place == Place::Bound && entry.attempt == attempt
    }

    /// Moves time, firing timers at their instants.
    pub(crate) fn advance(&mut self, time: u64) {
        let until = self.now + time;
        while let Some(((at, _), _)) = self.timers.first_key_value()
            && *at <= until
        {
            self.now = self.now.max(*at);
            self.fire_due();
            self.decided();
            self.run_jobs();
        }
        self.now = until;
    }

    /// Fires what is due now: one decision.
    pub(crate) fn fire_due(&mut self) {
        while let Some((key, timer)) = self.timers.first_key_value().map(|(k, t)| (*k, *t))
            && key.0 <= self.now
        {
            self.timers.remove(&key);
            self.fire(timer);
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Due(task) => {
                if self.tasks[task].place == Place::Delayed {
                    self.make_ready(task);
                }
            }
            Timer::Deadline(task) => self.finish(task, TaskState::TimedOut),
            Timer::Attempt(task, attempt) => {
                if self.is_bound(task, attempt) {
                    self.finish(task, TaskState::TimedOut);
                }
            }
            Timer::Lease(task, attempt) => self.lease_due(task, attempt),
            Timer::Zombie(task, attempt) => {
                if let Some(agent) = self.zombies.remove(&(task, attempt)) {
                    self.free_zombie(agent);
                }
            }
            Timer::Heartbeat(registration) => self.heartbeat_due(registration),
            Timer::Unroutable(task) => {
                let entry = &self.tasks[task];
                // Somebody could have done it for a while: the time began anew.
                let due = entry.unroutable_since + self.rules.unroutable_ttl <= self.now;
                if due && entry.place == Place::Ready && self.capable(entry.required) == 0 {
                    self.finish(task, TaskState::Failed);
                }
            }
        }
    }

    fn lease_due(&mut self, task: usize, attempt: u32) {
        if !self.is_bound(task, attempt) {
            return;
        }
        let entry = &self.tasks[task];
        let seen = entry.agent.and_then(|a| self.agents.get(&a));
        let alive = entry.active_at.max(seen.map_or(0, |a| a.last_seen));
        let until = alive + self.rules.lease;
        if until > self.now {
            return self.set_timer(until, Timer::Lease(task, attempt));
        }
        self.attempt_failed(task);
    }

    fn heartbeat_due(&mut self, registration: u64) {
        let Some(agent) = self.agents.get(&registration).filter(|a| a.reachable) else {
            return;
        };
        let Some(interval) = agent.heartbeat else {
            return;
        };
        let until = agent.last_seen + interval * self.rules.silence_factor;
        if until > self.now {
            return self.set_timer(until, Timer::Heartbeat(registration));
        }
        if let Some(agent) = self.agents.get_mut(&registration) {
            agent.reachable = false;
        }
        self.lose_tasks(registration);
    }

    /// A call named the agent.
    pub(crate) fn touch(&mut self, registration: u64) {
        let now = self.now;
        let Some(agent) = self.agents.get_mut(&registration) else {
            return;
        };
        agent.last_seen = now;
        if agent.reachable {
            return;
        }
        agent.reachable = true;
        if let Some(interval) = agent.heartbeat {
            let silence = interval * self.rules.silence_factor;
            self.set_timer(now + silence, Timer::Heartbeat(registration));
        }
        self.availability_changed(registration);
    }

    pub(crate) fn availability_changed(&mut self, registration: u64) {
        let ready = self.agents.get(&registration).is_some_and(|a| a.is_ready());
        if ready && self.in_place(Place::Ready) > 0 {
            self.work.push_back(Work::Agent(registration));
        }
    }
}
