//! What an orchestration does between its calls.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use universal_orchestrator::CancellationToken;

use crate::contain::panic_text;

/// The most background tasks of one orchestration at once.
pub const TASKS_MAX: usize = 64;

/// Why a background task was not spawned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackgroundError {
    /// As many run as may.
    #[error("background task {name} is one more than {max}: join some of them into one")]
    TooMany {
        /// What was to be spawned.
        name: &'static str,
        /// The limit.
        max: usize,
    },
    /// The orchestration stops.
    #[error("background task {name} was not spawned: the orchestration stops")]
    Stopping {
        /// What was to be spawned.
        name: &'static str,
    },
    /// There is no tokio runtime.
    #[error("background task {name} was not spawned: call this within a tokio runtime")]
    NoRuntime {
        /// What was to be spawned.
        name: &'static str,
    },
}

/// The tasks that an orchestration has spawned. They are cancelled and awaited when it is removed, and aborted when the facade is dropped.
pub struct Background {
    stopping: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

impl Background {
    pub(crate) fn new() -> Self {
        Self {
            stopping: CancellationToken::new(),
            tasks: Mutex::new(JoinSet::new()),
        }
    }

    /// Cancelled when the orchestration is to stop.
    #[must_use]
    pub const fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Spawns a task that lives until it ends or the orchestration is removed. A panic ends that task alone and is logged.
    ///
    /// # Errors
    /// [`BackgroundError`] when as many run as may, or when it is too late.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), BackgroundError> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(BackgroundError::NoRuntime { name });
        };
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        if self.stopping.is_cancelled() {
            return Err(BackgroundError::Stopping { name });
        }
        if tasks.len() >= TASKS_MAX {
            return Err(BackgroundError::TooMany {
                name,
                max: TASKS_MAX,
            });
        }
        let contained = async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                let panic = panic_text(panic.as_ref());
                tracing::error!(
                    task = name,
                    panic,
                    "background task of an orchestration panicked"
                );
            }
        };
        tasks.spawn_on(contained, &runtime);
        Ok(())
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.len()
    }

    /// Asks all tasks to stop, awaits them, and aborts those that take longer. Says how many were aborted.
    pub(crate) async fn end(&self, grace: Duration) -> usize {
        let mut tasks = {
            let mut tasks = self.tasks.lock();
            self.stopping.cancel();
            std::mem::take(&mut *tasks)
        };
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_ok() {
            return 0;
        }
        let left = tasks.len();
        tasks.shutdown().await;
        left
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background")
            .field("running", &self.running())
            .field("stopping", &self.stopping.is_cancelled())
            .finish()
    }
}
