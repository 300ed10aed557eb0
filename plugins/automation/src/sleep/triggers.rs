//! When an agent should sleep.

use std::collections::BTreeMap;
use std::time::Duration;

use universal_orchestrator::{AgentView, Availability};

use crate::automation::Automation;
use crate::config::SleepConfig;
use crate::roster::Figures;
use crate::sleep::SleepReason;
use crate::world::World;

/// The label with which an agent is left alone.
const LABEL: &str = "automation_sleep";

/// Agents of each capability that are awake; goes down as the tick puts some to sleep.
struct Awake<'a>(BTreeMap<&'a str, usize>);

impl<'a> Awake<'a> {
    fn count(views: &'a [AgentView]) -> Self {
        let mut counts = BTreeMap::new();
        let awake = views
            .iter()
            .filter(|v| v.availability == Availability::Available);
        for capability in awake.flat_map(|view| view.capabilities.iter()) {
            *counts.entry(capability.as_str()).or_default() += 1;
        }
        Self(counts)
    }

    fn can_spare(&self, view: &AgentView, config: &SleepConfig) -> bool {
        view.capabilities.iter().all(|capability| {
            let awake = self.0.get(capability.as_str()).copied().unwrap_or(0);
            awake > config.awake_of(capability.as_str())
        })
    }

    fn take(&mut self, view: &AgentView) {
        for capability in view.capabilities.iter() {
            if let Some(awake) = self.0.get_mut(capability.as_str()) {
                *awake = awake.saturating_sub(1);
            }
        }
    }
}

impl Automation {
    /// Puts those to sleep whose triggers are pulled and who can be spared.
    pub(super) fn pull_triggers(&self, world: &World<'_>) {
        let config = &world.settings.config.sleep;
        let mut awake = Awake::count(world.views);
        let pressed = is_pressed(world, config);
        let mut idlest: Option<(&AgentView, Duration)> = None;
        for view in world.views {
            let stays = view.availability != Availability::Available
                || view.labels.get(LABEL) == Some("never")
                || !awake.can_spare(view, config);
            if stays {
                continue;
            }
            let Some(entry) = self.roster.get(&view.id) else {
                continue;
            };
            let figures = entry.lock();
            let consecutive = figures.sleeps_in_a_row;
            let idle = world.now.saturating_sub(figures.idle_since);
            let by_figures = trigger(config, &figures, view, world.now);
            drop(figures);
            let (reason, length) = match by_figures {
                Some(reason) => (reason, Some(config.length(consecutive))),
                None if is_scheduled(world, view) => (SleepReason::Schedule, None),
                None => {
                    if pressed
                        && view.in_flight == 0
                        && idlest.is_none_or(|(_, longest)| idle > longest)
                    {
                        idlest = Some((view, idle));
                    }
                    continue;
                }
            };
            if self.sleep(view, reason, length) {
                awake.take(view);
            }
        }
        if let Some((view, _)) = idlest
            && awake.can_spare(view, config)
        {
            let length = Some(config.length(0));
            self.sleep(view, SleepReason::Resources, length);
        }
    }
}

fn trigger(
    config: &SleepConfig,
    figures: &Figures,
    view: &AgentView,
    now: Duration,
) -> Option<SleepReason> {
    let full = config.context_window_tokens as f64 * config.context_threshold_percent / 100.0;
    if config.context_window_tokens > 0 && figures.tokens as f64 >= full {
        return Some(SleepReason::Context);
    }
    let idle = now.saturating_sub(figures.idle_since);
    if config.inactivity_ms > 0
        && view.in_flight == 0
        && idle >= Duration::from_millis(config.inactivity_ms)
    {
        return Some(SleepReason::Inactivity);
    }
    let window = figures.window.figures(now, config.window_ms);
    if window.calls < config.minimum_calls {
        return None;
    }
    if config.slow_mean_ms > 0 && window.mean_ms >= config.slow_mean_ms as f64 {
        return Some(SleepReason::Degradation);
    }
    let failing = window.error_rate_percent >= config.error_rate_percent;
    (config.error_rate_percent > 0.0 && failing).then_some(SleepReason::ErrorRate)
}

fn is_scheduled(world: &World<'_>, view: &AgentView) -> bool {
    world.settings.schedules.iter().any(|schedule| {
        let capability = schedule.capability.as_deref();
        capability.is_none_or(|name| view.capabilities.contains(name))
            && schedule
                .sleep
                .fires_within(world.last_wall_ms, world.wall_ms)
    })
}

fn is_pressed(world: &World<'_>, config: &SleepConfig) -> bool {
    let over = |used: Option<f64>, limit: f64| limit > 0.0 && used.is_some_and(|u| u >= limit);
    let performance = &world.status.performance;
    over(performance.memory_usage_percent, config.memory_percent)
        || over(performance.cpu_usage_percent, config.cpu_percent)
}
