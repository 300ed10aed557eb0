//! The calls of users, and what the model says each comes to.

use universal_orchestrator::{Availability, TaskState, UnavailableCounts};

use super::state::{Model, ModelAgent, ModelTask, Place, Timer, Work};
use super::step::{AgentCall, Forged, TaskPlan, Told};

/// A report as it is sent: `None` is a task that does not exist.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) task: Option<usize>,
    pub(crate) agent: usize,
    pub(crate) attempt: u32,
}

const OK: &str = "ok";

impl Model {
    pub(crate) fn register(
        &mut self,
        name: usize,
        capabilities: u8,
        concurrency: u32,
        in_process: bool,
        heartbeat: Option<u64>,
    ) -> String {
        if self.named(name).is_some() {
            return "duplicate".into();
        }
        self.order += 1;
        self.registrations += 1;
        let registration = self.registrations;
        self.agents.insert(
            registration,
            ModelAgent {
                name,
                capabilities,
                concurrency,
                in_process,
                heartbeat,
                asleep: None,
                quarantined: false,
                reachable: true,
                last_seen: self.now,
                tasks: Vec::new(),
                zombies: 0,
                order: self.order,
                waits: false,
            },
        );
        if let Some(interval) = heartbeat {
            let silence = interval * self.rules.silence_factor;
            self.set_timer(self.now + silence, Timer::Heartbeat(registration));
        }
        self.availability_changed(registration);
        OK.into()
    }

    pub(crate) fn update(
        &mut self,
        name: usize,
        capabilities: Option<u8>,
        concurrency: Option<u32>,
    ) -> String {
        let Some(registration) = self.named(name) else {
            return "unknown".into();
        };
        self.touch(registration);
        let agent = self.agents.get_mut(&registration).expect("it was found");
        let before = agent.capabilities;
        agent.concurrency = concurrency.unwrap_or(agent.concurrency);
        agent.capabilities = capabilities.unwrap_or(before);
        if agent.capabilities != before {
            self.report_unroutable(before);
        }
        self.work.push_back(Work::Agent(registration));
        OK.into()
    }

    /// Tasks that an agent could do and nobody can any more.
    fn report_unroutable(&mut self, capabilities: u8) {
        for task in 0..self.tasks.len() {
            let entry = &self.tasks[task];
            let could = capabilities & entry.required == entry.required;
            if entry.place == Place::Ready && could && self.capable(entry.required) == 0 {
                self.unroutable(task);
            }
        }
    }

    pub(crate) fn agent_call(&mut self, name: usize, call: AgentCall) -> String {
        let Some(registration) = self.named(name) else {
            return "unknown".into();
        };
        let agent = self.agents.get_mut(&registration).expect("it was found");
        match call {
            AgentCall::Sleep => agent.asleep = Some(Availability::Sleeping),
            AgentCall::Drain => agent.asleep = Some(Availability::Draining),
            AgentCall::Wake => agent.asleep = None,
            AgentCall::Quarantine => agent.quarantined = true,
            AgentCall::Release => agent.quarantined = false,
            AgentCall::Heartbeat => self.touch(registration),
            AgentCall::Deregister => {
                agent.asleep = Some(Availability::Draining);
                let capabilities = agent.capabilities;
                self.lose_tasks(registration);
                self.agents.remove(&registration);
                self.zombies.retain(|_, agent| *agent != registration);
                self.report_unroutable(capabilities);
            }
        }
        if call != AgentCall::Heartbeat {
            self.availability_changed(registration);
        }
        OK.into()
    }

    fn refuse(&mut self, reason: impl Into<String>) -> String {
        self.counts.refused += 1;
        reason.into()
    }

    fn new_task(&mut self, id: &str, plan: &TaskPlan, delegated: bool) -> usize {
        self.counts.accepted += 1;
        let task = self.tasks.len();
        self.tasks.push(ModelTask {
            id: id.to_owned(),
            required: plan.required,
            level: plan.level,
            delegated,
            retry: plan.retry,
            deadline: plan.deadline.map(|d| self.now + d),
            timeout: plan.timeout,
            due: self.now + plan.delay,
            state: TaskState::Queued,
            place: Place::Delayed,
            attempt: 0,
            agent: None,
            leased: false,
            active_at: self.now,
            order: 0,
            ready_at: self.now,
            unroutable_since: self.now,
        });
        task
    }

