//! Plugins: a constant description and a factory, linked in or given to the builder.

mod call;
mod context;
mod descriptor;
mod error;
mod health;
mod hookset;
mod host;
mod resolve;
mod section;
mod services;

pub use call::{GuardCall, Observed, Shape, ShapeCall, Verdict};
pub(crate) use context::{Command, HeldCommands, HostView};
pub use context::{Control, ControlError, HookContext, PluginContext, WaitingTasks};
pub use descriptor::{BuildPlugin, Linked, PluginDescriptor, PluginManifest, linked};
pub(crate) use error::write_told;
pub use error::{HookFault, PluginError};
pub use health::{HealthStatus, PluginHealth, PluginStatus};
pub use hookset::{HookPoint, HookSet, Stage};
pub(crate) use host::{
    FaultSink, PluginHost, ShapePoint, panic_message, panic_text, register_call,
};
pub use resolve::LinkError;
pub(crate) use resolve::{PluginSource, PluginWishes, resolve};
pub use section::PluginSection;
pub use services::Services;

use std::sync::Arc;

use ::metrics::Recorder;
use async_trait::async_trait;

/// Takes part in what the orchestrator does. Every method has a default that does nothing.
///
/// `shape`, `guard` and `observe` are called only for the hooks that the plugin's [`PluginManifest`] declares.
/// They run outside of every lock, in the task of whoever caused them: a slow one slows its caller, is timed, and counts as a fault above `hooks.timeout_ms`.
#[async_trait]
pub trait Plugin: Send + Sync + 'static {
    /// Called once, before anything is accepted, in the order of the hooks, with `hooks.start_timeout_ms` to finish.
    ///
    /// # Errors
    /// An error makes the orchestrator's start fail, naming the plugin.
    async fn start(&self, context: PluginContext) -> Result<(), PluginError> {
        let _ = context;
        Ok(())
    }

    /// A recorder that receives all metrics, of the core and of every plugin, besides the one that the orchestrator has. Asked once, before [`Self::start`].
    fn recorder(&self) -> Option<Arc<dyn Recorder + Send + Sync>> {
        None
    }

    /// Called once at shutdown, in the opposite order, with `hooks.timeout_ms` to finish.
    async fn stop(&self) {}

    /// May rewrite a task.
    fn shape(&self, context: &HookContext<'_>, call: &ShapeCall<'_>) -> Shape {
        let _ = (context, call);
        Shape::Keep
    }

    /// May refuse. A guard that fails, panics or overruns its limit refuses.
    fn guard(&self, context: &HookContext<'_>, call: &GuardCall<'_>) -> Verdict {
        let _ = (context, call);
        Verdict::Allow
    }

    /// Sees what was decided, after it was committed.
    fn observe(&self, context: &HookContext<'_>, what: &Observed<'_>) {
        let _ = (context, what);
    }

    /// How it is, for the status and the health of the orchestrator. One that takes longer than `hooks.timeout_ms` counts as degraded.
    fn health(&self) -> PluginHealth {
        PluginHealth::healthy()
    }

    /// Takes another configuration section at run time.
    ///
    /// # Errors
    /// [`PluginError::NotReconfigurable`] unless the plugin says otherwise; the old configuration stays then.
    fn reconfigure(&self, section: &PluginSection) -> Result<(), PluginError> {
        let _ = section;
        Err(PluginError::NotReconfigurable)
    }
}

const _: fn(&dyn Plugin) = |_| {};
