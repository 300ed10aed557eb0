//! The plugin's state, and what its parts share.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc;
use tokio::time::Instant;
use universal_orchestrator::plugin::{Control, ControlError};
use universal_orchestrator::{AgentFilter, AgentView, Principal};

use crate::breakers::TypeBreakers;
use crate::jobs::Job;
use crate::metrics::{AutomationMetric, Metrics};
use crate::recovery::Recovery;
use crate::roster::Roster;
use crate::scaling::Scaling;
use crate::settings::Settings;
use crate::shedding::Shedding;
use crate::sleep::{SleepHooks, Sleepers};
use crate::world::World;

/// The name of the plugin.
pub(crate) const NAME: &str = "automation";

/// What the plugin was given when it started.
struct Started {
    control: Control,
    metrics: Metrics,
    jobs: mpsc::Sender<Job>,
}

/// Everything that the plugin knows.
pub(crate) struct Automation {
    settings: RwLock<Arc<Settings>>,
    started: OnceLock<Started>,
    epoch: Instant,
    pub(crate) roster: Roster,
    pub(crate) sleepers: Sleepers,
    pub(crate) breakers: TypeBreakers,
    pub(crate) recovery: Recovery,
    pub(crate) scaling: Scaling,
    pub(crate) shedding: Shedding,
    sleep_hooks: RwLock<Option<Arc<dyn SleepHooks>>>,
    principal: RwLock<Option<Principal>>,
    /// Whether the last tick found the plugin switched on.
    is_on: AtomicBool,
    last_wall_ms: Mutex<Option<u64>>,
    dropped: AtomicU64,
}

