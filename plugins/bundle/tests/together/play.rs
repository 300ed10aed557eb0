//! Takes steps with an orchestrator, and holds it to its promises after each.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use proptest::prelude::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};
use serde_json::{Map, Value, json};
use universal_orchestrator::plugin::HookPoint;
use universal_orchestrator::{
    AgentChange, AgentFilter, AgentId, AgentRole, AgentSpec, CapabilitySet, Delegation, Priority,
    Refusal, Refused, RegisterRefusal, ReportError, RetryPolicy, Task, TaskFailure, TaskId,
    TaskState, UniversalOrchestrator,
};
use universal_orchestrator_testkit::{PuppetAgent, settle};

use crate::sections::{LIMITER_MAX, NAMES, World, section, settled};
use crate::step::{AgentCall, CAPABILITIES, Plan, Step, Told};

pub(crate) type Checked = Result<(), TestCaseError>;

const KINDS: [&str; 6] = ["build", "test_a", "test_b", "look", "secret", "other"];
const SESSIONS: [&str; 4] = ["s0", "s1", "s2", ""];

/// An orchestrator with plugins, and what the caller remembers of it.
pub(crate) struct Play {
    pub(crate) world: World,
    plugins: Vec<&'static str>,
    puppet: PuppetAgent,
    serial: usize,
    handed_out: Vec<Delegation>,
    given: Vec<TaskId>,
    succeeded: BTreeMap<TaskId, usize>,
    /// The highest concurrency that an agent has had since it registered.
    ceilings: BTreeMap<AgentId, u32>,
    /// Tasks that came with a context.
    pub(crate) contexts: usize,
    /// What each step came to.
    pub(crate) trace: Vec<String>,
}

