//! The plugin: its hooks hand what they see to the parts.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use universal_orchestrator::plugin::{
    GuardCall, HealthStatus, HookContext, HookPoint, HookSet, Observed, Plugin, PluginContext,
    PluginDescriptor, PluginError, PluginHealth, PluginManifest, PluginSection, Verdict,
};
use universal_orchestrator::{
    AgentId, Availability, CancellationToken, FailureKind, TaskOutcome, TaskRecord,
};

use crate::automation::{Automation, NAME};
use crate::config::{AutomationConfig, ConfigFault, When};
use crate::jobs;
use crate::metrics::{AutomationMetric, Metrics};
use crate::recovery::Failure;
use crate::rules::{Facts, TaskNumbers};
use crate::service::AutomationService;
use crate::settings::Settings;
use crate::sleep::WakeCause;

/// Entries of each list in the status.
const SHOWN: usize = 10;

/// The plugin `automation`.
#[derive(Debug)]
pub struct AutomationPlugin {
    inner: Arc<Automation>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl AutomationPlugin {
    /// Name, summary and hooks.
    pub const MANIFEST: PluginManifest = PluginManifest::new(
        NAME,
        "sleeps and wakes agents, breaks circuits, recovers, follows rules, limits, sheds and scales",
        HookSet::none()
            .guard(HookPoint::Submit)
            .observe(HookPoint::Submit)
            .observe(HookPoint::Register)
            .observe(HookPoint::Deregister)
            .observe(HookPoint::Complete)
            .observe(HookPoint::Fail)
            .observe(HookPoint::Retry)
            .observe(HookPoint::Cancel),
    )
    // What it does about a task has effects: nobody wakes agents or takes a probe who may not submit.
    .after_if_linked(&["security"])
    .example(include_str!("../example.toml"));

    /// Makes the plugin.
    ///
    /// # Errors
    /// [`ConfigFault`] names key, value and remedy.
    pub fn new(config: AutomationConfig) -> Result<Self, ConfigFault> {
        Ok(Self {
            inner: Arc::new(Automation::new(Settings::new(config)?)),
            stop: CancellationToken::new(),
            task: Mutex::new(None),
        })
    }

    fn section(section: &PluginSection) -> Result<Settings, PluginError> {
        let config: AutomationConfig = section.parse()?;
        Settings::new(config).map_err(|fault| PluginError::Section {
            plugin: NAME.to_owned(),
            text: fault.to_string(),
        })
    }
}

impl Drop for AutomationPlugin {
    fn drop(&mut self) {
        // An orchestrator that is dropped without a shutdown does not call `stop`.
        self.stop.cancel();
    }
}

fn build(section: &PluginSection) -> Result<Box<dyn Plugin>, PluginError> {
    Ok(Box::new(AutomationPlugin {
        inner: Arc::new(Automation::new(AutomationPlugin::section(section)?)),
        stop: CancellationToken::new(),
        task: Mutex::new(None),
    }))
}

/// What links in.
pub static AUTOMATION: PluginDescriptor = PluginDescriptor::new(AutomationPlugin::MANIFEST, build);

#[async_trait]
impl Plugin for AutomationPlugin {
    async fn start(&self, context: PluginContext) -> Result<(), PluginError> {
        let (sender, receiver) = mpsc::channel(self.inner.settings().config.jobs_max);
        let metrics = Metrics::new(Arc::clone(&context.metrics));
        if !self.inner.begin(context.control.clone(), metrics, sender) {
            return Err(PluginError::failed(
                "it was started before: make another one",
            ));
        }
        let service: Arc<dyn AutomationService> = Arc::<Automation>::clone(&self.inner);
        context.services.offer::<dyn AutomationService>(service);
        let weak = Arc::downgrade(&self.inner);
        let task = tokio::spawn(jobs::run(weak, self.stop.clone(), receiver));
        *self.task.lock() = Some(task);
        Ok(())
    }

    async fn stop(&self) {
        self.stop.cancel();
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the task of the plugin ended badly");
        }
    }

    fn guard(&self, _: &HookContext<'_>, call: &GuardCall<'_>) -> Verdict {
        match call {
            GuardCall::Submit { task } => self.inner.admit(task),
            _ => Verdict::Allow,
        }
    }

    fn observe(&self, context: &HookContext<'_>, what: &Observed<'_>) {
        let inner = &self.inner;
        match what {
            Observed::Registered { agent, .. } => inner.registered(agent),
            Observed::Deregistered { agent } => inner.deregistered(agent),
            Observed::Submitted { .. } => inner.accepted(),
            Observed::Completed { task, outcome } => inner.completed(task, outcome),
            Observed::Failed { task, outcome } => inner.failed(task, outcome, context.wall_time()),
            Observed::Retrying {
                task,
                delegation,
                failure,
                ..
            } => {
                let numbers = TaskNumbers {
                    attempts: delegation.attempt(),
                    ..TaskNumbers::default()
                };
                let agent = Some(delegation.agent());
                inner.attempt_failed(
                    task,
                    agent,
                    failure.kind(),
                    numbers,
                    context.wall_time(),
                    When::TaskRetrying,
                );
            }
            Observed::Cancelled { task, outcome } => inner.cancelled(task, outcome),
            _ => {}
        }
    }

