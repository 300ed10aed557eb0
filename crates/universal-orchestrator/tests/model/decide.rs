//! How the model decides: who gets what, and what follows from an end.

use universal_orchestrator::TaskState;

use super::state::{Issued, Job, Model, Place, Timer, Work};

impl Model {
    /// The least loaded of some agents: lowest share of slots taken, then least recently assigned.
    pub(crate) fn least_loaded(&self, required: u8, pushes: bool) -> Option<u64> {
        let fit = self.agents.iter().filter(|(_, a)| {
            a.can(required)
                && if pushes {
                    a.takes_pushes()
                } else {
                    a.is_ready()
                }
        });
        fit.min_by(|(_, a), (_, b)| {
            let left = u64::from(a.taken()) * u64::from(b.concurrency);
            let right = u64::from(b.taken()) * u64::from(a.concurrency);
            left.cmp(&right).then(a.order.cmp(&b.order))
        })
        .map(|(registration, _)| *registration)
    }

    /// The ready task that comes first among those that a predicate lets through.
    pub(crate) fn first(&self, takes: impl Fn(u8) -> bool) -> Option<usize> {
        let mut heads: [Option<usize>; 4] = [None; 4];
        for (ix, task) in self.tasks.iter().enumerate() {
            if task.place != Place::Ready || task.required & self.paused != 0 {
                continue;
            }
            let head = &mut heads[task.level];
            if takes(task.required) && head.is_none_or(|h| task.order < self.tasks[h].order) {
                *head = Some(ix);
            }
        }
        heads.into_iter().flatten().min_by_key(|ix| {
            let task = &self.tasks[*ix];
            let aged = match self.rules.ageing {
                0 => 0,
                ageing => task.ready_at + ageing * task.level as u64,
            };
            (aged, task.level)
        })
    }

    /// A task's time has come.
    pub(crate) fn make_ready(&mut self, task: usize) {
        if self.tasks[task].due > self.now {
            self.tasks[task].place = Place::Delayed;
            let due = self.tasks[task].due;
            return self.set_timer(due, Timer::Due(task));
        }
        let required = self.tasks[task].required;
        let at_once = !self.queue_paused
            && self.work.is_empty()
            && self.ready_of(required) == 0
            && required & self.paused == 0;
        if at_once && let Some(agent) = self.least_loaded(required, true) {
            return self.bind(task, agent);
        }
        self.sequence += 1;
        let entry = &mut self.tasks[task];
        entry.place = Place::Ready;
        entry.order = self.sequence;
        entry.ready_at = self.now;
        if self.capable(required) == 0 {
            self.unroutable(task);
        }
        self.work.push_back(Work::Class(required));
    }

    pub(crate) fn unroutable(&mut self, task: usize) {
        self.tasks[task].unroutable_since = self.now;
        if self.rules.unroutable_ttl > 0 {
            self.set_timer(
                self.now + self.rules.unroutable_ttl,
                Timer::Unroutable(task),
            );
        }
    }

    /// Binds the next attempt of a task; in this process it begins at once, else it is pulled.
    pub(crate) fn bind(&mut self, task: usize, registration: u64) {
        let in_process = self.take_slot(task, registration);
        self.tasks[task].state = TaskState::Running;
        let attempt = self.tasks[task].attempt;
        if in_process {
            self.launches
                .push_back(Job::Begin(task, attempt, registration));
        } else {
            self.arm_attempt(task);
            self.tasks[task].leased = true;
            self.set_timer(self.now + self.rules.lease, Timer::Lease(task, attempt));
            if let Some(agent) = self.agents.get_mut(&registration) {
                agent.waits = false;
            }
        }
    }

    /// Takes a slot; says whether the agent runs in this process.
    pub(crate) fn take_slot(&mut self, task: usize, registration: u64) -> bool {
        self.order += 1;
        let order = self.order;
        let agent = self.agents.get_mut(&registration).expect("it was chosen");
        agent.order = order;
        agent.tasks.push(task);
        let (name, in_process) = (agent.name, agent.in_process);
        let entry = &mut self.tasks[task];
        entry.place = Place::Bound;
        entry.agent = Some(registration);
        entry.attempt += 1;
        entry.active_at = self.now;
        entry.leased = false;
        self.issued.push(Issued {
            task,
            agent: name,
            attempt: self.tasks[task].attempt,
        });
        in_process
    }

    pub(crate) fn arm_attempt(&mut self, task: usize) {
        let entry = &self.tasks[task];
        let timeout = entry.timeout.unwrap_or(self.rules.attempt_timeout);
        let (at, attempt) = (entry.active_at + timeout, entry.attempt);
        self.set_timer(at, Timer::Attempt(task, attempt));
    }

