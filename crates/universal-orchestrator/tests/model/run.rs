//! Makes the same calls to the model and to an orchestrator, and compares after each.

use std::time::Duration;

use proptest::prelude::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};
use serde_json::json;
use universal_orchestrator::{
    AgentChange, AgentFilter, AgentRole, AgentSpec, Capability, Delegation, RegisterRefusal,
    TaskFailure, TaskFilter, TaskId, TaskState, UniversalOrchestrator,
};
use universal_orchestrator_testkit::{PuppetAgent, settle, test_orchestrator};

use super::calls::Sent;
use super::state::{Job, Model, Place, Rules};
use super::step::{AGENTS, AgentCall, CAPABILITIES, Step, TaskPlan, Told};
use super::words::{
    agent_id, agent_text, config_of, ending, refusal_text, report_text, set_of, task_of,
};

type Checked = Result<(), TestCaseError>;

/// An orchestrator and its model, in step.
pub(crate) struct Pair {
    model: Model,
    real: UniversalOrchestrator,
    puppet: PuppetAgent,
    serial: usize,
    /// What each call came to: the routing trace.
    pub(crate) trace: Vec<String>,
}

impl Pair {
    pub(crate) async fn start(rules: Rules) -> Self {
        Self {
            real: test_orchestrator(config_of(&rules)).await,
            model: Model::new(rules),
            puppet: PuppetAgent::new(),
            serial: 0,
            trace: Vec::new(),
        }
    }

    /// Takes all steps, comparing after each, and ends the orchestrator.
    pub(crate) async fn run(&mut self, steps: &[Step]) -> Checked {
        let mut result = Ok(());
        for (n, step) in steps.iter().enumerate() {
            result = self.take(n, step).await;
            if let Err(error) = result {
                result = Err(TestCaseError::fail(format!("{error}\n{}", self.picture())));
                break;
            }
        }
        self.real.shutdown_within(Duration::ZERO).await;
        result?;
        self.check_accounts_after_the_end()
    }

    /// What led to a difference, for whoever looks for its cause.
    fn picture(&self) -> String {
        let live = self.model.tasks.iter().filter(|t| t.state.is_live());
        let live: Vec<String> = live.map(|t| format!("{t:?}")).collect();
        let agents: Vec<String> = self
            .model
            .agents
            .values()
            .map(|a| format!("{a:?}"))
            .collect();
        let from = self.trace.len().saturating_sub(8);
        format!(
            "at {} ms\nlast calls: {:?}\nagents:\n{}\nlive tasks:\n{}",
            self.model.now,
            &self.trace[from..],
            agents.join("\n"),
            live.join("\n")
        )
    }

    async fn take(&mut self, n: usize, step: &Step) -> Checked {
        let (real, model) = self.call(step).await;
        self.model.decided();
        self.model.run_jobs();
        settle().await;
        prop_assert_eq!(&real, &model, "step {} {:?}", n, step);
        self.trace.push(real);
        let at = format!("step {n} {step:?}");
        self.check_status(&at)?;
        self.check_agents(&at)?;
        if n % 10 == 9 {
            self.check_tasks(&at)?;
        }
        Ok(())
    }

