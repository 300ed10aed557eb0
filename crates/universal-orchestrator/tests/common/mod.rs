//! What the behaviour tests share: agents that do little, and a plugin whose hooks are closures.

#![allow(
    dead_code,
    reason = "each test binary compiles this module and uses a part of it"
)]

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use universal_orchestrator::plugin::{
    GuardCall, HookContext, HookPoint, HookSet, Observed, Plugin, PluginContext, PluginError,
    PluginHealth, PluginManifest, PluginSection, Shape, ShapeCall, Stage, Verdict,
};
use universal_orchestrator::{
    Agent, AgentError, AgentId, AgentRole, AgentSpec, OrchestratorConfig, Task, TaskContext,
    TaskId, UniversalOrchestrator, agent_fn, async_trait,
};

/// An orchestrator with the defaults and no plugin.
pub(crate) async fn plain() -> UniversalOrchestrator {
    with_config(|_| {}).await
}

/// An orchestrator without plugins whose configuration differs from the defaults.
pub(crate) async fn with_config(
    change: impl FnOnce(&mut OrchestratorConfig),
) -> UniversalOrchestrator {
    let mut config = OrchestratorConfig::default();
    change(&mut config);
    UniversalOrchestrator::builder()
        .without_linked_plugins()
        .config(config)
        .start()
        .await
        .expect("the changed configuration is valid")
}

