//! Our side: an orchestrator with everything on that a production has on, and the agents and tasks of the benches.
//!
//! On are events with one subscriber, metrics with the recorder of `metrics-exporter-prometheus`, the history of finished
//! tasks and the status; limits are raised where a bench needs it; there is no plugin unless a bench says so.
//! The subscriber reads and the recorder tidies up between the samples, in [`World::tidy`], outside of the timed part: in a
//! program both happen in a task and a thread of their own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use universal_orchestrator::{
    Agent, AgentError, AgentRole, AgentSpec, CapabilitySet, Delegation, EventStream,
    OrchestratorBuilder, OrchestratorConfig, Principal, Priority, Task, TaskContext,
    UniversalOrchestrator, async_trait,
};

use crate::RoundTrip;

/// The capabilities of which each agent has four and each task needs two.
const CAPABILITIES: usize = 10;

/// All sets of four of the capabilities, in an order that spreads them.
static OF_AGENTS: LazyLock<Vec<[String; 4]>> = LazyLock::new(|| {
    let mut sets = Vec::new();
    for a in 0..CAPABILITIES {
        for b in a + 1..CAPABILITIES {
            for c in b + 1..CAPABILITIES {
                for d in c + 1..CAPABILITIES {
                    sets.push([a, b, c, d].map(|n| format!("capability-{n:02}")));
                }
            }
        }
    }
    spread(&sets, 97)
});

/// All sets of two of the capabilities: made once, as a caller does that has a few kinds of tasks.
static OF_TASKS: LazyLock<Vec<CapabilitySet>> = LazyLock::new(|| {
    let mut sets = Vec::new();
    for a in 0..CAPABILITIES {
        for b in a + 1..CAPABILITIES {
            let names = [a, b].map(|n| format!("capability-{n:02}"));
            sets.push(CapabilitySet::new(names).expect("the names are capabilities"));
        }
    }
    spread(&sets, 7)
});

/// Every `step`-th entry, round and round; `step` and the length have no common divisor.
fn spread<T: Clone>(sets: &[T], step: usize) -> Vec<T> {
    (0..sets.len())
        .map(|n| sets[n * step % sets.len()].clone())
        .collect()
}

/// The two capabilities that task `number` needs.
#[must_use]
pub fn required(number: u64) -> CapabilitySet {
    OF_TASKS[(number % OF_TASKS.len() as u64) as usize].clone()
}

/// The names of the four capabilities that agent `number` has.
#[must_use]
pub fn capabilities(number: usize) -> &'static [String; 4] {
    &OF_AGENTS[number % OF_AGENTS.len()]
}

/// The description of external agent `number`.
#[must_use]
pub fn spec(number: usize) -> AgentSpec {
    AgentSpec::new(format!("agent-{number:06}"), AgentRole::Worker)
        .capabilities(capabilities(number))
}

/// As [`spec`], with a capability that nobody else has: every agent is a class of its own.
#[must_use]
pub fn unique_spec(number: usize) -> AgentSpec {
    let own = format!("own-{number:06}");
    let names = capabilities(number).iter().chain(std::iter::once(&own));
    AgentSpec::new(format!("agent-{number:06}"), AgentRole::Worker).capabilities(names)
}

/// The agent of the benches: returns its payload.
#[derive(Debug, Clone, Copy)]
pub struct Echo;

#[async_trait]
impl Agent for Echo {
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError> {
        Ok(context.payload().clone())
    }
}

/// The default configuration with room for so many agents and so many tasks, queued and at work.
#[must_use]
pub fn config(agents: usize, tasks: usize) -> OrchestratorConfig {
    let mut config = OrchestratorConfig::default();
    config.max_agents = config.max_agents.max(agents);
    config.max_concurrent_tasks = config.max_concurrent_tasks.max(tasks);
    config.queue.max_tasks = config.queue.max_tasks.max(tasks);
    config
}

/// An orchestrator to be started, with a recorder and without linked plugins.
pub fn builder(config: OrchestratorConfig) -> (OrchestratorBuilder, PrometheusHandle) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let builder = UniversalOrchestrator::builder()
        .config(config)
        .without_linked_plugins()
        .metrics_recorder(recorder);
    (builder, metrics)
}

/// A running orchestrator with its subscriber and its metrics.
#[derive(Debug)]
pub struct World {
    orchestrator: UniversalOrchestrator,
    events: Mutex<EventStream>,
    metrics: PrometheusHandle,
}