    /// Everything that follows, in order, until nothing does.
    pub(crate) fn settle(&mut self) {
        while let Some(work) = self.work.pop_front() {
            match work {
                Work::Agent(agent) => self.match_agent(agent),
                Work::Class(required) => self.match_class(required),
                Work::All => self.match_all(),
            }
        }
    }

    pub(crate) fn match_agent(&mut self, registration: u64) {
        while !self.queue_paused {
            let Some(agent) = self.agents.get(&registration) else {
                return;
            };
            let capabilities = agent.capabilities;
            if !agent.takes_pushes() {
                return;
            }
            let Some(task) = self.first(|required| capabilities & required == required) else {
                return;
            };
            self.bind(task, registration);
        }
    }

    fn match_class(&mut self, class: u8) {
        while !self.queue_paused {
            let Some(task) = self.first(|required| required == class) else {
                return;
            };
            let Some(agent) = self.least_loaded(class, true) else {
                return;
            };
            self.bind(task, agent);
        }
    }

    fn match_all(&mut self) {
        while !self.queue_paused {
            let next = self.first(|required| self.least_loaded(required, true).is_some());
            let Some(task) = next else { return };
            let agent = self.least_loaded(self.tasks[task].required, true);
            self.bind(task, agent.expect("the filter saw one"));
        }
    }

    /// Gives the slot of an attempt back, or keeps it as a zombie's.
    fn free_slot(&mut self, task: usize, zombie: bool) {
        let Some(registration) = self.tasks[task].agent else {
            return;
        };
        self.tasks[task].leased = false;
        if let Some(agent) = self.agents.get_mut(&registration) {
            let at = agent.tasks.iter().position(|t| *t == task);
            agent.tasks.swap_remove(at.expect("it holds the slot"));
            agent.zombies += u32::from(zombie);
        }
        self.after_free(registration);
    }

    fn after_free(&mut self, registration: u64) {
        if self.in_place(Place::Ready) > 0 {
            self.work.push_back(Work::Agent(registration));
        }
    }

    pub(crate) fn free_zombie(&mut self, registration: u64) {
        if let Some(agent) = self.agents.get_mut(&registration)
            && agent.zombies > 0
        {
            agent.zombies -= 1;
            self.after_free(registration);
        }
    }

    /// An attempt failed in a way that may be tried again.
    pub(crate) fn attempt_failed(&mut self, task: usize) {
        let entry = &self.tasks[task];
        let (attempts, base) = match (entry.retry, entry.delegated) {
            (Some(own), _) => own,
            (None, true) => (1, 0),
            (None, false) => (self.rules.attempts, self.rules.base_delay),
        };
        let delay = (base << (entry.attempt - 1)).min(self.rules.max_delay);
        let in_time = entry.deadline.is_none_or(|at| self.now + delay < at);
        if entry.attempt >= attempts || !in_time {
            return self.finish(task, TaskState::Failed);
        }
        self.free_slot(task, false);
        self.counts.retries += 1;
        self.tasks[task].state = TaskState::Queued;
        self.tasks[task].due = self.now + delay;
        self.make_ready(task);
    }

    /// Ends a task.
    pub(crate) fn finish(&mut self, task: usize, state: TaskState) {
        if self.tasks[task].state.is_terminal() {
            return;
        }
        if self.tasks[task].place == Place::Bound {
            let stopped = matches!(state, TaskState::Cancelled | TaskState::TimedOut);
            self.free_slot(task, stopped);
            if stopped {
                self.becomes_zombie(task);
            }
        }
        self.tasks[task].state = state;
        self.tasks[task].place = Place::Over;
    }

    fn becomes_zombie(&mut self, task: usize) {
        let (registration, attempt) = (self.tasks[task].agent, self.tasks[task].attempt);
        let registration = registration.expect("it was bound");
        if self.agents[&registration].in_process {
            self.stops.push_back(Job::Stopped(registration));
        } else {
            self.zombies.insert((task, attempt), registration);
            self.set_timer(self.now + self.rules.lease, Timer::Zombie(task, attempt));
        }
    }

    /// All attempts of an agent are lost.
    pub(crate) fn lose_tasks(&mut self, registration: u64) {
        let agent = &self.agents[&registration];
        let in_process = agent.in_process;
        for task in agent.tasks.clone() {
            self.attempt_failed(task);
            if in_process {
                // Its agent is leaving, so nothing waits for the slot.
                self.stops.push_back(Job::Stopped(registration));
            }
        }
    }
}
