//! What all handles of one orchestrator share.

use std::any::{Any, TypeId};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use futures::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::agent::{AgentFilter, AgentView, AttemptCell, TaskHost};
use crate::budget::{Hold, Ledger};
use crate::clock::{Epoch, SharedWallClock, Stamp};
use crate::config::OrchestratorConfig;
use crate::engine::{Effects, Engine, Finished, Launch, RareEffects, Seen};
use crate::event::{Event, EventBus};
use crate::id::{AgentId, TaskId};
use crate::metrics::{MetricName, Metrics};
use crate::orchestrator::alerts::Alerts;
use crate::orchestrator::attempt;
use crate::orchestrator::resources::Resources;
use crate::orchestrator::shutdown::Ending;
use crate::orchestrator::spawn::{Kind, Spawner};
use crate::plugin::{
    Command, Control, FaultSink, HookContext, HookPoint, HostView, Observed, PluginHost, Services,
    Stage, WaitingTasks,
};
use crate::principal::Principal;
use crate::status::Status;
use crate::task::{Refused, Task, TaskOutcome, TaskState, TaskView, bounded};

/// What all handles of one orchestrator share.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) config: OrchestratorConfig,
    pub(crate) epoch: Epoch,
    pub(crate) wall: SharedWallClock,
    pub(crate) engine: Mutex<Engine>,
    pub(crate) plugins: Arc<PluginHost>,
    pub(crate) services: Arc<Services>,
    pub(crate) control: Control,
    pub(crate) events: Arc<EventBus>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) alerts: Alerts,
    pub(crate) resources: Resources,
    pub(crate) spawner: Spawner,
    pub(crate) task_ids: AtomicU64,
    /// Wakes the background task when a timer is set earlier than it knows.
    pub(crate) rearm: Notify,
    pub(crate) stop: CancellationToken,
    /// Callers that wait for room in the queue.
    pub(crate) room_waiters: AtomicUsize,
    pub(crate) room: Notify,
    /// Held by the caller whose turn it is to wait for room; fair.
    pub(crate) room_turn: tokio::sync::Mutex<()>,
    pub(crate) draining: AtomicBool,
    pub(crate) drained: Notify,
    pub(crate) ending: Ending,
    pub(crate) panic_when_lost: bool,
    pub(crate) own: Weak<Shared>,
}

/// Tries to get the engine's lock before the kernel is asked to wait for it.
const SPINS: u32 = 256;

pub(crate) type Commands = mpsc::Receiver<Command>;

impl Shared {
    /// Decides something under the lock, then makes its effects happen outside of it.
    pub(crate) fn with_engine<R>(&self, decide: impl FnOnce(&mut Engine, Stamp) -> R) -> R {
        let (result, effects, next) = self.decide(decide);
        if let Some(effects) = effects {
            self.perform(effects);
        }
        if next {
            self.after_decision();
        }
        result
    }

    /// Like [`Self::with_engine`], and hands back one attempt that the caller runs instead of a new task.
    pub(crate) fn with_engine_and_run<R>(
        &self,
        decide: impl FnOnce(&mut Engine, Stamp) -> R,
    ) -> (R, Option<Launch>) {
        let (result, effects, next) = self.decide(decide);
        let mut launch = None;
        if let Some(mut effects) = effects {
            launch = effects.take_launch();
            self.perform(effects);
        }
        if next {
            self.after_decision();
        }
        (result, launch)
    }