impl World {
    /// Starts an orchestrator. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn start(config: OrchestratorConfig) -> Arc<Self> {
        Self::start_with(config, |builder| builder).await
    }

    /// As [`World::start`], with something added to the builder.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn start_with(
        config: OrchestratorConfig,
        add: impl FnOnce(OrchestratorBuilder) -> OrchestratorBuilder,
    ) -> Arc<Self> {
        let (builder, metrics) = builder(config);
        let orchestrator = add(builder).start().await.expect("the defaults are valid");
        Self::of(orchestrator, metrics)
    }

    /// What is called through this handle.
    ///
    /// # Panics
    ///
    /// Panics when the principal is none.
    #[must_use]
    pub fn called_by(&self, principal: Principal) -> Arc<Self> {
        let orchestrator = self.orchestrator.as_principal(principal);
        Self::of(
            orchestrator.expect("a principal is one"),
            self.metrics.clone(),
        )
    }

    fn of(orchestrator: UniversalOrchestrator, metrics: PrometheusHandle) -> Arc<Self> {
        let events = Mutex::new(orchestrator.events());
        Arc::new(Self {
            orchestrator,
            events,
            metrics,
        })
    }

    /// The orchestrator.
    #[must_use]
    pub const fn orchestrator(&self) -> &UniversalOrchestrator {
        &self.orchestrator
    }

    /// Registers agents.
    ///
    /// # Panics
    ///
    /// Panics when one is refused.
    pub async fn register(&self, specs: impl IntoIterator<Item = AgentSpec>) {
        for spec in specs {
            self.orchestrator
                .register_agent(spec)
                .await
                .expect("the agents are valid and there is room");
        }
    }

    /// What happens beside a program's work: the subscriber reads what is left for it, the recorder merges its samples.
    ///
    /// # Panics
    ///
    /// Panics when an earlier call did.
    pub fn tidy(&self) {
        let mut events = self.events.lock().expect("no call panics");
        while events.try_next().is_some() {}
        self.metrics.run_upkeep();
    }
}

/// Delegates and completes on external agents, of which a quarter have a task at any time.
#[derive(Debug)]
pub struct Cycle {
    world: Arc<World>,
    in_flight: VecDeque<Delegation>,
    next: u64,
}

impl Cycle {
    /// Registers `agents` agents and gives a quarter of them a task.
    ///
    /// # Panics
    ///
    /// Panics when an agent or a task is refused.
    pub async fn with_agents(
        world: Arc<World>,
        agents: usize,
        spec: impl Fn(usize) -> AgentSpec,
    ) -> Self {
        world.register((0..agents).map(spec)).await;
        let mut cycle = Self {
            world,
            in_flight: VecDeque::with_capacity(agents / 4 + 1),
            next: 0,
        };
        for _ in 0..agents / 4 {
            cycle.delegate().await;
        }
        cycle
    }

    /// Where it runs.
    #[must_use]
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }

    async fn delegate(&mut self) {
        let number = self.next;
        self.next += 1;
        let task = Task::new("bench")
            .requires_set(required(number))
            .payload(number);
        let delegation = self
            .world
            .orchestrator
            .delegate_task(task)
            .await
            .expect("an agent is free");
        self.in_flight.push_back(delegation);
    }

    /// Delegates one task and completes the one that has been in flight for longest.
    ///
    /// # Panics
    ///
    /// Panics when the task or the report is refused.
    pub async fn step(&mut self) {
        self.delegate().await;
        if let Some(oldest) = self.in_flight.pop_front() {
            self.world
                .orchestrator
                .complete_task(&oldest, self.next)
                .await
                .expect("the report names the current attempt");
        }
    }

    /// Makes `steps` steps, returns the time that they took, and tidies up after it.
    ///
    /// # Panics
    ///
    /// Panics when a step does, or the orchestrator has not counted every completion as a success.
    pub async fn run(&mut self, steps: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..steps {
            self.step().await;
        }
        let took = start.elapsed();
        let tasks = self.world.orchestrator.status().tasks;
        assert_eq!(
            tasks.succeeded + self.in_flight.len() as u64,
            self.next,
            "every task was completed or is in flight"
        );
        self.world.tidy();
        took
    }
}

/// Runs a cycle's steps in a task on the runtime, and puts the cycle back.
///
/// # Panics
///
/// Panics when a step does, or there is no cycle.
pub fn run_on(rt: &Runtime, cycle: &mut Option<Cycle>, steps: u64) -> Duration {
    let mut taken = cycle.take().expect("the last sample put it back");
    let (took, taken) = rt
        .block_on(rt.spawn(async move { (taken.run(steps).await, taken) }))
        .expect("a step must not panic");
    *cycle = Some(taken);
    took
}

/// Executes no-ops on in-process agents.
#[derive(Debug, Clone)]
pub struct Execute {
    world: Arc<World>,
}

impl Execute {
    /// Starts an orchestrator with `agents` agents. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn setup(agents: usize) -> Self {
        Self::with_config(config(agents, 1_000), agents).await
    }

    /// As [`Execute::setup`], with another configuration.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn with_config(config: OrchestratorConfig, agents: usize) -> Self {
        let world = World::start(config).await;
        world
            .register((0..agents).map(|number| spec(number).in_process(Echo)))
            .await;
        Self { world }
    }

    /// Where it runs.
    #[must_use]
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }
}

