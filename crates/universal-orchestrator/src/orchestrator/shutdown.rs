//! The end, and what a restart takes over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::clock::Stamp;
use crate::engine::{Engine, TaskKey};
use crate::id::{PrincipalName, TaskId};
use crate::orchestrator::shared::Shared;
use crate::orchestrator::spawn::Kind;
use crate::orchestrator::{TaskHandle, UniversalOrchestrator};
use crate::plugin::{HookPoint, Observed, Stage};
use crate::principal::Principal;
use crate::task::{Refused, TaskSnapshot};

/// A task that had not ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnfinishedTask {
    /// The task.
    pub task: TaskSnapshot,
    /// Who submitted it.
    pub principal: PrincipalName,
    /// Attempts made so far.
    pub attempts: u32,
}

/// What shutdown left behind. It can be written as JSON and given to [`UniversalOrchestrator::resume`] after a restart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Tasks that had not ended, in the order of acceptance; they were cancelled.
    pub unfinished: Vec<UnfinishedTask>,
    /// Slots whose agents did not stop within `tasks.cancel_grace_ms`.
    pub zombies: usize,
    /// Plugins that did not stop within `hooks.timeout_ms`, or panicked.
    pub stuck_plugins: Vec<String>,
    /// Tasks that ended while it drained.
    pub drained: u64,
    /// How long it took.
    pub took: Duration,
}

impl UniversalOrchestrator {
    /// Stops intake, lets what was begun finish for up to `shutdown.drain_ms`, cancels the rest, stops the plugins, and reports what had not ended.
    ///
    /// Queued tasks go on being given to in-process agents while it drains. Retries and delayed tasks are not waited for. A second call waits for the first and returns the same report.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing: the shutdown goes on. The next call returns its report, and when nobody else waits for it, drains for its own time.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.shutdown_within(Duration::from_millis(self.shared.config.shutdown.drain_ms))
            .await
    }

    /// Like [`shutdown`](Self::shutdown), with another time to drain.
    pub async fn shutdown_within(&self, drain: Duration) -> ShutdownReport {
        let shared = &self.shared;
        let is_first = shared.ending.drain_until(shared.epoch.stamp().after(drain));
        let mut reported = shared.ending.report.subscribe();
        if is_first {
            let begun = Shutdown::begin(Arc::clone(shared));
            shared.spawner.spawn(Kind::Shutdown, begun.run());
        }
        match reported.wait_for(Option::is_some).await {
            Ok(report) => report.clone().unwrap_or_default(),
            // The sender lives in what this handle holds.
            Err(_) => ShutdownReport::default(),
        }
    }

    /// Submits the unfinished tasks of an earlier orchestrator again, under their ids. Dependencies on tasks that had ended are dropped.
    ///
    /// # Errors
    /// Per task, [`Refused`] hands it back.
    pub async fn resume(&self, report: ShutdownReport) -> Vec<Result<TaskHandle, Refused>> {
        let ids: Vec<TaskId> = report
            .unfinished
            .iter()
            .map(|u| u.task.id.clone())
            .collect();
        for id in &ids {
            self.shared.skip_task_id(id);
        }
        let mut handles = Vec::with_capacity(report.unfinished.len());
        for unfinished in report.unfinished {
            let mut task = unfinished.task.into_task();
            task.options_mut().after.retain(|id| ids.contains(id));
            let mut caller = self.clone();
            caller.principal = self.principal().on_behalf_of(unfinished.principal);
            handles.push(caller.submit_task(task).await);
        }
        handles
    }
}

/// How far the end has come; kept in what all handles share.
pub(crate) struct Ending {
    /// When draining ends; set by the first caller, and again by one that comes when all others have given up.
    until: watch::Sender<Option<Stamp>>,
    /// What had not ended when it was cancelled.
    left: Mutex<Vec<UnfinishedTask>>,
    /// Written once.
    report: watch::Sender<Option<ShutdownReport>>,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            until: watch::Sender::new(None),
            left: Mutex::default(),
            report: watch::Sender::new(None),
        }
    }
}

impl Ending {
    /// Draining ends then, unless somebody waits for an end already; `true` for the first call.
    fn drain_until(&self, at: Stamp) -> bool {
        self.report.receiver_count() == 0 && self.until.send_replace(Some(at)).is_none()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.report.borrow().is_some()
    }
}