impl Play {
    pub(crate) async fn start(plugins: &[&'static str]) -> Self {
        Self {
            world: World::start(plugins).await,
            plugins: plugins.to_vec(),
            puppet: PuppetAgent::new(),
            serial: 0,
            handed_out: Vec::new(),
            given: Vec::new(),
            succeeded: BTreeMap::new(),
            ceilings: BTreeMap::new(),
            contexts: 0,
            trace: Vec::new(),
        }
    }

    fn o(&self) -> &UniversalOrchestrator {
        &self.world.orchestrator
    }

    /// Takes all steps, then ends the orchestrator, and looks at what has become of everything.
    pub(crate) async fn play(&mut self, steps: &[Step]) -> Checked {
        let mut played = self.take_all(steps).await;
        let report = self.o().shutdown_within(Duration::ZERO).await;
        if played.is_ok() {
            settle().await;
            played = self.check_end(&report.stuck_plugins);
        }
        played
    }

    pub(crate) async fn take_all(&mut self, steps: &[Step]) -> Checked {
        for (n, step) in steps.iter().enumerate() {
            let came_to = self.take(step).await.map_err(|error| {
                let from = self.trace.len().saturating_sub(8);
                let last = &self.trace[from..];
                TestCaseError::fail(format!("step {n} {step:?}: {error}\nbefore: {last:#?}"))
            })?;
            self.trace.push(came_to);
        }
        Ok(())
    }

    async fn take(&mut self, step: &Step) -> Result<String, TestCaseError> {
        let came_to = self.call(step).await?;
        settled(self.o()).await;
        self.check()?;
        Ok(came_to)
    }

    async fn call(&mut self, step: &Step) -> Result<String, TestCaseError> {
        Ok(match step {
            Step::Register { .. } => self.register(step).await,
            Step::Concurrency(agent, slots) => {
                let change = AgentChange::new().concurrency(*slots);
                let called = self.o().update_agent(&agent_id(*agent), change).await;
                if called.is_ok() {
                    let ceiling = self.ceilings.entry(agent_id(*agent)).or_default();
                    *ceiling = (*ceiling).max(*slots);
                }
                format!("{called:?}")
            }
            Step::Agent(agent, call) => self.call_agent(&agent_id(*agent), *call).await,
            Step::Delegate(plan) => {
                let (task, id) = self.task(plan);
                let given = task.clone();
                let caller = &self.world.callers[plan.caller % self.world.callers.len()];
                match caller.delegate_task(task).await {
                    Ok(delegation) => {
                        let text = format!("bound {delegation:?}");
                        self.handed_out.push(delegation);
                        self.given.push(id);
                        text
                    }
                    Err(refused) => refusal(&given, refused)?,
                }
            }
            Step::Submit(plan) => {
                let (task, id) = self.task(plan);
                let given = task.clone();
                let caller = &self.world.callers[plan.caller % self.world.callers.len()];
                match caller.submit_task(task).await {
                    Ok(_) => {
                        self.given.push(id);
                        "accepted".to_owned()
                    }
                    Err(refused) => refusal(&given, refused)?,
                }
            }
            Step::Pull(agent) => {
                let pulled = self.o().next_task(&agent_id(*agent), Duration::ZERO).await;
                match pulled {
                    Ok(Some(pulled)) => {
                        self.handed_out.push(pulled.delegation().clone());
                        let mut payload = pulled.payload().clone();
                        // Apart from the trace: it is there or not by whether `context` is on.
                        let context = payload.as_object_mut().and_then(|p| p.remove("context"));
                        self.contexts += usize::from(context.is_some());
                        let (id, attempt) = (pulled.id(), pulled.delegation().attempt());
                        format!("pulled {id} {attempt} {payload}")
                    }
                    other => format!("{:?}", other.map(|_| "nothing")),
                }
            }
            Step::Report(n, told, attempt) => self.report(*n, *told, *attempt).await?,
            Step::Puppet(n, ending) => {
                let at_work = self.puppet.at_work();
                match at_work.get(n % at_work.len().max(1)) {
                    Some((task, attempt)) => {
                        let ended = self.puppet.end(task, *attempt, ending.clone());
                        format!("{task} {attempt} {ended}")
                    }
                    None => "nobody at work".to_owned(),
                }
            }
            Step::Cancel(n) => match self.given.get(n % self.given.len().max(1)) {
                Some(task) => report_text(self.o().cancel_task(task).await),
                None => "nothing to cancel".to_owned(),
            },
            Step::Advance(ms) => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                "time".to_owned()
            }
            Step::Wall(seconds) => {
                self.jump(*seconds);
                "jumped".to_owned()
            }
            Step::Switch(n, on) => {
                let name = NAMES[*n];
                let switched = match on {
                    true => self.o().enable_plugin(name),
                    false => self.o().disable_plugin(name),
                };
                prop_assert_eq!(switched.is_ok(), self.plugins.contains(&name), "{}", name);
                format!("{name} {on}")
            }
            Step::Reconfigure(n, right) => {
                let name = NAMES[*n];
                let text = match right {
                    true => section(name),
                    false => "no_such_key = 1",
                };
                let done = self.o().reconfigure_plugin(name, text);
                let fits = *right && self.plugins.contains(&name);
                prop_assert_eq!(done.is_ok(), fits, "{}: {:?}", name, done);
                format!("{name} {right}")
            }
        })
    }

    fn jump(&self, seconds: i64) {
        let now = universal_orchestrator::WallClock::now(&self.world.clock);
        let by = Duration::from_secs(seconds.unsigned_abs());
        self.world.clock.set(match seconds < 0 {
            true => now.checked_sub(by).unwrap_or(SystemTime::UNIX_EPOCH),
            false => now + by,
        });
    }

    async fn register(&mut self, step: &Step) -> String {
        let Step::Register {
            caller,
            agent,
            capabilities,
            concurrency,
            in_process,
        } = step
        else {
            return String::new();
        };
        let id = agent_id(*agent);
        let mut spec = AgentSpec::new(id.as_str(), AgentRole::Worker)
            .capability_set(set_of(*capabilities))
            .concurrency(*concurrency);
        if *in_process {
            spec = spec.in_process(self.puppet.clone());
        }
        let caller = &self.world.callers[caller % self.world.callers.len()];
        match caller.register_agent(spec).await {
            Ok(id) => {
                self.ceilings.insert(id, *concurrency);
                "registered".to_owned()
            }
            Err(refused) => match refused.reason() {
                RegisterRefusal::Vetoed(veto) => format!("vetoed {} {}", veto.plugin, veto.code),
                RegisterRefusal::Duplicate { .. } => "duplicate".to_owned(),
                other => format!("{other:?}"),
            },
        }
    }

