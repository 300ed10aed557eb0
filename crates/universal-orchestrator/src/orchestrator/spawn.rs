//! The one place that spawns: each kind fixes what a panic means.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::runtime::Handle;

use crate::plugin::panic_text;

/// Why a task of the runtime is spawned. All end with the orchestrator's stop token, their agent, or by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Runs attempts of one agent. Agents' panics are caught inside; dropped, it gives its slot back.
    Attempt,
    /// Asks the guard of a retry.
    Gate,
    /// Timers and periodic checks; ends with the stop token.
    Background,
    /// Commands of plugins; ends with the stop token.
    Control,
    /// The shutdown; dropped or panicked, it reports at once.
    Shutdown,
}

#[derive(Debug)]
pub(crate) struct Spawner(pub(crate) Handle);

impl Spawner {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the function that everything else goes through"
    )]
    pub(crate) fn spawn(&self, kind: Kind, task: impl Future<Output = ()> + Send + 'static) {
        if kind == Kind::Attempt {
            self.0.spawn(task);
            return;
        }
        self.0.spawn(async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                tracing::error!(
                    ?kind,
                    panic = panic_text(panic.as_ref()),
                    "internal task panicked"
                );
            }
        });
    }
}