impl Automation {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: RwLock::new(Arc::new(settings)),
            started: OnceLock::new(),
            epoch: Instant::now(),
            roster: Roster::default(),
            sleepers: Sleepers::default(),
            breakers: TypeBreakers::default(),
            recovery: Recovery::default(),
            scaling: Scaling::default(),
            shedding: Shedding::default(),
            sleep_hooks: RwLock::new(None),
            principal: RwLock::new(None),
            is_on: AtomicBool::new(true),
            last_wall_ms: Mutex::new(None),
            dropped: AtomicU64::new(0),
        }
    }

    /// Takes what the plugin was started with; `false` when it was started before.
    pub(crate) fn begin(
        &self,
        control: Control,
        metrics: Metrics,
        jobs: mpsc::Sender<Job>,
    ) -> bool {
        let started = Started {
            control,
            metrics,
            jobs,
        };
        self.started.set(started).is_ok()
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read())
    }

    /// Takes another configuration. Breakers begin anew, because their settings may differ.
    pub(crate) fn replace_settings(&self, settings: Settings) {
        let before = std::mem::replace(&mut *self.settings.write(), Arc::new(settings));
        let after = self.settings();
        if before.config.breakers != after.config.breakers {
            self.breakers.clear();
        }
        if !after.config.shedding.enabled {
            self.shedding.reset();
        }
    }

    /// Time since the plugin was made.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(crate) fn control(&self) -> Option<&Control> {
        self.started.get().map(|started| &started.control)
    }

    /// Sends a command. One that finds no room is counted, and what wanted it asks again at a later tick.
    pub(crate) fn command(&self, send: impl FnOnce(&Control) -> Result<(), ControlError>) -> bool {
        let sent = self.control().is_some_and(|control| send(control).is_ok());
        if !sent {
            self.drop_one("command");
        }
        sent
    }

    pub(crate) fn send_job(&self, job: Job) -> bool {
        let started = self.started.get();
        let sent = started.is_some_and(|started| started.jobs.try_send(job).is_ok());
        if !sent {
            self.drop_one("job");
        }
        sent
    }

    /// Counts what found no room within its limit.
    pub(crate) fn drop_one(&self, what: &'static str) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.count(AutomationMetric::Dropped, what);
    }

    /// What found no room, all kinds together.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed) + self.roster.untracked() + self.breakers.untracked()
    }

    pub(crate) fn count(&self, metric: AutomationMetric, label: &'static str) {
        if let Some(started) = self.started.get() {
            started.metrics.count(metric, label);
        }
    }

    fn set(&self, metric: AutomationMetric, value: usize) {
        if let Some(started) = self.started.get() {
            started.metrics.set(metric, value);
        }
    }

    pub(crate) fn notify(&self, text: String) -> bool {
        self.command(|control| control.notify(NAME, text))
    }

    pub(crate) fn sleep_hooks(&self) -> Option<Arc<dyn SleepHooks>> {
        self.sleep_hooks.read().clone()
    }

    pub(crate) fn set_sleep_hooks(&self, hooks: Arc<dyn SleepHooks>) {
        *self.sleep_hooks.write() = Some(hooks);
    }

    /// In whose name rules submit.
    pub(crate) fn principal(&self) -> Principal {
        let own = self.principal.read().clone();
        own.unwrap_or_else(|| Principal::from(self.settings().config.principal.clone()))
    }

    pub(crate) fn set_principal(&self, principal: Principal) {
        *self.principal.write() = Some(principal);
    }

    /// One look at agents and queue, and what follows from it.
    pub(crate) fn tick(&self) {
        let Some(control) = self.control() else {
            return;
        };
        let Some(status) = control.status() else {
            return;
        };
        let wall_ms = status.timestamp_ms;
        let last_wall_ms = self.last_wall_ms.lock().replace(wall_ms).unwrap_or(wall_ms);
        let is_on = status.plugins.iter().any(|p| p.name == NAME && p.enabled);
        let was_on = self.is_on.swap(is_on, Ordering::Relaxed);
        if !is_on {
            if was_on || self.sleepers.count() > 0 {
                self.wake_all();
                self.shedding.reset();
            }
            return;
        }
        let settings = self.settings();
        let views = match self.looks_at_agents(&settings) {
            true => control.agents(&AgentFilter::all().limit(settings.config.agents_max)),
            false => Vec::new(),
        };
        let world = World {
            now: self.now(),
            wall_ms,
            last_wall_ms,
            settings: &settings,
            status: &status,
            by_id: World::index(&views),
            waiting: control.waiting(),
            views: &views,
        };
        self.act_on(&world);
        self.show();
    }

    /// Whether any part needs the list of agents, which takes the engine's lock.
    fn looks_at_agents(&self, settings: &Settings) -> bool {
        settings.config.sleep.enabled
            || settings.config.limiter.enabled
            || self.sleepers.count() > 0
            || self.scaling.has_groups()
    }

    fn act_on(&self, world: &World<'_>) {
        if !world.views.is_empty() {
            let max = world.settings.config.agents_max;
            self.roster.reconcile(world.views, max, world.now);
        }
        self.tick_sleep(world);
        self.tick_shedding(world);
        self.tick_limiter(world);
        self.tick_scaling(world);
        self.tick_recovery(world);
        self.tick_rules(world);
    }

    fn tick_shedding(&self, world: &World<'_>) {
        let config = &world.settings.config.shedding;
        if !config.enabled {
            return;
        }
        let before = self.shedding.level();
        let wait = u64::try_from(world.longest_wait().as_millis()).unwrap_or(u64::MAX);
        let depth = world.status.queue.depth;
        let level = self.shedding.look(config, depth, wait);
        if level != before {
            let text = match level {
                0 => "nothing is shed any more".to_owned(),
                _ => format!(
                    "{} priorities are shed: {depth} tasks wait, the first for {wait} ms",
                    ["no", "low", "low and medium", "low, medium and high"][usize::from(level)]
                ),
            };
            self.notify(text);
        }
    }

    fn tick_limiter(&self, world: &World<'_>) {
        let config = &world.settings.config.limiter;
        if !config.enabled {
            return;
        }
        let takes_part = |view: &&AgentView| {
            view.labels.get("automation_concurrency") == Some("auto")
                || config
                    .capabilities
                    .iter()
                    .any(|name| view.capabilities.contains(name))
        };
        for view in world.views.iter().filter(takes_part) {
            let Some(entry) = self.roster.get(&view.id) else {
                continue;
            };
            let mut figures = entry.lock();
            let sample = std::mem::take(&mut figures.sample);
            figures.sample.busy = view.busy;
            let slots = f64::from(view.concurrency.max(1));
            let tick = Duration::from_millis(world.settings.config.tick_ms).as_secs_f64();
            let busy = view.busy.saturating_sub(sample.busy).as_secs_f64();
            // What is still at work adds to `busy` when it ends.
            let utilization = (busy / (tick * slots)).max(f64::from(view.in_flight) / slots);
            let new = || crate::limiter::Limit::new(view.concurrency);
            let limit = figures.limit.get_or_insert_with(new);
            let slots = limit.update(config, sample, utilization);
            drop(figures);
            if slots == view.concurrency {
                continue;
            }
            let change = universal_orchestrator::AgentChange::new().concurrency(slots);
            if self.command(|control| control.update(&view.id, change)) {
                let direction = match slots > view.concurrency {
                    true => "up",
                    false => "down",
                };
                self.count(AutomationMetric::ConcurrencyChanges, direction);
            }
        }
    }

    fn show(&self) {
        self.set(AutomationMetric::Sleeping, self.sleepers.count());
        self.set(AutomationMetric::BreakersOpen, self.breakers.not_closed());
        self.set(AutomationMetric::Decisions, self.recovery.decisions().len());
    }
}

impl std::fmt::Debug for Automation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Automation")
    }
}
