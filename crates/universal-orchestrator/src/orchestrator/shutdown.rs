//! The end, and what a restart takes over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, TaskKey};
use crate::id::{PrincipalName, TaskId};
use crate::orchestrator::shared::Shared;
use crate::orchestrator::{TaskHandle, UniversalOrchestrator};
use crate::plugin::{HookPoint, Observed, Stage};
use crate::task::{FailureKind, Refused, TaskSnapshot};

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
    /// Dropping the future leaves the shutdown where it stands. Another call goes on with it, and reports what had not been cancelled yet.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.shutdown_within(Duration::from_millis(self.shared.config.shutdown.drain_ms))
            .await
    }

    /// Like [`shutdown`](Self::shutdown), with another time to drain.
    pub async fn shutdown_within(&self, drain: Duration) -> ShutdownReport {
        let shut_down = self.shared.report.get_or_init(|| self.shut_down(drain));
        shut_down.await.clone()
    }

    async fn shut_down(&self, drain: Duration) -> ShutdownReport {
        let shared = &self.shared;
        let begun = shared.epoch.stamp();
        let live = shared.with_engine(|e, now| {
            e.begin_shutdown();
            e.dismiss_waiters(now);
            e.live_tasks()
        });
        if shared.plugins.wants(Stage::Observe, HookPoint::Shutdown) {
            shared.observe(&Engine::anonymous(), &Observed::Shutdown);
        }
        shared.drain(drain).await;
        let unfinished = shared.unfinished();
        let drained = live.saturating_sub(unfinished.len() as u64);
        shared.cancel_everything("the orchestrator shut down");
        let zombies = shared.wait_for_zombies().await;
        let stuck = shared.plugins.stop().await;
        shared.stop.cancel();
        shared.events.close();
        shared.is_shut_down.store(true, Ordering::Release);
        ShutdownReport {
            unfinished,
            zombies,
            stuck_plugins: stuck.into_iter().map(str::to_owned).collect(),
            drained,
            took: shared.epoch.stamp().since(begun),
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

impl Shared {
    /// Waits until nothing that began is left, or the time is over.
    async fn drain(&self, within: Duration) {
        self.draining.store(true, Ordering::SeqCst);
        let quiet = async {
            loop {
                let notified = self.drained.notified();
                if self.engine.lock().is_drained() {
                    return;
                }
                notified.await;
            }
        };
        // What is not quiet by then is cancelled and reported.
        let _ = tokio::time::timeout(within, quiet).await;
    }

    fn unfinished(&self) -> Vec<UnfinishedTask> {
        self.with_engine(|e, _| {
            let keys: Vec<TaskKey> = e.live_keys();
            keys.into_iter()
                .filter_map(|key| {
                    Some(UnfinishedTask {
                        task: e.snapshot(key)?,
                        principal: e.principal_of(key)?,
                        attempts: e.attempt_of(key),
                    })
                })
                .collect()
        })
    }

    /// Cancels every live task; returns how many there were.
    pub(crate) fn cancel_everything(&self, why: &str) -> usize {
        self.with_engine(|e, now| {
            e.begin_shutdown();
            let keys = e.live_keys();
            let mut cancelled = 0;
            for key in keys {
                cancelled += usize::from(e.cancel(key, why, FailureKind::Shutdown, now));
            }
            e.dismiss_waiters(now);
            cancelled
        })
    }

    /// Gives cancelled attempts their grace, twice: once to stop by themselves, once to be dropped.
    async fn wait_for_zombies(self: &Arc<Self>) -> usize {
        let grace = Duration::from_millis(self.config.tasks.cancel_grace_ms.max(1));
        let until = tokio::time::Instant::now() + grace * 2;
        loop {
            let zombies = self.with_engine(|e, _| e.running_zombies());
            let now = tokio::time::Instant::now();
            if zombies == 0 || now >= until {
                return zombies;
            }
            tokio::time::sleep((grace / 10).max(Duration::from_millis(1)).min(until - now)).await;
        }
    }
}