    /// What a call came to, and what the model says.
    async fn call(&mut self, step: &Step) -> (String, String) {
        let both = |text: &str| (text.to_owned(), text.to_owned());
        match step {
            Step::PullAll => {
                let (mut real, mut model) = (String::new(), String::new());
                for agent in 0..AGENTS {
                    real += &self.real_pull(agent).await;
                    model += &self.model.pull(agent);
                    self.model.decided();
                    self.model.run_jobs();
                }
                (real, model)
            }
            Step::Pull(agent) => (self.real_pull(*agent).await, self.model.pull(*agent)),
            Step::Delegate(plan) => {
                let id = self.id_of(plan);
                let called = self.real.delegate_task(task_of(&id, plan)).await;
                let real = match called {
                    Ok(d) => format!("bound {} attempt {}", d.agent(), d.attempt()),
                    Err(refused) => refusal_text(&refused),
                };
                (real, self.model.delegate(&id, plan))
            }
            Step::Submit(plan) => {
                let id = self.id_of(plan);
                let real = match self.real.submit_task(task_of(&id, plan)).await {
                    Ok(_) => "accepted".to_owned(),
                    Err(refused) => refusal_text(&refused),
                };
                (real, self.model.submit(&id, plan))
            }
            Step::Report(n, told, forged) => match self.model.sent(*n, *forged) {
                Some(sent) => (
                    self.real_report(&sent, *told).await,
                    self.model.report(&sent, *told),
                ),
                None => both("nothing to report"),
            },
            Step::Progress(n) => match self.model.sent(*n, super::step::Forged::No) {
                Some(sent) => {
                    let real = self.real.report_progress(&self.delegation(&sent), 1).await;
                    (report_text(real), self.model.progress(&sent))
                }
                None => both("nothing to report"),
            },
            Step::Start(n) => match self.model.sent(*n, super::step::Forged::No) {
                Some(sent) => {
                    let real = self.real.start_task(&self.delegation(&sent)).await;
                    (report_text(real), self.model.start(&sent))
                }
                None => both("nothing to start"),
            },
            Step::Cancel(n) if self.model.tasks.is_empty() => both(&format!("no task {n}")),
            Step::Cancel(n) => {
                let task = n % self.model.tasks.len();
                let real = self.real.cancel_task(&self.task_id(Some(task))).await;
                (report_text(real), self.model.cancel(task))
            }
            Step::Puppet(n, told) => {
                let at_work = self.model.at_work();
                let Some((task, attempt)) = at_work.get(n % at_work.len().max(1)).copied() else {
                    return both("nobody at work");
                };
                let ended = self
                    .puppet
                    .end(&self.task_id(Some(task)), attempt, ending(*told));
                self.model.jobs.push_back(Job::End(task, attempt, *told));
                (format!("ended {ended}"), "ended true".into())
            }
            Step::Advance(ms) => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                self.model.advance(*ms);
                both("time")
            }
            other => self.call_agents(other).await,
        }
    }

    async fn call_agents(&mut self, step: &Step) -> (String, String) {
        let real = &self.real;
        match step {
            Step::Register {
                agent,
                capabilities,
                concurrency,
                in_process,
                heartbeat,
            } => {
                let mut spec = AgentSpec::new(format!("a{agent}"), AgentRole::Worker)
                    .capability_set(set_of(*capabilities))
                    .concurrency(*concurrency);
                if *in_process {
                    spec = spec.in_process(self.puppet.clone());
                }
                if let Some(ms) = heartbeat {
                    spec = spec.heartbeat_every(Duration::from_millis(*ms));
                }
                let called = match real.register_agent(spec).await {
                    Ok(_) => "ok".to_owned(),
                    Err(refused) => match refused.reason() {
                        RegisterRefusal::Duplicate { .. } => "duplicate".to_owned(),
                        other => format!("{other:?}"),
                    },
                };
                let model = self.model.register(
                    *agent,
                    *capabilities,
                    *concurrency,
                    *in_process,
                    *heartbeat,
                );
                (called, model)
            }
            Step::Update {
                agent,
                capabilities,
                concurrency,
            } => {
                let mut change = AgentChange::new();
                if let Some(bits) = capabilities {
                    change = change.capabilities(set_of(*bits));
                }
                if let Some(slots) = concurrency {
                    change = change.concurrency(*slots);
                }
                let called = real.update_agent(&agent_id(*agent), change).await;
                let model = self.model.update(*agent, *capabilities, *concurrency);
                (agent_text(called), model)
            }
            Step::Agent(agent, call) => {
                let id = agent_id(*agent);
                let called = match call {
                    AgentCall::Deregister => real.deregister_agent(&id).await,
                    AgentCall::Sleep => real.sleep_agent(&id).await,
                    AgentCall::Wake => real.wake_agent(&id).await,
                    AgentCall::Drain => real.drain_agent(&id).await,
                    AgentCall::Quarantine => real.quarantine_agent(&id, "told to").await,
                    AgentCall::Release => real.release_agent(&id).await,
                    AgentCall::Heartbeat => real.heartbeat(&id).await,
                };
                (agent_text(called), self.model.agent_call(*agent, *call))
            }
            Step::Queue(pause) => {
                match pause {
                    true => real.pause_queue(),
                    false => real.resume_queue(),
                }
                self.model.pause_queue(*pause);
                ("ok".into(), "ok".into())
            }
            Step::Intake(pause) => {
                match pause {
                    true => real.pause_intake(),
                    false => real.resume_intake(),
                }
                self.model.intake_paused = *pause;
                ("ok".into(), "ok".into())
            }
            Step::Capability(capability, pause) => {
                let name = Capability::new(CAPABILITIES[usize::from(*capability)])
                    .expect("the literal is a capability");
                match pause {
                    true => real.pause_capability(&name),
                    false => real.resume_capability(&name),
                }
                self.model.pause_capability(*capability, *pause);
                ("ok".into(), "ok".into())
            }
            other => (format!("{other:?}"), "a step that is handled".into()),
        }
    }

    fn id_of(&mut self, plan: &TaskPlan) -> String {
        self.serial += 1;
        match plan.again {
            Some(n) if !self.model.tasks.is_empty() => {
                self.model.tasks[n % self.model.tasks.len()].id.clone()
            }
            _ => format!("t{}", self.serial),
        }
    }

    fn task_id(&self, task: Option<usize>) -> TaskId {
        let text = task.map_or("nowhere", |t| self.model.tasks[t].id.as_str());
        TaskId::new(text).expect("the text is an id")
    }

    fn delegation(&self, sent: &Sent) -> Delegation {
        Delegation::new(self.task_id(sent.task), agent_id(sent.agent), sent.attempt)
    }

    async fn real_pull(&self, agent: usize) -> String {
        match self.real.next_task(&agent_id(agent), Duration::ZERO).await {
            Ok(Some(pulled)) => {
                format!(
                    "pulled {} attempt {}",
                    pulled.id(),
                    pulled.delegation().attempt()
                )
            }
            Ok(None) => "none".into(),
            Err(error) => agent_text(Err(error)),
        }
    }

    async fn real_report(&self, sent: &Sent, told: Told) -> String {
        let delegation = self.delegation(sent);
        report_text(match told {
            Told::Done => self.real.complete_task(&delegation, json!(1)).await,
            Told::Retryable => {
                let failure = TaskFailure::retryable("told to");
                self.real.fail_task(&delegation, failure).await
            }
            Told::Permanent => {
                let failure = TaskFailure::permanent("told to");
                self.real.fail_task(&delegation, failure).await
            }
        })
    }

    /// Promise 1 and the counts that belong to it.
    fn check_status(&self, at: &str) -> Checked {
        let (status, model) = (self.real.status(), &self.model);
        let tasks = &status.tasks;
        let terminal =
            tasks.succeeded + tasks.failed + tasks.timed_out + tasks.cancelled + tasks.rejected;
        prop_assert_eq!(
            tasks.accepted,
            tasks.active + terminal,
            "{}: accounting",
            at
        );
        let real_states = [
            tasks.queued,
            tasks.assigned,
            tasks.running,
            tasks.succeeded,
            tasks.failed,
            tasks.timed_out,
            tasks.cancelled,
            tasks.rejected,
        ];
        let states = TaskState::ALL.map(|s| model.in_state(s) as u64);
        prop_assert_eq!(real_states, states, "{}: states", at);
        let queue = (status.queue.depth, status.queue.ready, status.queue.delayed);
        let expected = (
            states[0],
            model.in_place(Place::Ready),
            model.in_place(Place::Delayed),
        );
        prop_assert_eq!(queue, expected, "{}: queue", at);
        let counts = super::state::Counts {
            accepted: tasks.accepted,
            refused: tasks.refused,
            retries: tasks.retries,
            reports_refused: tasks.reports_refused,
        };
        prop_assert_eq!(&counts, &model.counts, "{}: counts", at);
        let agents = &status.agents;
        let busy = model
            .agents
            .values()
            .filter(|a| !a.tasks.is_empty())
            .count();
        let zombies: u32 = model.agents.values().map(|a| a.zombies).sum();
        prop_assert_eq!(
            (agents.total, agents.busy, agents.zombies),
            (model.agents.len(), busy, zombies as usize),
            "{}: agents",
            at
        );
        Ok(())
    }

    /// Promise 5, and that each agent has what the model says.
    fn check_agents(&self, at: &str) -> Checked {
        for view in self.real.agents(&AgentFilter::all()) {
            let name = view.id.as_str()[1..].parse().expect("names are numbered");
            let agent = self.model.named(name).map(|r| &self.model.agents[&r]);
            let Some(agent) = agent else {
                prop_assert!(false, "{at}: {} is registered", view.id);
                continue;
            };
            let real = (
                view.in_flight,
                view.zombies,
                view.availability,
                view.concurrency,
            );
            let model = (
                agent.tasks.len() as u32,
                agent.zombies,
                agent.availability(),
                agent.concurrency,
            );
            prop_assert_eq!(real, model, "{}: {}", at, view.id);
        }
        Ok(())
    }

    /// Every task stands where the model says: a terminal state never changes, nor an attempt.
    fn check_tasks(&self, at: &str) -> Checked {
        let views = self.real.tasks(&TaskFilter::all().limit(usize::MAX));
        prop_assert_eq!(views.len(), self.model.tasks.len(), "{}: tasks", at);
        let mut differ = Vec::new();
        for view in views {
            let find = |t: &&super::state::ModelTask| view.id.to_string() == t.id;
            let task = self.model.tasks.iter().find(find);
            let (real, model) = (
                Some((view.state, view.attempt)),
                task.map(|t| (t.state, t.attempt)),
            );
            if real != model {
                differ.push(format!("{}: {real:?}, not {model:?}", view.id));
            }
        }
        prop_assert!(differ.is_empty(), "{at}: {differ:?}");
        Ok(())
    }

    fn check_accounts_after_the_end(&self) -> Checked {
        let (status, model) = (self.real.status(), &self.model);
        prop_assert_eq!(status.tasks.active, 0, "live after shutdown");
        let live = model.tasks.iter().filter(|t| t.state.is_live()).count();
        let cancelled = (model.in_state(TaskState::Cancelled) + live) as u64;
        prop_assert_eq!(status.tasks.cancelled, cancelled, "cancelled by shutdown");
        Ok(())
    }
}