    /// Spins for about as long as a few decisions take before it asks the kernel to wait: a wake-up costs ten of them.
    fn lock_engine(&self) -> MutexGuard<'_, Engine> {
        for _ in 0..SPINS {
            if let Some(engine) = self.engine.try_lock() {
                return engine;
            }
            std::hint::spin_loop();
        }
        self.engine.lock()
    }

    fn decide<R>(
        &self,
        decide: impl FnOnce(&mut Engine, Stamp) -> R,
    ) -> (R, Option<Effects>, bool) {
        let now = self.epoch.stamp();
        let mut engine = self.lock_engine();
        let result = decide(&mut engine, now);
        engine.settle(now);
        let effects = (!engine.effects.is_empty()).then(|| engine.take_effects());
        let room = self.room_waiters.load(Ordering::Relaxed) > 0 && engine.has_room();
        let drained = self.draining.load(Ordering::Relaxed) && engine.is_drained();
        drop(engine);
        if room {
            self.room.notify_one();
        }
        (result, effects, drained)
    }

    #[cold]
    fn after_decision(&self) {
        self.drained.notify_waiters();
    }

    fn perform(&self, mut effects: Effects) {
        let rare = effects.take_rare();
        for seen in &effects.seen {
            self.observe_seen(seen);
        }
        let canceller = rare.as_ref().and_then(|rare| rare.canceller.as_ref());
        for finished in &effects.finished {
            self.observe_finished(finished, canceller);
        }
        for (signal, outcome) in effects.signals {
            signal.finish(outcome);
        }
        if let Some(rare) = rare {
            self.perform_rare(*rare);
        }
        if effects.rearm {
            self.rearm.notify_one();
        }
    }

    fn perform_rare(&self, rare: RareEffects) {
        for cell in rare.cancels {
            cell.cancel();
        }
        for cell in rare.aborts {
            cell.abort_token().cancel();
        }
        for (waiter, launch) in rare.delivers {
            if let Err(launch) = waiter.send(launch) {
                self.with_engine(|e, now| e.unbind(&launch, now));
            }
        }
        for launch in rare.launches {
            self.start_attempt(launch);
        }
        for gate in rare.gates {
            if let Some(shared) = self.own.upgrade() {
                self.spawner.spawn(
                    Kind::Gate,
                    async move { shared.ask_retry_guard(gate).await },
                );
            }
        }
    }

    /// The timers have stopped, so what ignores its cancellation is dropped from here.
    fn abort_after_grace(self: &Arc<Self>) {
        if self.with_engine(|e, _| e.lingering()) == 0 {
            return;
        }
        let grace = std::time::Duration::from_millis(self.config.tasks.cancel_grace_ms);
        let shared = Arc::clone(self);
        self.spawner.spawn(Kind::Background, async move {
            tokio::time::sleep(grace).await;
            shared.with_engine(|e, _| e.abort_all());
        });
    }

    /// Runs an attempt of an in-process agent in a task of its own.
    pub(crate) fn start_attempt(&self, launch: Launch) {
        match self.own.upgrade() {
            Some(shared) if launch.runs.is_some() => {
                let run = attempt::Run::new(shared, launch);
                self.spawner.spawn(Kind::Attempt, attempt::drive(run));
            }
            _ => self.with_engine(|e, now| e.unbind(&launch, now)),
        }
    }

    pub(crate) fn hook_context<'a>(
        &'a self,
        principal: &'a Principal,
        control: &'a Control,
    ) -> HookContext<'a> {
        HookContext::new(principal, control, &self.wall)
    }

    pub(crate) fn observe(&self, principal: &Principal, what: &Observed<'_>) {
        let context = self.hook_context(principal, &self.control);
        self.plugins.observe(self, &context, what);
    }

    fn observe_seen(&self, seen: &Seen) {
        match seen {
            Seen::Registered(agent, by, took) => {
                self.observe(by, &Observed::Registered { agent, took: *took })
            }
            Seen::Deregistered(agent, by) => self.observe(by, &Observed::Deregistered { agent }),
            Seen::Submitted(task) => self.observe(task.caller(), &Observed::Submitted { task }),
            Seen::Delegated(task, delegation, times) => {
                let what = Observed::Delegated {
                    task,
                    delegation,
                    took: times.took,
                    queue_wait: times.queue_wait,
                };
                self.observe(task.caller(), &what);
            }
            Seen::Started(task, delegation) => {
                self.observe(task.caller(), &Observed::Started { task, delegation })
            }
            Seen::Retrying(task, delegation, failure, delay) => {
                let what = Observed::Retrying {
                    task,
                    delegation,
                    failure,
                    delay: *delay,
                };
                self.observe(task.caller(), &what);
            }
        }
    }

    fn observe_finished(&self, finished: &Finished, canceller: Option<&Principal>) {
        let (task, outcome) = (&finished.record, &finished.outcome);
        if finished.was_assigned {
            self.metrics
                .task_duration
                .record(outcome.run_time().as_secs_f64());
        }
        let (point, what) = match outcome.state() {
            TaskState::Succeeded => (HookPoint::Complete, Observed::Completed { task, outcome }),
            TaskState::Cancelled => (HookPoint::Cancel, Observed::Cancelled { task, outcome }),
            _ => (HookPoint::Fail, Observed::Failed { task, outcome }),
        };
        if self.plugins.wants(Stage::Observe, point) {
            let canceller = canceller.filter(|_| point == HookPoint::Cancel);
            self.observe(canceller.unwrap_or_else(|| task.caller()), &what);
        }
    }

    /// Writes an alert where people look for it.
    pub(crate) fn alert(&self, source: &str, text: &str) {
        tracing::warn!(source, alert = text, "alert");
        self.events.emit(|| Event::Alert {
            source: source.into(),
            text: text.into(),
        });
        self.alerts.push(
            source,
            text,
            self.wall.unix_ms(),
            self.config.status.list_max,
        );
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl FaultSink for Shared {
    fn fault(&self, plugin: &'static str, stage: Stage, point: HookPoint, text: &str) {
        tracing::warn!(plugin, ?stage, ?point, fault = text, "hook failed");
        self.metrics.count(MetricName::HookFaults, plugin);
        self.events.emit(|| Event::PluginFault {
            plugin: plugin.into(),
            fault: text.into(),
        });
    }

    fn veto(&self, plugin: &'static str) {
        self.metrics.count(MetricName::HookVetoes, plugin);
    }
}

impl TaskHost for Shared {
    fn progress(&self, attempt: &AttemptCell, value: Value) {
        let limits = &self.config.tasks;
        let bounded = bounded(value, limits.result_bytes_max, limits.payload_depth_max);
        let Ok(value) = bounded else {
            tracing::warn!(task = %attempt.record.id(), "progress is larger than tasks.result_bytes_max, or deeper than tasks.payload_depth_max, and was dropped");
            return;
        };
        // Progress of an attempt that is over changes nothing; its agent learns of it from the cancellation.
        let _ = self.with_engine(|e, now| e.progress(&attempt.delegation, value, now));
    }

    fn execute_child<'a>(
        &'a self,
        attempt: &'a AttemptCell,
        task: Task,
    ) -> BoxFuture<'a, Result<TaskOutcome, Refused>> {
        Box::pin(self.run_child(attempt, task))
    }

    fn open_hold(&self) -> Hold {
        self.ledger.open_hold()
    }

    fn budget_freed(&self) {
        // Every decision ends with what follows from it, and this is all that follows.
        self.with_engine(|_, _| ());
    }

    fn service(&self, id: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.services.any(id)
    }
}