/// The one shutdown, in a task of its own. Dropped before its end, with its runtime, it cancels and reports at once.
struct Shutdown {
    shared: Arc<Shared>,
    begun: Stamp,
    /// Tasks that were live when it began.
    live: u64,
    zombies: usize,
    stuck_plugins: Vec<String>,
}

impl Shutdown {
    fn begin(shared: Arc<Shared>) -> Self {
        let begun = shared.epoch.stamp();
        let live = shared.with_engine(|e, now| {
            e.begin_shutdown();
            e.dismiss_waiters(now);
            e.live_tasks()
        });
        Self {
            shared,
            begun,
            live,
            zombies: 0,
            stuck_plugins: Vec::new(),
        }
    }

    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        if shared.plugins.wants(Stage::Observe, HookPoint::Shutdown) {
            shared.observe(Principal::anonymous(), &Observed::Shutdown);
        }
        shared.drain().await;
        shared.cancel_the_rest();
        self.zombies = shared.wait_for_zombies().await;
        let stuck = shared.plugins.stop().await;
        self.stuck_plugins = stuck.into_iter().map(str::to_owned).collect();
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.cancel_the_rest();
        shared.stop.cancel();
        shared.events.close();
        let unfinished = std::mem::take(&mut *shared.ending.left.lock());
        let report = ShutdownReport {
            drained: self.live.saturating_sub(unfinished.len() as u64),
            unfinished,
            zombies: self.zombies,
            stuck_plugins: std::mem::take(&mut self.stuck_plugins),
            took: shared.epoch.stamp().since(self.begun),
        };
        shared.ending.report.send_replace(Some(report));
    }
}

fn unfinished(engine: &Engine, task: TaskKey) -> Option<UnfinishedTask> {
    Some(UnfinishedTask {
        task: engine.snapshot(task)?,
        principal: engine.principal_of(task)?,
        attempts: engine.attempt_of(task),
    })
}

impl Shared {
    /// Notes what has not ended, and cancels it in the same section of the lock: a task is either in the report, or its end was told to somebody. Returns how many there were.
    fn cancel_the_rest(&self) -> usize {
        self.with_engine(|e, now| {
            let live = e.live_keys().into_iter();
            let mut left: Vec<_> = live.filter_map(|task| unfinished(e, task)).collect();
            self.ending.left.lock().append(&mut left);
            e.cancel_everything("the orchestrator shut down", now)
        })
    }

    /// The runtime in which it was started is gone, so that nothing runs and no timer fires any more: it ends, and nobody waits for ever.
    pub(crate) fn end_with_runtime(&self) {
        let lost = self.cancel_the_rest();
        if lost > 0 {
            tracing::error!(
                lost,
                "the runtime ended before the orchestrator: call shutdown first"
            );
        }
        let is_first = self
            .ending
            .until
            .send_replace(Some(Stamp::default()))
            .is_none();
        if let Some(shared) = self.own.upgrade().filter(|_| is_first) {
            drop(Shutdown::begin(shared));
        }
    }

    /// Waits until nothing that began is left, or the time is over.
    async fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        let mut until = self.ending.until.subscribe();
        loop {
            let drained = self.drained.notified();
            if self.engine.lock().is_drained() {
                return;
            }
            let at = until.borrow_and_update().unwrap_or(Stamp::NEVER);
            tokio::select! {
                () = drained => {}
                // The sender lives in what this borrows.
                _ = until.changed() => {}
                () = tokio::time::sleep_until(self.epoch.instant(at)) => return,
            }
        }
    }

    /// Gives cancelled attempts their grace, twice: once to stop by themselves, once to be dropped.
    async fn wait_for_zombies(self: &Arc<Self>) -> usize {
        let grace = Duration::from_millis(self.config.tasks.cancel_grace_ms.max(1));
        let until = tokio::time::Instant::now() + grace * 2;
        loop {
            let zombies = self.with_engine(|e, _| e.lingering());
            let now = tokio::time::Instant::now();
            if zombies == 0 || now >= until {
                return zombies;
            }
            tokio::time::sleep((grace / 10).max(Duration::from_millis(1)).min(until - now)).await;
        }
    }
}