impl RoundTrip for Execute {
    async fn call(&mut self, input: u64) -> u64 {
        let task = Task::new("bench")
            .requires_set(required(input))
            .payload(input);
        let outcome = self
            .world
            .orchestrator
            .execute(task)
            .await
            .expect("the task is accepted");
        outcome
            .result()
            .as_u64()
            .expect("the agent returns its payload")
    }
}

/// Queues tasks for in-process agents that count down.
#[derive(Debug, Clone)]
pub struct Drain {
    world: Arc<World>,
    countdown: Arc<Countdown>,
}

/// What is left of a round.
#[derive(Debug, Default)]
struct Countdown {
    left: AtomicUsize,
    sum: AtomicUsize,
    done: Notify,
}

struct Counting(Arc<Countdown>);

#[async_trait]
impl Agent for Counting {
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError> {
        let number = context.payload().as_u64().expect("the payload is a number");
        self.0.sum.fetch_add(number as usize, Ordering::Relaxed);
        if self.0.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.done.notify_one();
        }
        Ok(context.payload().clone())
    }
}

impl Drain {
    /// Starts an orchestrator with `agents` agents and room for `tasks` tasks. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn setup(agents: usize, tasks: usize) -> Self {
        let world = World::start(config(agents, tasks)).await;
        let countdown = Arc::new(Countdown::default());
        let specs = (0..agents).map(|n| spec(n).in_process(Counting(Arc::clone(&countdown))));
        world.register(specs).await;
        Self { world, countdown }
    }

    /// Submits `tasks` tasks, spread over the priorities, and returns the time from the first submit until the last has been
    /// run.
    ///
    /// Runs in a task on the runtime, one round at a time.
    ///
    /// # Panics
    ///
    /// Panics when a task is refused, or the agents have not seen each payload once.
    pub async fn submit_drain(&self, tasks: usize) -> Duration {
        self.countdown.left.store(tasks, Ordering::Release);
        self.countdown.sum.store(0, Ordering::Release);
        let start = Instant::now();
        for number in 0..tasks {
            let task = Task::new("bench")
                .requires_set(required(number as u64))
                .priority(Priority::ALL[number % Priority::ALL.len()])
                .payload(number);
            let handle = self
                .world
                .orchestrator
                .submit_task(task)
                .await
                .expect("the queue has room");
            // Nobody waits for a single task here; it goes on without its handle.
            drop(handle);
        }
        while self.countdown.left.load(Ordering::Acquire) > 0 {
            self.countdown.done.notified().await;
        }
        let took = start.elapsed();
        let sum = self.countdown.sum.load(Ordering::Acquire);
        assert_eq!(sum, tasks * (tasks - 1) / 2, "each payload was seen once");
        self.world.tidy();
        took
    }
}

/// Registers `count` agents with a new orchestrator and deregisters them; returns the time of each. Runs inside the runtime.
///
/// The descriptions are made before, the orchestrator is dropped after.
///
/// # Panics
///
/// Panics when an agent is refused, or unknown when it leaves.
pub async fn register_deregister(count: usize) -> (Duration, Duration) {
    let specs: Vec<AgentSpec> = (0..count).map(spec).collect();
    let mut ids = Vec::with_capacity(count);
    let world = World::start(config(count, 1_000)).await;
    let start = Instant::now();
    for spec in specs {
        let id = world.orchestrator.register_agent(spec).await;
        ids.push(id.expect("the agents are valid and there is room"));
    }
    let registered = start.elapsed();
    let start = Instant::now();
    for id in &ids {
        let left = world.orchestrator.deregister_agent(id).await;
        left.expect("the agent is registered");
    }
    (registered, start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drive, runtime};

    #[test]
    fn every_agent_has_four_of_ten_and_every_task_needs_two_that_somebody_has() {
        assert_eq!(OF_AGENTS.len(), 210);
        assert_eq!(OF_TASKS.len(), 45);
        let first_fifty: Vec<CapabilitySet> = (0..50)
            .map(|n| CapabilitySet::new(capabilities(n)).expect("valid"))
            .collect();
        for number in 0..45 {
            let able =
                |set: &&CapabilitySet| required(number).iter().all(|c| set.contains(c.as_str()));
            assert!(first_fifty.iter().filter(able).count() > 2, "task {number}");
        }
    }

    #[test]
    fn the_contestants_of_ours_answer() {
        let rt = runtime();
        for unique in [false, true] {
            let spec = if unique { unique_spec } else { spec };
            let mut cycle = Some(rt.block_on(async {
                Cycle::with_agents(World::start(config(50, 50)).await, 50, spec).await
            }));
            let _ = run_on(&rt, &mut cycle, 3_000);
        }
        let op = rt.block_on(Execute::setup(50));
        for in_flight in [1, 256] {
            let _ = drive(&rt, 2_000, in_flight, &op);
        }
        let queue = rt.block_on(Drain::setup(50, 5_000));
        for _ in 0..2 {
            let timed = queue.clone();
            let _ = rt.block_on(async move { timed.submit_drain(5_000).await });
        }
        let _ = rt.block_on(register_deregister(50));
    }
}
