//! Sleep and wake.

mod cron;
mod hooks;
mod sleepers;
mod triggers;

pub(crate) use cron::Cron;
pub use hooks::SleepHooks;
pub(crate) use sleepers::Sleepers;
pub use sleepers::{SleepReason, SleepingAgent};

use std::time::Duration;

use hashbrown::HashMap;
use universal_orchestrator::{AgentFilter, AgentId, AgentView, Availability};

use crate::automation::Automation;
use crate::config::ScheduleConfig;
use crate::jobs::Job;
use crate::metrics::AutomationMetric;
use crate::world::World;

/// A schedule, parsed.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    sleep: Cron,
    wake: Cron,
    capability: Option<String>,
}

impl Schedule {
    /// `None` for one that validation would have refused.
    pub(crate) fn new(config: &ScheduleConfig) -> Option<Self> {
        Some(Self {
            sleep: Cron::parse(&config.sleep).ok()?,
            wake: Cron::parse(&config.wake).ok()?,
            capability: config.capability.clone(),
        })
    }
}

/// Why an agent is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WakeCause {
    /// It has slept long enough.
    Due,
    /// Work waits that no agent that is awake can do.
    Demand,
    /// A schedule says so.
    Schedule,
    /// A rule says so.
    Rule,
    /// The plugin was switched off.
    SwitchedOff,
}

impl WakeCause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Demand => "demand",
            Self::Schedule => "schedule",
            Self::Rule => "rule",
            Self::SwitchedOff => "switched_off",
        }
    }
}

impl SleepReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Inactivity => "inactivity",
            Self::Schedule => "schedule",
            Self::Degradation => "degradation",
            Self::ErrorRate => "error_rate",
            Self::Resources => "resources",
            Self::Recovery => "recovery",
            Self::Rule => "rule",
        }
    }
}

impl Automation {
    /// One tick: who has slept long enough wakes, then whom work waits for, then the triggers.
    pub(crate) fn tick_sleep(&self, world: &World<'_>) {
        self.reconcile_sleepers(&world.by_id);
        for agent in self.sleepers.due(world.now) {
            self.wake(&agent, WakeCause::Due);
        }
        for schedule in &world.settings.schedules {
            if schedule
                .wake
                .fires_within(world.last_wall_ms, world.wall_ms)
            {
                let asleep = self.sleepers.scheduled(schedule.capability.as_deref());
                for agent in asleep {
                    self.wake(&agent, WakeCause::Schedule);
                }
            }
        }
        for waiting in &world.waiting {
            if let Some(agent) = self.sleepers.wanted_by(waiting, &world.by_id) {
                self.wake(&agent, WakeCause::Demand);
            }
        }
        if world.settings.config.sleep.enabled {
            self.pull_triggers(world);
        }
    }

    /// Puts an agent to sleep: after its checkpoint, when hooks are registered, else at once.
    pub(crate) fn sleep(
        &self,
        view: &AgentView,
        reason: SleepReason,
        length: Option<Duration>,
    ) -> bool {
        let max = self.settings().config.sleep.sleeping_max;
        if !self.sleepers.begin(&view.id, max) {
            return false;
        }
        let agent = view.id.clone();
        if self.sleep_hooks().is_none() {
            return self.fall_asleep(&agent, reason, length);
        }
        let sent = self.send_job(Job::Sleep {
            agent: agent.clone(),
            reason,
            length,
        });
        if !sent {
            // A later tick finds the same trigger and asks again.
            self.sleepers.end(&agent);
        }
        sent
    }

    /// Puts an agent to sleep whose view is not at hand, and makes sure that it is known who is awake instead.
    pub(crate) fn sleep_by_id(
        &self,
        agent: &AgentId,
        reason: SleepReason,
        length: Duration,
    ) -> bool {
        let Some(control) = self.control() else {
            return false;
        };
        let max = self.settings().config.agents_max;
        let views = control.agents(&AgentFilter::all().limit(max));
        self.reconcile_sleepers(&World::index(&views));
        let found = views.iter().find(|view| view.id == *agent);
        found.is_some_and(|view| self.sleep(view, reason, Some(length)))
    }

    /// The end of a checkpoint.
    pub(crate) fn fall_asleep(
        &self,
        agent: &AgentId,
        reason: SleepReason,
        length: Option<Duration>,
    ) -> bool {
        let view = self.control().and_then(|control| control.agent(agent));
        let Some(view) = view else {
            self.sleepers.end(agent);
            return false;
        };
        if !self.command(|control| control.sleep(agent)) {
            self.sleepers.end(agent);
            return false;
        }
        self.sleepers.add(&view, reason, length, self.now());
        if let Some(entry) = self.roster.get(agent) {
            let mut figures = entry.lock();
            figures.sleeps_in_a_row = figures.sleeps_in_a_row.saturating_add(1);
        }
        self.count(AutomationMetric::Sleeps, reason.as_str());
        true
    }

    /// Wakes an agent: after its pre-warm, when hooks are registered, else at once.
    pub(crate) fn wake(&self, agent: &AgentId, cause: WakeCause) {
        // Out of the set first, so that it is woken once.
        self.sleepers.woken(agent);
        let warms = self.sleep_hooks().is_some();
        let job = || Job::Wake {
            agent: agent.clone(),
            cause,
        };
        if !(warms && self.send_job(job())) {
            self.get_up(agent, cause);
        }
    }

    /// The end of a pre-warm.
    pub(crate) fn get_up(&self, agent: &AgentId, cause: WakeCause) {
        let view = self.control().and_then(|control| control.agent(agent));
        let Some(view) = view.filter(|v| v.availability != Availability::Draining) else {
            // It left, or somebody drains it meanwhile: waking would undo that.
            return;
        };
        self.begin_anew(agent);
        if self.command(|control| control.wake(agent)) {
            self.count(AutomationMetric::Wakes, cause.as_str());
        } else {
            // Nobody else would wake it: it goes back into the set, due at once.
            let due = Some(Duration::ZERO);
            self.sleepers.add(&view, SleepReason::Rule, due, self.now());
        }
    }

    /// Tells the sleepers how the agents stand. Whom somebody else woke begins anew, or the next tick would undo it.
    pub(crate) fn reconcile_sleepers(&self, views: &HashMap<&AgentId, &AgentView>) {
        let all = views.len() < self.settings().config.agents_max;
        for agent in self.sleepers.reconcile(views, all) {
            self.begin_anew(&agent);
        }
    }

    /// What was counted against an agent before it slept counts no more.
    fn begin_anew(&self, agent: &AgentId) {
        if let Some(entry) = self.roster.get(agent) {
            let mut figures = entry.lock();
            figures.tokens = 0;
            figures.window = crate::window::Window::default();
            figures.idle_since = self.now();
        }
    }

    /// Wakes everybody that this plugin put to sleep: it was switched off.
    pub(crate) fn wake_all(&self) {
        for sleeper in self.sleepers.all() {
            self.wake(&sleeper.agent, WakeCause::SwitchedOff);
        }
    }
}