    async fn call_agent(&self, id: &AgentId, call: AgentCall) -> String {
        let o = self.o();
        let called = match call {
            AgentCall::Deregister => o.deregister_agent(id).await,
            AgentCall::Sleep => o.sleep_agent(id).await,
            AgentCall::Wake => o.wake_agent(id).await,
            AgentCall::Drain => o.drain_agent(id).await,
            AgentCall::Quarantine => o.quarantine_agent(id, "told to").await,
            AgentCall::Release => o.release_agent(id).await,
            AgentCall::Heartbeat => o.heartbeat(id).await,
        };
        format!("{called:?}")
    }

    /// Reports twice: the second is refused whatever the first came to.
    async fn report(&mut self, n: usize, told: Told, later: u32) -> Result<String, TestCaseError> {
        let count = self.handed_out.len().max(1);
        let Some(delegation) = self.handed_out.get(n % count) else {
            return Ok("nothing to report".to_owned());
        };
        let (task, agent) = (delegation.task().clone(), delegation.agent().clone());
        let sent = Delegation::new(task.clone(), agent, delegation.attempt() + later);
        let first = self.tell(&sent, told).await;
        if told == Told::Done && first.is_ok() {
            *self.succeeded.entry(task.clone()).or_default() += 1;
            prop_assert_eq!(self.succeeded[&task], 1, "{} completed again", task);
        }
        let text = report_text(first);
        let second = self.tell(&sent, told).await;
        prop_assert!(second.is_err(), "{sent:?} was reported twice");
        Ok(format!("{task} {later} {text} {}", report_text(second)))
    }

    async fn tell(&self, delegation: &Delegation, told: Told) -> Result<(), ReportError> {
        let o = self.o();
        match told {
            Told::Done => {
                o.complete_task(delegation, json!("done as it was asked"))
                    .await
            }
            Told::Retryable => {
                o.fail_task(delegation, TaskFailure::retryable("told to"))
                    .await
            }
            Told::Permanent => {
                o.fail_task(delegation, TaskFailure::permanent("told to"))
                    .await
            }
        }
    }

    fn task(&mut self, plan: &Plan) -> (Task, TaskId) {
        self.serial += 1;
        let id = match plan.again {
            Some(n) if !self.given.is_empty() => self.given[n % self.given.len()].clone(),
            _ => TaskId::new(format!("t{}", self.serial)).expect("the text is an id"),
        };
        let keys = (0..plan.keys).map(|n| (format!("k{n}"), json!(self.serial)));
        let mut task = Task::new(KINDS[plan.kind])
            .id(id.clone())
            .requires_set(set_of(plan.required))
            .priority(Priority::ALL[plan.level])
            .payload(Value::Object(keys.collect::<Map<_, _>>()))
            .retry(RetryPolicy::immediate(plan.attempts));
        if let Some(ms) = plan.deadline {
            task = task.deadline_in(Duration::from_millis(ms));
        }
        if plan.delay > 0 {
            task = task.delay(Duration::from_millis(plan.delay));
        }
        if plan.tenant {
            task = task.tenant("acme");
        }
        if let Some(session) = plan.session {
            task = task
                .metadata("context.session", SESSIONS[session])
                .metadata("context.query", "what came of it");
        }
        (task, id)
    }