/// An orchestrator with plugins.
pub(crate) async fn with_plugins(
    change: impl FnOnce(&mut OrchestratorConfig),
    plugins: Vec<(PluginManifest, Hooked)>,
) -> UniversalOrchestrator {
    let mut config = OrchestratorConfig::default();
    change(&mut config);
    let mut builder = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .config(config);
    for (manifest, plugin) in plugins {
        builder = builder.plugin(manifest, plugin);
    }
    builder.start().await.expect("the plugins start")
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn aid(id: &str) -> AgentId {
    AgentId::new(id).expect("tests use well-formed ids")
}

pub(crate) fn tid(id: &str) -> TaskId {
    TaskId::new(id).expect("tests use well-formed ids")
}

/// An external agent.
pub(crate) fn external(id: &str, capabilities: &[&str]) -> AgentSpec {
    AgentSpec::new(id, AgentRole::Worker).capabilities(capabilities)
}

/// An in-process agent.
pub(crate) fn worker(id: &str, capabilities: &[&str], agent: impl Agent) -> AgentSpec {
    external(id, capabilities).in_process(agent)
}

/// Returns its payload.
pub(crate) fn echo() -> impl Agent {
    agent_fn(|value: Value, _: TaskContext| async move { Ok::<_, AgentError>(value) })
}

/// Sleeps as many milliseconds as its payload says, and returns them.
pub(crate) fn sleeper() -> impl Agent {
    agent_fn(|millis: u64, _: TaskContext| async move {
        tokio::time::sleep(ms(millis)).await;
        Ok::<_, AgentError>(millis)
    })
}

/// Never returns, and does not look at its cancellation.
pub(crate) fn stuck() -> impl Agent {
    agent_fn(|_: Value, _: TaskContext| async move {
        std::future::pending::<()>().await;
        Ok::<_, AgentError>(())
    })
}

/// Fails with a retryable error as often as its payload says, then succeeds with the number of its attempt.
pub(crate) fn flaky() -> impl Agent {
    agent_fn(|failures: u32, context: TaskContext| async move {
        if context.attempt() <= failures {
            return Err(AgentError::retryable("not yet"));
        }
        Ok(context.attempt())
    })
}

/// A task that requires one capability.
pub(crate) fn task(capability: &str) -> Task {
    Task::new("test").requires([capability])
}

/// What was seen, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn push(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

type ShapeFn = Box<dyn Fn(&HookContext<'_>, &ShapeCall<'_>) -> Shape + Send + Sync>;
type GuardFn = Box<dyn Fn(&HookContext<'_>, &GuardCall<'_>) -> Verdict + Send + Sync>;
type ObserveFn = Box<dyn Fn(&HookContext<'_>, &Observed<'_>) + Send + Sync>;
type StartFn = Box<dyn Fn(PluginContext) -> Result<(), PluginError> + Send + Sync>;

/// A plugin whose hooks are closures.
#[derive(Default)]
pub(crate) struct Hooked {
    shape: Option<ShapeFn>,
    guard: Option<GuardFn>,
    observe: Option<ObserveFn>,
    start: Option<StartFn>,
    start_takes: Duration,
    stop: Option<(Log, &'static str, Duration)>,
    health: Option<PluginHealth>,
    reconfigure: Option<Log>,
}

impl Hooked {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn shape(
        mut self,
        hook: impl Fn(&HookContext<'_>, &ShapeCall<'_>) -> Shape + Send + Sync + 'static,
    ) -> Self {
        self.shape = Some(Box::new(hook));
        self
    }

    pub(crate) fn guard(
        mut self,
        hook: impl Fn(&HookContext<'_>, &GuardCall<'_>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        self.guard = Some(Box::new(hook));
        self
    }

    pub(crate) fn observe(
        mut self,
        hook: impl Fn(&HookContext<'_>, &Observed<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.observe = Some(Box::new(hook));
        self
    }

    pub(crate) fn on_start(
        mut self,
        hook: impl Fn(PluginContext) -> Result<(), PluginError> + Send + Sync + 'static,
    ) -> Self {
        self.start = Some(Box::new(hook));
        self
    }

    pub(crate) fn start_takes(mut self, time: Duration) -> Self {
        self.start_takes = time;
        self
    }

    pub(crate) fn on_stop(mut self, log: &Log, name: &'static str, takes: Duration) -> Self {
        self.stop = Some((log.clone(), name, takes));
        self
    }

    pub(crate) fn with_health(mut self, health: PluginHealth) -> Self {
        self.health = Some(health);
        self
    }

    pub(crate) fn on_reconfigure(mut self, log: &Log) -> Self {
        self.reconfigure = Some(log.clone());
        self
    }

    /// Logs every hook as `stage point name` and lets everything through.
    pub(crate) fn logging(log: &Log, name: &'static str) -> Self {
        let (shapes, guards, seen) = (log.clone(), log.clone(), log.clone());
        Self::new()
            .shape(move |_, call| {
                shapes.push(format!("shape {} {name}", point_name(shape_point(call))));
                Shape::Keep
            })
            .guard(move |_, call| {
                guards.push(format!("guard {} {name}", point_name(guard_point(call))));
                Verdict::Allow
            })
            .observe(move |_, what| {
                seen.push(format!(
                    "observe {} {name}",
                    point_name(observe_point(what))
                ));
            })
    }
}

#[async_trait]
impl Plugin for Hooked {
    async fn start(&self, context: PluginContext) -> Result<(), PluginError> {
        tokio::time::sleep(self.start_takes).await;
        self.start.as_ref().map_or(Ok(()), |start| start(context))
    }

    async fn stop(&self) {
        if let Some((log, name, takes)) = &self.stop {
            log.push(format!("stop {name}"));
            tokio::time::sleep(*takes).await;
        }
    }

    fn shape(&self, context: &HookContext<'_>, call: &ShapeCall<'_>) -> Shape {
        self.shape
            .as_ref()
            .map_or(Shape::Keep, |hook| hook(context, call))
    }

    fn guard(&self, context: &HookContext<'_>, call: &GuardCall<'_>) -> Verdict {
        self.guard
            .as_ref()
            .map_or(Verdict::Allow, |hook| hook(context, call))
    }

    fn observe(&self, context: &HookContext<'_>, what: &Observed<'_>) {
        if let Some(hook) = &self.observe {
            hook(context, what);
        }
    }

    fn health(&self) -> PluginHealth {
        self.health.clone().unwrap_or_else(PluginHealth::healthy)
    }

    fn reconfigure(&self, section: &PluginSection) -> Result<(), PluginError> {
        let Some(log) = &self.reconfigure else {
            return Err(PluginError::NotReconfigurable);
        };
        let limits: std::collections::BTreeMap<String, u64> = section.parse()?;
        log.push(format!("{limits:?}"));
        Ok(())
    }
}

pub(crate) fn manifest(name: &'static str, hooks: HookSet) -> PluginManifest {
    PluginManifest::new(name, "a plugin of a test", hooks)
}

/// Every hook that exists.
pub(crate) fn all_hooks() -> HookSet {
    let mut hooks = HookSet::none().observe_all();
    for point in [HookPoint::Submit, HookPoint::Delegate, HookPoint::Start] {
        hooks = hooks.shape(point).guard(point);
    }
    hooks.guard(HookPoint::Register).guard(HookPoint::Retry)
}

pub(crate) fn point_name(point: HookPoint) -> String {
    format!("{point:?}").to_lowercase()
}

pub(crate) fn hook_name(stage: Stage, point: HookPoint) -> String {
    format!(
        "{} {}",
        format!("{stage:?}").to_lowercase(),
        point_name(point)
    )
}

pub(crate) fn shape_point(call: &ShapeCall<'_>) -> HookPoint {
    match call {
        ShapeCall::Submit { .. } => HookPoint::Submit,
        ShapeCall::Delegate { .. } => HookPoint::Delegate,
        ShapeCall::Start { .. } => HookPoint::Start,
        _ => unreachable!("there is no other shape hook"),
    }
}

pub(crate) fn guard_point(call: &GuardCall<'_>) -> HookPoint {
    match call {
        GuardCall::Register { .. } => HookPoint::Register,
        GuardCall::Submit { .. } => HookPoint::Submit,
        GuardCall::Delegate { .. } => HookPoint::Delegate,
        GuardCall::Start { .. } => HookPoint::Start,
        GuardCall::Retry { .. } => HookPoint::Retry,
        _ => unreachable!("there is no other guard hook"),
    }
}

pub(crate) fn observe_point(what: &Observed<'_>) -> HookPoint {
    match what {
        Observed::Registered { .. } => HookPoint::Register,
        Observed::Deregistered { .. } => HookPoint::Deregister,
        Observed::Submitted { .. } => HookPoint::Submit,
        Observed::Delegated { .. } => HookPoint::Delegate,
        Observed::Started { .. } => HookPoint::Start,
        Observed::Completed { .. } => HookPoint::Complete,
        Observed::Failed { .. } => HookPoint::Fail,
        Observed::Retrying { .. } => HookPoint::Retry,
        Observed::Cancelled { .. } => HookPoint::Cancel,
        Observed::HealthCheck => HookPoint::Health,
        Observed::Tick => HookPoint::Tick,
        Observed::Shutdown => HookPoint::Shutdown,
        _ => unreachable!("there is no other observe hook"),
    }
}

/// Accepted tasks are live or terminal, none has vanished and none was counted twice; agents have no slot taken without a task.
pub(crate) fn check_conservation(o: &UniversalOrchestrator) {
    let t = o.status().tasks;
    assert_eq!(t.active, t.queued + t.assigned + t.running);
    assert_eq!(
        t.accepted,
        t.active + t.succeeded + t.failed + t.timed_out + t.cancelled + t.rejected
    );
}

/// Lets everything that is ready run; paused time does not move.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