    fn arm_deadline(&mut self, task: usize) {
        if let Some(at) = self.tasks[task].deadline {
            self.set_timer(at, Timer::Deadline(task));
        }
    }

    fn door(&self, id: &str) -> Option<&'static str> {
        if self.intake_paused {
            return Some("intake_paused");
        }
        self.tasks.iter().any(|t| t.id == id).then_some("duplicate")
    }

    pub(crate) fn submit(&mut self, id: &str, plan: &TaskPlan) -> String {
        if let Some(reason) = self.door(id) {
            return self.refuse(reason);
        }
        if self.in_state(TaskState::Queued) >= self.rules.queue_max {
            return self.refuse("queue_full");
        }
        if !self.rules.queue_unroutable && self.capable(plan.required) == 0 {
            return self.refuse("no_capable_agent");
        }
        let task = self.new_task(id, plan, false);
        self.arm_deadline(task);
        self.make_ready(task);
        "accepted".into()
    }

    pub(crate) fn delegate(&mut self, id: &str, plan: &TaskPlan) -> String {
        if let Some(reason) = self.door(id) {
            return self.refuse(reason);
        }
        if plan.delay > 0 {
            return self.refuse("not_at_once");
        }
        if plan.required & self.paused != 0 {
            return self.refuse("capability_paused");
        }
        let Some(registration) = self.least_loaded(plan.required, false) else {
            let reason = self.why_none(plan.required);
            return self.refuse(reason);
        };
        let task = self.new_task(id, plan, true);
        let in_process = self.take_slot(task, registration);
        self.arm_deadline(task);
        if in_process {
            self.tasks[task].state = TaskState::Running;
            let begin = super::state::Job::Begin(task, 1, registration);
            self.launches.push_back(begin);
        } else {
            self.tasks[task].state = TaskState::Assigned;
            self.arm_attempt(task);
        }
        format!("bound a{} attempt 1", self.agents[&registration].name)
    }

    fn why_none(&self, required: u8) -> String {
        let mut counts = UnavailableCounts::default();
        let (mut capable, mut busy) = (0, 0);
        for agent in self.agents.values().filter(|a| a.can(required)) {
            capable += 1;
            match agent.availability() {
                Availability::Available => busy += 1,
                Availability::Sleeping => counts.sleeping += 1,
                Availability::Draining => counts.draining += 1,
                Availability::Quarantined => counts.quarantined += 1,
                _ => counts.unreachable += 1,
            }
        }
        match (capable, busy) {
            (0, _) => "no_capable_agent".into(),
            (_, 0) => format!("all_unavailable {capable} {counts:?}"),
            _ => format!("all_busy {capable}"),
        }
    }

    pub(crate) fn pull(&mut self, name: usize) -> String {
        let Some(registration) = self.named(name) else {
            return "unknown".into();
        };
        self.touch(registration);
        let agent = self.agents.get_mut(&registration).expect("it was found");
        if agent.in_process {
            return "in_process".into();
        }
        agent.waits = true;
        let before = self.issued.len();
        self.match_agent(registration);
        self.settle();
        if let Some(agent) = self.agents.get_mut(&registration) {
            agent.waits = false;
        }
        match self.issued.get(before) {
            Some(issued) => {
                let id = &self.tasks[issued.task].id;
                format!("pulled {id} attempt {}", issued.attempt)
            }
            None => "none".into(),
        }
    }

    /// The report that a step sends; `None` when no delegation was given out yet.
    pub(crate) fn sent(&self, n: usize, forged: Forged) -> Option<Sent> {
        let issued = self.issued.get(n % self.issued.len().max(1))?;
        let mut sent = Sent {
            task: Some(issued.task),
            agent: issued.agent,
            attempt: issued.attempt,
        };
        match forged {
            Forged::No => {}
            Forged::Agent(agent) => sent.agent = agent,
            Forged::Before => sent.attempt -= 1,
            Forged::After => sent.attempt += 1,
            Forged::Nowhere => sent.task = None,
        }
        Some(sent)
    }

    /// The task of a report that is the current one, or why it is not.
    fn current(&mut self, sent: &Sent) -> Result<usize, String> {
        let task = sent.task.ok_or("unknown_task")?;
        let entry = &self.tasks[task];
        if entry.state.is_terminal() {
            return Err(format!("already_over {}", entry.state.as_str()));
        }
        if entry.attempt != sent.attempt {
            return Err("stale".into());
        }
        let agent = entry.agent.filter(|a| {
            let agent = self.agents.get(a);
            agent.is_some_and(|a| a.name == sent.agent)
        });
        match agent {
            Some(agent) if entry.place == Place::Bound => {
                self.touch(agent);
                Ok(task)
            }
            _ => Err("not_yours".into()),
        }
    }

    /// Whether a task's attempt runs in this process, whose end nobody else can report.
    fn runs_here(&self, task: usize) -> bool {
        let agent = self.tasks[task].agent.and_then(|a| self.agents.get(&a));
        agent.is_some_and(|a| a.in_process)
    }

    pub(crate) fn report(&mut self, sent: &Sent, told: Told) -> String {
        let checked = match self.current(sent) {
            Ok(task) if self.runs_here(task) => Err("not_yours".into()),
            checked => checked,
        };
        match (checked, told) {
            (Ok(task), Told::Done) => self.finish(task, TaskState::Succeeded),
            (Ok(task), Told::Permanent) => self.finish(task, TaskState::Failed),
            (Ok(task), Told::Retryable) => self.attempt_failed(task),
            (Err(reason), _) => {
                self.counts.reports_refused += 1;
                self.zombie_speaks(sent);
                return reason;
            }
        }
        OK.into()
    }

    /// A late report says that the attempt is gone.
    fn zombie_speaks(&mut self, sent: &Sent) {
        let Some(task) = sent.task else { return };
        let key = (task, sent.attempt);
        if let Some(registration) = self.zombies.get(&key).copied()
            && self.agents[&registration].name == sent.agent
        {
            self.zombies.remove(&key);
            self.free_zombie(registration);
        }
    }

    pub(crate) fn progress(&mut self, sent: &Sent) -> String {
        match self.current(sent) {
            Ok(task) => {
                self.tasks[task].active_at = self.now;
                OK.into()
            }
            Err(reason) => reason,
        }
    }

    pub(crate) fn start(&mut self, sent: &Sent) -> String {
        match self.current(sent) {
            Ok(task) if self.tasks[task].state != TaskState::Assigned => "not_yours".into(),
            Ok(task) => {
                self.tasks[task].state = TaskState::Running;
                self.tasks[task].active_at = self.now;
                OK.into()
            }
            Err(reason) => reason,
        }
    }

    pub(crate) fn cancel(&mut self, task: usize) -> String {
        let state = self.tasks[task].state;
        if state.is_terminal() {
            return format!("already_over {}", state.as_str());
        }
        self.finish(task, TaskState::Cancelled);
        OK.into()
    }

    /// Attempts at work in this process.
    pub(crate) fn at_work(&self) -> Vec<(usize, u32)> {
        let bound = (0..self.tasks.len()).filter(|t| self.tasks[*t].place == Place::Bound);
        bound
            .filter(|t| self.runs_here(*t))
            .map(|t| (t, self.tasks[t].attempt))
            .collect()
    }

    pub(crate) fn pause_capability(&mut self, capability: u8, pause: bool) {
        let bit = 1 << capability;
        if (self.paused & bit != 0) != pause {
            self.paused ^= bit;
            self.work.push_back(Work::All);
        }
    }

    pub(crate) fn pause_queue(&mut self, pause: bool) {
        self.queue_paused = pause;
        if !pause {
            self.work.push_back(Work::All);
        }
    }
}
