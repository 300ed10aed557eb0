//! What a program does before an agent sleeps and before it works again.

use async_trait::async_trait;
use universal_orchestrator::AgentId;

use crate::sleep::SleepReason;

/// Checkpoint and pre-warm, registered with [`AutomationService::set_sleep_hooks`](crate::AutomationService::set_sleep_hooks).
///
/// Each call has `sleep.hook_timeout_ms`; after that, or a panic, the agent sleeps or wakes all the same.
#[async_trait]
pub trait SleepHooks: Send + Sync + 'static {
    /// The agent is about to sleep: save what it must not lose. It may still be at work.
    async fn checkpoint(&self, agent: &AgentId, reason: SleepReason) {
        let _ = (agent, reason);
    }

    /// The agent is about to be woken: load what it needs.
    async fn prewarm(&self, agent: &AgentId) {
        let _ = agent;
    }
}

const _: fn(&dyn SleepHooks) = |_| {};