    fn health(&self) -> PluginHealth {
        self.inner.health()
    }

    fn reconfigure(&self, section: &PluginSection) -> Result<(), PluginError> {
        self.inner.replace_settings(Self::section(section)?);
        Ok(())
    }
}

impl Automation {
    /// Sheds, breaks, and wakes whom the task needs.
    fn admit(&self, task: &TaskRecord) -> Verdict {
        let settings = self.settings();
        let priority = task.task().priority_level();
        let shedding = &settings.config.shedding;
        if shedding.enabled && !self.shedding.admit(shedding, priority) {
            self.count(AutomationMetric::Shed, priority.as_str());
            return Verdict::veto(
                "shed",
                format!(
                    "too much waits for tasks of priority {}: come back later, or with a higher priority",
                    priority.as_str()
                ),
            );
        }
        if settings.config.breakers.enabled
            && let Err(wait) = self.breakers.admit(task, self.now())
        {
            let name = task.task().task_type().map_or("", |name| name.as_str());
            let when = match wait.is_zero() {
                true => "its probes are under way, come back when they have ended".to_owned(),
                false => format!("come back in {} ms", wait.as_millis().max(1)),
            };
            return Verdict::veto(
                "breaker_open",
                format!("the breaker of task type {name} is open: {when}"),
            );
        }
        if let Some(agent) = self.sleepers.wanted_for(task.task().required()) {
            self.wake(&agent, WakeCause::Demand);
        }
        Verdict::Allow
    }

    fn accepted(&self) {
        if self.settings().config.shedding.enabled {
            self.shedding.accepted();
        }
    }

    fn registered(&self, agent: &AgentId) {
        let max = self.settings().config.agents_max;
        self.roster.entry(agent, max, self.now());
        if self.sleepers.count() > 0
            && let Some(view) = self.control().and_then(|control| control.agent(agent))
            && view.availability == Availability::Available
        {
            self.sleepers.came(&view.capabilities);
        }
        self.ask_rules_of(When::AgentRegistered, || Facts::of_agent(agent));
    }

    fn deregistered(&self, agent: &AgentId) {
        self.roster.remove(agent);
        self.sleepers.gone(agent);
        self.agent_left(agent);
        self.ask_rules_of(When::AgentDeregistered, || Facts::of_agent(agent));
    }

