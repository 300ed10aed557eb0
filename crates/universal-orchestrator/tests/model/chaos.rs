//! Callers that do anything at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use universal_orchestrator::{
    AccountId, Agent, AgentChange, AgentError, AgentId, AgentRole, AgentSpec, Amount, Limits,
    Priority, RetryPolicy, RunId, Task, TaskContext, TaskFailure, UniversalOrchestrator,
    async_trait,
};
use universal_orchestrator_testkit::{Answer, ExternalAgent, ScriptedAgent, Step};

/// SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Counts how many of its attempts really run at once: futures, not what the orchestrator believes.
struct Counted {
    inner: ScriptedAgent,
    running: AtomicUsize,
    concurrency: usize,
    overlaps: Arc<AtomicUsize>,
}

struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Agent for Counted {
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError> {
        let before = self.running.fetch_add(1, Ordering::SeqCst);
        let _running = Running(&self.running);
        if before >= self.concurrency {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.run(context).await
    }
}

/// What all callers share.
#[derive(Clone)]
pub(crate) struct World {
    orchestrator: UniversalOrchestrator,
    calls: Arc<AtomicUsize>,
    overlaps: Arc<AtomicUsize>,
    runs: Arc<Mutex<Vec<AccountId>>>,
}

impl World {
    pub(crate) fn new(orchestrator: UniversalOrchestrator) -> Self {
        Self {
            orchestrator,
            calls: Arc::default(),
            overlaps: Arc::default(),
            runs: Arc::default(),
        }
    }

    pub(crate) const fn orchestrator(&self) -> &UniversalOrchestrator {
        &self.orchestrator
    }

    pub(crate) fn calls_made(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn overlaps(&self) -> usize {
        self.overlaps.load(Ordering::SeqCst)
    }

    pub(crate) fn runs(&self) -> Vec<AccountId> {
        self.runs.lock().clone()
    }
}

const CAPABILITIES: [&str; 3] = ["x", "y", "z"];
const NAMES: u64 = 12;

/// One caller.
pub(crate) struct Chaos {
    world: World,
    random: Random,
    run: Option<RunId>,
}

impl Chaos {
    pub(crate) const fn new(world: World, random: Random) -> Self {
        Self {
            world,
            random,
            run: None,
        }
    }

    pub(crate) async fn run(&mut self, calls: usize) {
        for call in 0..calls {
            self.world.calls.fetch_add(1, Ordering::SeqCst);
            self.call(call).await;
            if call % 16 == 0 {
                self.check_status();
            }
        }
    }

    /// What a call came to does not matter here: refusals are part of it.
    async fn call(&mut self, call: usize) {
        let o = self.world.orchestrator.clone();
        match self.random.below(100) {
            _ if call < 6 => self.register().await,
            0..8 => self.register().await,
            8..11 => drop(o.deregister_agent(&self.name()).await),
            11..14 => drop(o.sleep_agent(&self.name()).await),
            14..20 => drop(o.wake_agent(&self.name()).await),
            20..22 => drop(o.quarantine_agent(&self.name(), "chaos").await),
            22..26 => drop(o.release_agent(&self.name()).await),
            26..27 => {
                let change = AgentChange::new().metadata(json!({"chaos": call}));
                drop(o.update_agent(&self.name(), change).await);
            }
            27..29 => self.open_run(call),
            29..45 => drop(o.submit_task(self.task()).await),
            45..50 => {
                if let Ok(handle) = o.submit_task(self.task()).await {
                    self.pause().await;
                    handle.cancel();
                }
            }
            50..70 => drop(tokio::time::timeout(self.moment(), o.execute(self.task())).await),
            70..72 => {
                // Dropped after its first poll.
                drop(o.execute(self.task()).now_or_never());
            }
            72..84 => {
                if let Ok(delegation) = o.delegate_task(self.task()).await {
                    let answer = self.answer();
                    let agent = ExternalAgent::new(o, delegation.agent().clone());
                    agent.answer(&delegation, &answer).await;
                }
            }
            84..85 => {
                o.pause_queue();
                self.pause().await;
                o.resume_queue();
            }
            _ => {
                let agent = ExternalAgent::new(o, self.name());
                let (wait, answer) = (self.moment(), self.answer());
                drop(agent.pull_and(wait, &answer).await);
            }
        }
    }

    fn check_status(&self) {
        let tasks = self.world.orchestrator.status().tasks;
        let terminal =
            tasks.succeeded + tasks.failed + tasks.timed_out + tasks.cancelled + tasks.rejected;
        assert_eq!(tasks.accepted, tasks.active + terminal, "{tasks:?}");
    }

    fn name(&mut self) -> AgentId {
        let n = self.random.below(NAMES);
        AgentId::new(format!("a{n}")).expect("the text is an id")
    }

    fn moment(&mut self) -> Duration {
        Duration::from_micros(self.random.below(3000))
    }

    async fn pause(&mut self) {
        for _ in 0..self.random.below(4) {
            tokio::task::yield_now().await;
        }
    }

    async fn register(&mut self) {
        let concurrency = 1 + self.random.below(4) as u32;
        let id = self.name();
        let capabilities = CAPABILITIES.iter().filter(|_| self.random.below(3) > 0);
        let capabilities: Vec<_> = capabilities.collect();
        let mut spec = AgentSpec::new(id.as_str(), AgentRole::Worker)
            .capabilities(capabilities)
            .concurrency(concurrency);
        if self.random.below(3) > 0 {
            spec = spec.in_process(Counted {
                inner: self.script(),
                running: AtomicUsize::new(0),
                concurrency: concurrency as usize,
                overlaps: Arc::clone(&self.world.overlaps),
            });
        }
        if self.random.below(5) == 0 {
            spec = spec.budget(Limits::unlimited().with_calls(200));
        }
        drop(self.world.orchestrator.register_agent(spec).await);
    }

    fn script(&mut self) -> ScriptedAgent {
        let tokens = |n| Amount::tokens(n);
        match self.random.below(14) {
            0 => ScriptedAgent::stalls(),
            1 => ScriptedAgent::stalls_forever(),
            2 => ScriptedAgent::panics(),
            3 => ScriptedAgent::fails(),
            4..6 => ScriptedAgent::fails_then_succeeds(1, 1),
            6..8 => ScriptedAgent::steps([Step::Charge(tokens(7)), Step::Yield(2)]),
            8 => ScriptedAgent::spends(tokens(5), tokens(9)),
            9..11 => ScriptedAgent::steps([
                Step::Progress(json!("half")),
                Step::Wait(Duration::from_micros(self.random.below(2000))),
            ]),
            _ => ScriptedAgent::succeeds(1),
        }
    }

    fn task(&mut self) -> Task {
        let required = CAPABILITIES.iter().filter(|_| self.random.below(3) == 0);
        let required: Vec<_> = required.collect();
        let mut task = Task::new("chaos")
            .requires(required)
            .priority(Priority::ALL[self.random.below(4) as usize]);
        if self.random.below(6) == 0 {
            task = task.retry(RetryPolicy::immediate(3));
        }
        if self.random.below(8) == 0 {
            task = task.deadline_in(Duration::from_millis(1 + self.random.below(20)));
        }
        if self.random.below(10) == 0 {
            task = task.concurrency_key(format!("k{}", self.random.below(3)));
        }
        if self.random.below(10) == 0 {
            task = task.delay(Duration::from_millis(self.random.below(5)));
        }
        if self.random.below(10) == 0 {
            task = task.budget(Limits::unlimited().with_tokens(self.random.below(20)));
        }
        if self.random.below(4) == 0 {
            task = task.tenant(format!("tenant{}", self.random.below(2)));
        }
        if let Some(run) = self.run.clone().filter(|_| self.random.below(3) == 0) {
            task = task
                .run(run.as_str())
                .estimate(Amount::tokens(self.random.below(10)));
        }
        task
    }

    fn answer(&mut self) -> Answer {
        match self.random.below(12) {
            0 => Answer::Never,
            1 => Answer::Twice(json!(1)),
            2 => Answer::Late(Duration::from_millis(self.random.below(4)), json!(1)),
            3 => Answer::AsStranger(self.name(), json!(1)),
            4 => Answer::Stale(json!(1)),
            5..7 => Answer::Fail(TaskFailure::retryable("chaos")),
            7 => Answer::Fail(TaskFailure::permanent("chaos")),
            _ => Answer::Succeed(json!(1)),
        }
    }

    fn open_run(&mut self, call: usize) {
        let name = format!("run-{call}-{}", self.random.below(u64::MAX));
        let run = RunId::new(name).expect("the text is an id");
        let limits = Limits::unlimited()
            .with_tokens(self.random.below(200))
            .with_calls(self.random.below(60));
        if self.world.orchestrator.open_run(&run, limits).is_ok() {
            self.world.runs.lock().push(AccountId::Run(run.clone()));
            self.run = Some(run);
        }
    }
}
