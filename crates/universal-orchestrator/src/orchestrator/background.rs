//! Timers and periodic checks, in one task.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::clock::Stamp;
use crate::engine::Engine;
use crate::metrics::MetricName;
use crate::orchestrator::shared::Shared;
use crate::plugin::{HookPoint, Observed, Stage};
use crate::principal::Principal;

/// What woke the task.
enum Woken {
    Timer,
    Health,
    Cleanup,
    Tick,
    Checked,
    Stop,
}

/// An interval that may be off.
struct Every(Option<Interval>);

impl Every {
    fn new(ms: u64) -> Self {
        Self((ms > 0).then(|| {
            let period = Duration::from_millis(ms);
            let mut interval = tokio::time::interval_at(Instant::now() + period, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        }))
    }

    async fn tick(&mut self) {
        match &mut self.0 {
            Some(interval) => {
                interval.tick().await;
            }
            None => std::future::pending().await,
        }
    }
}

/// Dropped before the orchestrator has stopped, its runtime is gone.
struct OnRuntime {
    shared: Weak<Shared>,
    stop: CancellationToken,
}

impl Drop for OnRuntime {
    fn drop(&mut self) {
        if !self.stop.is_cancelled()
            && let Some(shared) = self.shared.upgrade()
        {
            shared.end_with_runtime();
        }
    }
}

/// Fires timers and runs the checks until the orchestrator stops.
pub(crate) fn run(shared: Weak<Shared>, stop: CancellationToken) -> impl Future<Output = ()> {
    // Made here, so that it is dropped with a future that was never polled, too.
    let here = OnRuntime { shared, stop };
    async move { watch(&here.shared, &here.stop).await }
}

async fn watch(shared: &Weak<Shared>, stop: &CancellationToken) {
    let Some(first) = shared.upgrade() else {
        return;
    };
    let mut health = Every::new(first.config.health_check_interval_ms);
    let mut cleanup = Every::new(first.config.cleanup_interval_ms);
    let mut tick = Every::new(first.config.tick_interval_ms);
    // Polled beside the timers: a reading waits for a blocking thread, of which there may be none.
    let mut check: Option<BoxFuture<'static, ()>> = None;
    drop(first);
    loop {
        // Held while it waits too: the last handle's drop cancels the stop token, which ends this task.
        let Some(held) = shared.upgrade() else { return };
        let next = held.engine.lock().next_timer();
        let woken = tokio::select! {
            biased;
            () = stop.cancelled() => Woken::Stop,
            () = sleep_until(&held, next) => Woken::Timer,
            () = held.rearm.notified() => Woken::Timer,
            () = health.tick() => Woken::Health,
            () = cleanup.tick() => Woken::Cleanup,
            () = tick.tick() => Woken::Tick,
            () = finished(&mut check) => Woken::Checked,
        };
        match woken {
            Woken::Stop => return,
            Woken::Timer => held.with_engine(Engine::fire_due),
            Woken::Health if check.is_none() => {
                check = Some(Box::pin(async move { held.check_health().await }));
            }
            Woken::Health => {}
            Woken::Checked => check = None,
            Woken::Cleanup => held.with_engine(|e, now| {
                e.forget_old(now);
                e.sweep_timers();
                e.tidy_classes();
            }),
            Woken::Tick => held.on_tick(),
        }
    }
}

async fn sleep_until(shared: &Shared, at: Option<Stamp>) {
    match at {
        Some(at) => tokio::time::sleep_until(shared.epoch.instant(at)).await,
        None => std::future::pending().await,
    }
}

async fn finished(check: &mut Option<BoxFuture<'static, ()>>) {
    match check {
        Some(check) => check.await,
        None => std::future::pending().await,
    }
}

impl Shared {
    fn on_tick(self: &Arc<Self>) {
        self.with_engine(|e, now| e.roll_windows(now));
        self.show_gauges();
        if self.plugins.wants(Stage::Observe, HookPoint::Tick) {
            self.observe(Principal::anonymous(), &Observed::Tick);
        }
    }

    fn show_gauges(&self) {
        let counts = self.with_engine(|e, now| e.counts(now));
        let number = |n: usize| n as f64;
        self.metrics.agents.set(number(counts.agents.total));
        self.metrics.tasks_queued.set(counts.by_state[0] as f64);
        self.metrics.tasks_in_flight.set(number(counts.in_flight));
        self.metrics.zombies.set(number(counts.agents.zombies));
        self.metrics.dead_letters.set(number(counts.dead_letters));
        self.metrics.events_lagged.absolute(self.events.lagged());
    }

    async fn check_health(&self) {
        let reading = self.resources.read().await;
        let config = &self.config;
        if let Some(bytes) = reading.process_bytes {
            self.metrics.process_memory.set(bytes as f64);
            self.check_target(
                "max_memory_mb",
                bytes as f64 / 1e6,
                config.max_memory_mb as f64,
                "MB of resident memory",
            );
        }
        if let Some(percent) = reading.cpu_percent {
            self.check_target(
                "max_cpu_percent",
                percent,
                config.max_cpu_percent,
                "% processor use",
            );
        }
        if let Some(percent) = reading.memory_percent {
            self.check_target(
                "max_memory_percent",
                percent,
                config.max_memory_percent,
                "% memory use",
            );
        }
        let window = self.with_engine(|e, now| e.counts(now)).window;
        if let Some(percent) = self
            .error_rate(&window)
            .filter(|_| config.max_error_rate_percent < 100.0)
            && percent > config.max_error_rate_percent
        {
            self.target_exceeded("max_error_rate_percent", || {
                format!(
                    "{percent:.1} % of tasks failed, the target max_error_rate_percent is {}",
                    config.max_error_rate_percent
                )
            });
        }
        if self.plugins.wants(Stage::Observe, HookPoint::Health) {
            self.observe(Principal::anonymous(), &Observed::HealthCheck);
        }
    }

    fn check_target(&self, target: &'static str, value: f64, limit: f64, what: &str) {
        if limit > 0.0 && value > limit {
            self.target_exceeded(target, || {
                format!("{value:.1} {what}, the target {target} is {limit}")
            });
        }
    }

    /// Counts an exceeded target, and says so now and then. Nothing is refused.
    pub(crate) fn target_exceeded(&self, target: &'static str, text: impl FnOnce() -> String) {
        self.metrics.count(MetricName::TargetsExceeded, target);
        if self.alerts.exceeded(target, self.wall.unix_ms()) {
            self.alert("target", &text());
        }
    }

    pub(crate) fn registration_took(&self, took: Duration) {
        self.metrics
            .registration_duration
            .record(took.as_secs_f64());
        self.check_call(
            "max_agent_registration_ms",
            took,
            self.config.max_agent_registration_ms,
            "registration",
        );
    }

    pub(crate) fn delegation_took(&self, begun: Stamp) {
        let took = self.epoch.stamp().since(begun);
        self.metrics.delegation_duration.record(took.as_secs_f64());
        self.check_call(
            "max_task_delegation_ms",
            took,
            self.config.max_task_delegation_ms,
            "delegation",
        );
    }

    pub(crate) fn check_call(
        &self,
        target: &'static str,
        took: Duration,
        limit_ms: u64,
        what: &str,
    ) {
        if limit_ms > 0 && took > Duration::from_millis(limit_ms) {
            self.target_exceeded(target, || {
                format!("a {what} took {took:?}, the target {target} is {limit_ms} ms")
            });
        }
    }
}