    /// Facts are gathered only when a rule wants them.
    fn ask_rules_of<'f>(&self, when: When, facts: impl FnOnce() -> Facts<'f>) {
        if !self.settings().rules(when).is_empty() {
            self.ask_rules(when, &facts());
        }
    }

    fn completed(&self, task: &TaskRecord, outcome: &TaskOutcome) {
        let settings = self.settings();
        let now = self.now();
        if settings.config.shedding.enabled {
            self.shedding.ended();
        }
        let took = outcome.run_time();
        if settings.config.breakers.enabled {
            self.record_type(task, &settings, now, true, took);
        }
        let mut numbers = TaskNumbers::of(outcome);
        if let Some(agent) = outcome.agent() {
            self.record_agent(agent, &settings, now, None, &mut numbers);
        }
        self.prove(task, outcome.agent());
        if !settings.rules(When::TaskCompleted).is_empty() {
            let facts = Facts::of_task(task, outcome.agent(), None, numbers);
            self.ask_rules(When::TaskCompleted, &facts);
        }
    }

    fn failed(&self, task: &TaskRecord, outcome: &TaskOutcome, wall_time: SystemTime) {
        if self.settings().config.shedding.enabled {
            self.shedding.ended();
        }
        let kind = outcome.failure_kind().unwrap_or(FailureKind::Permanent);
        let numbers = TaskNumbers::of(outcome);
        let (agent, when) = (outcome.agent(), When::TaskFailed);
        self.attempt_failed(task, agent, kind, numbers, wall_time, when);
    }

    fn attempt_failed(
        &self,
        task: &TaskRecord,
        agent: Option<&AgentId>,
        kind: FailureKind,
        mut numbers: TaskNumbers,
        wall_time: SystemTime,
        when: When,
    ) {
        let settings = self.settings();
        let now = self.now();
        // A retry after the first failure ends with an outcome of its own agent; an outcome that no agent had says nothing about one.
        let says_something = tells_of_work(kind);
        if settings.config.breakers.enabled {
            match says_something {
                true => self.record_type(task, &settings, now, false, numbers.run_time),
                false => self.breakers.give_back(task),
            }
        }
        if says_something && let Some(agent) = agent {
            self.record_agent(agent, &settings, now, Some(kind), &mut numbers);
        }
        self.recover(&Failure {
            task,
            agent,
            kind,
            wall_time,
        });
        if !settings.rules(when).is_empty() {
            let facts = Facts::of_task(task, agent, Some(kind), numbers);
            self.ask_rules(when, &facts);
        }
    }

    fn cancelled(&self, task: &TaskRecord, outcome: &TaskOutcome) {
        let settings = self.settings();
        if settings.config.shedding.enabled {
            self.shedding.ended();
        }
        self.breakers.give_back(task);
        if !settings.rules(When::TaskCancelled).is_empty() {
            let numbers = TaskNumbers::of(outcome);
            let facts = Facts::of_task(task, outcome.agent(), None, numbers);
            self.ask_rules(When::TaskCancelled, &facts);
        }
    }

    fn record_type(
        &self,
        task: &TaskRecord,
        settings: &Settings,
        now: Duration,
        success: bool,
        took: Duration,
    ) {
        let config = &settings.config.breakers;
        if self.breakers.record(task, config, now, success, took) {
            self.count(AutomationMetric::BreakerOpenings, "");
            let name = task.task().task_type().map_or("", |name| name.as_str());
            tracing::warn!(task_type = name, "the breaker of a task type opened");
        }
    }

    /// Adds an attempt to the figures of its agent, and what they say now to the numbers.
    fn record_agent(
        &self,
        agent: &AgentId,
        settings: &Settings,
        now: Duration,
        failure: Option<FailureKind>,
        numbers: &mut TaskNumbers,
    ) {
        let Some(entry) = self.roster.entry(agent, settings.config.agents_max, now) else {
            return;
        };
        // What is retried says nothing of how long the attempt took.
        let is_timed = !numbers.run_time.is_zero() || failure.is_none();
        let took = is_timed.then_some(numbers.run_time);
        let window_ms = settings.config.sleep.window_ms;
        let mut figures = entry.lock();
        figures
            .window
            .record(now, window_ms, failure.is_none(), took);
        figures.tokens = figures.tokens.saturating_add(numbers.tokens);
        if failure.is_none() {
            figures.failures_in_a_row = 0;
            figures.sleeps_in_a_row = 0;
        } else {
            figures.failures_in_a_row = figures.failures_in_a_row.saturating_add(1);
        }
        if let Some(took) = took {
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            figures.sample.calls += 1;
            figures.sample.nanos = figures.sample.nanos.saturating_add(nanos);
        }
        figures.sample.drops += u64::from(failure.is_some_and(is_overload));
        numbers.failures_in_a_row = figures.failures_in_a_row;
        if !settings.config.rules.is_empty() {
            let window = figures.window.figures(now, window_ms);
            numbers.agent_error_rate_percent = window.error_rate_percent;
        }
    }

    fn health(&self) -> PluginHealth {
        let decisions = self.recovery.decisions();
        let sleeping = self.sleepers.all();
        let groups = self.scaling.views();
        let breakers = self.breakers.views(self.now(), SHOWN);
        let details = json!({
            "sleeping": sleeping.len(),
            "asleep": sleeping.iter().take(SHOWN).collect::<Vec<_>>(),
            "breakers": breakers,
            "plans_open": self.recovery.open_count(),
            "decisions": decisions.iter().take(SHOWN).collect::<Vec<_>>(),
            "shedding_level": self.shedding.level(),
            "shed": self.shedding.shed(),
            "groups": groups.iter().take(SHOWN).collect::<Vec<_>>(),
            "dropped": self.dropped(),
        });
        let waiting = decisions.len();
        let critical = u32::try_from(waiting).unwrap_or(u32::MAX);
        let health = match (waiting, self.shedding.level()) {
            (0, 0) => PluginHealth::healthy(),
            (0, level) => PluginHealth::of(
                HealthStatus::Degraded,
                format!("load is shed at level {level}"),
            ),
            _ => PluginHealth::of(
                HealthStatus::Degraded,
                format!("{waiting} questions wait for a human"),
            ),
        };
        health.critical_alerts(critical).details(details)
    }
}

/// Whether a failure says something about the work, and not about a decision or about what never began.
const fn tells_of_work(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Retryable
            | FailureKind::Permanent
            | FailureKind::Panicked
            | FailureKind::AgentLost
            | FailureKind::AttemptTimeout
            | FailureKind::IdleTimeout
            | FailureKind::ResultRefused
    )
}

/// Whether a failure is a sign that an agent has more than it can do.
const fn is_overload(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Retryable | FailureKind::AttemptTimeout | FailureKind::IdleTimeout
    )
}
