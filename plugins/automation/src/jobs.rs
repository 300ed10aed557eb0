//! The plugin's own task: it ticks, and does what has to wait for a program's code.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use universal_orchestrator::{AgentId, CancellationToken};

use crate::automation::Automation;
use crate::scaling::{AgentFactory, Creation};
use crate::sleep::{SleepReason, WakeCause};

/// What has to wait for a program's code.
pub(crate) enum Job {
    /// Checkpoint, then sleep.
    Sleep {
        agent: AgentId,
        reason: SleepReason,
        length: Option<Duration>,
    },
    /// Pre-warm, then wake.
    Wake { agent: AgentId, cause: WakeCause },
    /// A factory makes an agent.
    Create(Creation),
    /// A factory hears that an agent of its has left.
    Retired {
        factory: Arc<dyn AgentFactory>,
        agent: AgentId,
    },
}

/// Ticks and runs jobs until the plugin stops or is dropped.
pub(crate) async fn run(
    automation: Weak<Automation>,
    stop: CancellationToken,
    mut jobs: mpsc::Receiver<Job>,
) {
    let mut running = JoinSet::new();
    let mut last_tick = Instant::now();
    loop {
        let Some(settings) = automation.upgrade().map(|a| a.settings()) else {
            break;
        };
        let tick = Duration::from_millis(settings.config.tick_ms);
        let has_room = running.len() < settings.config.jobs_max;
        drop(settings);
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = tokio::time::sleep_until(last_tick + tick) => {
                last_tick = Instant::now();
                if let Some(automation) = automation.upgrade() {
                    automation.tick();
                }
            }
            Some(_) = running.join_next(), if !running.is_empty() => {}
            job = jobs.recv(), if has_room => {
                let (Some(job), Some(automation)) = (job, automation.upgrade()) else {
                    break;
                };
                running.spawn(automation.run_job(job));
            }
        }
    }
    running.shutdown().await;
}

/// Gives a program's code its time. `None` when it took longer or panicked. Calling it is part of `code`: a method that is not an `async fn` runs when it is called.
pub(crate) async fn limited<T>(limit: Duration, code: impl Future<Output = T>) -> Option<T> {
    let guarded = AssertUnwindSafe(code).catch_unwind();
    tokio::time::timeout(limit, guarded).await.ok()?.ok()
}

impl Automation {
    async fn run_job(self: Arc<Self>, job: Job) {
        let settings = self.settings();
        let sleep_limit = Duration::from_millis(settings.config.sleep.hook_timeout_ms);
        let create_limit = Duration::from_millis(settings.config.scaling.create_timeout_ms);
        match job {
            Job::Sleep {
                agent,
                reason,
                length,
            } => {
                if let Some(hooks) = self.sleep_hooks()
                    && limited(sleep_limit, async {
                        hooks.checkpoint(&agent, reason).await
                    })
                    .await
                    .is_none()
                {
                    tracing::warn!(%agent, "no checkpoint before it sleeps: it took too long or panicked");
                }
                self.fall_asleep(&agent, reason, length);
            }
            Job::Wake { agent, cause } => {
                if let Some(hooks) = self.sleep_hooks()
                    && limited(sleep_limit, async { hooks.prewarm(&agent).await })
                        .await
                        .is_none()
                {
                    tracing::warn!(%agent, "no pre-warm before it wakes: it took too long or panicked");
                }
                self.get_up(&agent, cause);
            }
            Job::Create(creation) => {
                let made = limited(create_limit, creation.make()).await;
                self.created(creation, made);
            }
            Job::Retired { factory, agent } => {
                if limited(create_limit, async { factory.retired(&agent).await })
                    .await
                    .is_none()
                {
                    tracing::warn!(%agent, "its factory took too long or panicked when it had left");
                }
            }
        }
    }
}
