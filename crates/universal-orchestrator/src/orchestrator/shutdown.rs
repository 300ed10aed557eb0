//! The end, and what a restart takes over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::clock::Stamp;
use crate::engine::{Engine, TaskKey};
use crate::id::{PrincipalName, TaskId};
use crate::orchestrator::shared::Shared;
use crate::orchestrator::spawn::Kind;
use crate::orchestrator::{TaskHandle, UniversalOrchestrator};
use crate::plugin::{HookPoint, Observed, Stage};
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
    /// Queued tasks go on being given to in-process agents while it drains. Retries and delayed tasks are not waited for. Every call returns the same report.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing: the shutdown goes on, and another call returns its report.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.shutdown_within(Duration::from_millis(self.shared.config.shutdown.drain_ms))
            .await
    }

    /// Like [`shutdown`](Self::shutdown), with another time to drain. Of several calls the one whose time ends first decides.
    pub async fn shutdown_within(&self, drain: Duration) -> ShutdownReport {
        let shared = &self.shared;
        let mut reported = shared.ending.report.subscribe();
        if shared.ending.drain_until(shared.epoch.stamp().after(drain)) {
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
            caller.principal = unfinished.principal;
            handles.push(caller.submit_task(task).await);
        }
        handles
    }
}

/// How far the end has come; kept in what all handles share.
pub(crate) struct Ending {
    /// When draining ends; set by the first caller, brought forward by others.
    until: watch::Sender<Option<Stamp>>,
    /// Written once.
    report: watch::Sender<Option<ShutdownReport>>,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            until: watch::Sender::new(None),
            report: watch::Sender::new(None),
        }
    }
}

impl Ending {
    /// Draining ends then at the latest; `true` for the first call.
    fn drain_until(&self, at: Stamp) -> bool {
        let mut is_first = false;
        self.until.send_if_modified(|until| {
            is_first = until.is_none();
            let nearer = until.is_none_or(|until| at < until);
            if nearer {
                *until = Some(at);
            }
            nearer
        });
        is_first
    }

    pub(crate) fn is_over(&self) -> bool {
        self.report.borrow().is_some()
    }
}

/// The one shutdown, in a task of its own. Dropped before its end, with its runtime, it reports at once.
struct Shutdown {
    shared: Arc<Shared>,
    begun: Stamp,
    /// Tasks that were live when it began.
    live: u64,
    report: Option<ShutdownReport>,
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
            report: None,
        }
    }

    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        if shared.plugins.wants(Stage::Observe, HookPoint::Shutdown) {
            shared.observe(&Engine::anonymous(), &Observed::Shutdown);
        }
        shared.drain().await;
        self.cancel_the_rest();
        let zombies = shared.wait_for_zombies().await;
        let stuck = shared.plugins.stop().await;
        if let Some(report) = &mut self.report {
            report.zombies = zombies;
            report.stuck_plugins = stuck.into_iter().map(str::to_owned).collect();
        }
    }

    /// Notes what has not ended, and cancels it in the same section of the lock: a task is either in the report, or its end was told to somebody.
    fn cancel_the_rest(&mut self) {
        let unfinished = self.shared.with_engine(|e, now| {
            let unfinished: Vec<_> = e
                .live_keys()
                .into_iter()
                .filter_map(|k| unfinished(e, k))
                .collect();
            e.cancel_everything("the orchestrator shut down", now);
            unfinished
        });
        self.report = Some(ShutdownReport {
            drained: self.live.saturating_sub(unfinished.len() as u64),
            unfinished,
            ..ShutdownReport::default()
        });
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        if self.report.is_none() {
            self.cancel_the_rest();
        }
        let shared = &self.shared;
        shared.stop.cancel();
        shared.events.close();
        if let Some(mut report) = self.report.take() {
            report.took = shared.epoch.stamp().since(self.begun);
            shared.ending.report.send_replace(Some(report));
        }
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