impl HostView for Shared {
    fn status(&self) -> Status {
        self.build_status()
    }

    fn agent(&self, id: &AgentId) -> Option<AgentView> {
        self.with_engine(|e, now| e.agent_view(id, now))
    }

    fn agents(&self, filter: &AgentFilter) -> Vec<AgentView> {
        self.agent_views(filter)
    }

    fn waiting(&self) -> Vec<WaitingTasks> {
        self.with_engine(|e, now| e.waiting(now))
    }

    fn task(&self, id: &TaskId) -> Option<TaskView> {
        self.with_engine(|e, now| e.task_view(e.task_key(id)?, now))
    }

    fn control_dropped(&self) {
        self.metrics.control_dropped.increment(1);
    }
}

/// Held by every handle; dropped with the last one.
pub(crate) struct LastHandle {
    shared: Arc<Shared>,
}

impl LastHandle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Drop for LastHandle {
    fn drop(&mut self) {
        if self.shared.ending.is_over() {
            return;
        }
        // Nobody is left who could read the report of a shutdown under way.
        let lost = self
            .shared
            .with_engine(|e, now| e.cancel_everything("the orchestrator was dropped", now));
        self.shared.stop.cancel();
        self.shared.abort_after_grace();
        self.shared.events.close();
        if lost == 0 {
            return;
        }
        tracing::error!(
            lost,
            "the last handle was dropped with live work: call shutdown first"
        );
        if self.shared.panic_when_lost && !std::thread::panicking() {
            fail_the_test(lost);
        }
    }
}

#[expect(
    clippy::panic,
    reason = "asked for by panic_when_dropped_with_live_tasks, for tests"
)]
fn fail_the_test(lost: usize) {
    panic!("orchestrator dropped with {lost} live tasks: call shutdown first");
}