    /// Promises 1 and 5.
    fn check(&mut self) -> Checked {
        let status = self.o().status();
        let tasks = &status.tasks;
        let terminal =
            tasks.succeeded + tasks.failed + tasks.timed_out + tasks.cancelled + tasks.rejected;
        let live = tasks.queued + tasks.assigned + tasks.running;
        prop_assert_eq!(tasks.active, live, "{:?}", tasks);
        prop_assert_eq!(tasks.accepted, live + terminal, "{:?}", tasks);
        let submitted = self.world.recorder.count(HookPoint::Submit) as u64;
        prop_assert_eq!(tasks.accepted, submitted, "accepted and seen");
        for plugin in &status.plugins {
            prop_assert_eq!(plugin.faults, 0, "hooks of {}: {:?}", plugin.name, plugin);
        }
        for agent in self.o().agents(&AgentFilter::all()) {
            let own = self.ceilings.get(&agent.id).copied().unwrap_or_default();
            let limited = self.plugins.contains(&"automation")
                && agent.capabilities.contains(CAPABILITIES[0]);
            let ceiling = match limited {
                true => own.max(LIMITER_MAX),
                false => own,
            };
            prop_assert!(
                agent.in_flight + agent.zombies <= ceiling,
                "{} of {ceiling} slots: {agent:?}",
                agent.in_flight + agent.zombies
            );
        }
        Ok(())
    }

    /// Everything has ended once, no task holds a slot, and every plugin has stopped.
    fn check_end(&self, stuck: &[impl std::fmt::Debug]) -> Checked {
        prop_assert!(stuck.is_empty(), "{stuck:?}");
        let status = self.o().status();
        let tasks = &status.tasks;
        prop_assert_eq!(tasks.active, 0, "live after the end: {:?}", tasks);
        prop_assert_eq!(status.agents.busy, 0);
        for agent in self.o().agents(&AgentFilter::all()) {
            // What agents outside of this process were cancelled at holds its slot until its lease ends, and leases end no more.
            let zombies = if agent.in_process { agent.zombies } else { 0 };
            prop_assert_eq!((agent.in_flight, zombies), (0, 0), "{:?}", agent);
        }
        let mut ends: BTreeMap<TaskId, Vec<TaskState>> = BTreeMap::new();
        for seen in self.world.recorder.seen() {
            let Some(task) = seen.task else { continue };
            if seen.point == HookPoint::Submit {
                ends.insert(task, Vec::new());
            } else if let Some(state) = seen.state {
                let of_task = ends.get_mut(&task);
                prop_assert!(of_task.is_some(), "{task} ended and was never accepted");
                of_task.into_iter().for_each(|ends| ends.push(state));
            }
        }
        prop_assert_eq!(ends.len() as u64, tasks.accepted);
        for (task, ends) in &ends {
            prop_assert_eq!(ends.len(), 1, "{} ended as {:?}", task, ends);
        }
        for given in &self.given {
            prop_assert!(ends.contains_key(given), "{given} was lost");
        }
        for task in self.succeeded.keys() {
            prop_assert_eq!(&ends[task], &[TaskState::Succeeded], "{}", task);
        }
        Ok(())
    }
}

fn agent_id(agent: usize) -> AgentId {
    AgentId::new(format!("a{agent}")).expect("the text is an id")
}

fn set_of(bits: u8) -> CapabilitySet {
    let names = (0..3).filter(|c| bits & (1 << c) != 0);
    CapabilitySet::new(names.map(|c| CAPABILITIES[c])).expect("the literals are capabilities")
}

/// Promise 4: what is refused comes back as it was given.
fn refusal(given: &Task, refused: Refused) -> Result<String, TestCaseError> {
    let text = match refused.reason() {
        Refusal::Vetoed(veto) => format!("vetoed {} {}", veto.plugin, veto.code),
        other => other.as_str().to_owned(),
    };
    let back = refused.into_task();
    let parts = |task: &Task| {
        let metadata = task.metadata_entries();
        (
            task.chosen_id().cloned(),
            task.task_type().cloned(),
            task.required().clone(),
            task.payload_value().clone(),
            metadata
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<Vec<_>>(),
        )
    };
    prop_assert_eq!(parts(&back), parts(given), "refused: {}", text);
    Ok(text)
}

fn report_text(called: Result<(), ReportError>) -> String {
    match called {
        Ok(()) => "ok".to_owned(),
        Err(ReportError::AlreadyOver { state, .. }) => format!("already over {}", state.as_str()),
        Err(error) => error.to_string(),
    }
}
