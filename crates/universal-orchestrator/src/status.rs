//! The status document: one snapshot.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::budget::AccountView;
use crate::plugin::{HealthStatus, PluginStatus};

/// One snapshot of the orchestrator. Lifecycle counts are consistent with each other; rates cover the window `status.window_ms` and may lag by one of its sixtieths.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Which orchestrator, unique in its process.
    pub orchestrator_id: String,
    /// Configured mode.
    pub mode: String,
    /// Seconds since it started.
    pub uptime_seconds: f64,
    /// Worst of the core's own health and that of its plugins.
    pub health_status: HealthStatus,
    /// Why it is not healthy.
    pub health_issues: Vec<String>,
    /// Alerts that need somebody now.
    pub critical_alerts: u32,
    /// Agents.
    pub agents: AgentsStatus,
    /// Tasks.
    pub tasks: TasksStatus,
    /// The queue.
    pub queue: QueueStatus,
    /// Times and rates.
    pub performance: PerformanceStatus,
    /// Breakers that keep their agents away from work, open or with all half-open probes taken, at most `status.list_max`.
    pub circuit_breakers: BTreeMap<String, BreakerStatus>,
    /// Agents per capability, at most `status.list_max` entries.
    pub capabilities_index: BTreeMap<String, usize>,
    /// Capabilities in all.
    pub capabilities_total: usize,
    /// Plugins.
    pub plugins: Vec<PluginStatus>,
    /// Budget accounts, at most `status.list_max`.
    pub budget: Vec<AccountView>,
    /// Recent alerts, the newest last, at most `status.list_max`.
    pub alerts: Vec<AlertView>,
    /// Events that slow listeners missed.
    pub events_lagged: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub timestamp_ms: u64,
}

/// Agents counted.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct AgentsStatus {
    /// Registered.
    pub total: usize,
    /// Available: may take work when a slot is free.
    pub active: usize,
    /// With at least one task.
    pub busy: usize,
    /// By role; roles without an agent are left out.
    pub by_role: BTreeMap<&'static str, usize>,
    /// Put to sleep.
    pub sleeping: usize,
    /// Draining.
    pub draining: usize,
    /// In quarantine.
    pub quarantined: usize,
    /// Heartbeat overdue.
    pub unreachable: usize,
    /// Behind an open breaker.
    pub breaker_open: usize,
    /// With a budget of their own that has no room.
    pub over_budget: usize,
    /// Slots held by attempts that are over and could not be stopped yet.
    pub zombies: usize,
}

/// Tasks counted. `accepted` is the sum of the live and the terminal ones.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct TasksStatus {
    /// Live: queued, assigned or running.
    pub active: u64,
    /// Succeeded.
    pub completed_total: u64,
    /// Failed or timed out.
    pub error_total: u64,
    /// Accepted through any door.
    pub accepted: u64,
    /// Refused at a door.
    pub refused: u64,
    /// Waiting.
    pub queued: u64,
    /// Bound, not begun.
    pub assigned: u64,
    /// Begun.
    pub running: u64,
    /// Succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Timed out.
    pub timed_out: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Rejected after acceptance.
    pub rejected: u64,
    /// Attempts followed by another.
    pub retries: u64,
    /// Reports refused as duplicate, stale or from a stranger.
    pub reports_refused: u64,
    /// Terminal tasks whose outcome can still be awaited.
    pub retained: usize,
    /// Dead letters held.
    pub dead_letters: usize,
}

/// The queue.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct QueueStatus {
    /// Waiting in all.
    pub depth: u64,
    /// The limit.
    pub max: usize,
    /// Ready and waiting for an agent.
    pub ready: usize,
    /// Waiting for their time, a retry delay or a rate.
    pub delayed: usize,
    /// Waiting for another task.
    pub blocked: usize,
    /// Waiting for their concurrency key.
    pub key_limited: usize,
    /// Waiting until a budget has room again.
    pub budget_limited: usize,
    /// Ready tasks that no registered agent can do.
    pub unroutable: usize,
    /// Ready tasks by priority.
    pub by_priority: BTreeMap<&'static str, usize>,
    /// Whether intake is paused.
    pub intake_paused: bool,
    /// Whether the queue is paused.
    pub queue_paused: bool,
    /// Paused capabilities, at most `status.list_max`.
    pub paused_capabilities: Vec<String>,
}

/// Times and rates over the window.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct PerformanceStatus {
    /// Mean time from assignment to the end, of tasks that succeeded, failed or timed out and that an agent had.
    pub average_task_duration_ms: f64,
    /// Failed and timed-out share of the tasks that succeeded, failed or timed out.
    pub error_rate_percent: f64,
    /// Tasks that succeeded, failed or timed out, per second.
    pub throughput_per_second: f64,
    /// CPU use of the host at the last health check; `None` before the first.
    pub cpu_usage_percent: Option<f64>,
    /// Memory use of the host at the last health check; `None` before the first.
    pub memory_usage_percent: Option<f64>,
    /// Resident memory of this process at the last health check, in megabytes; `None` before the first.
    pub process_memory_mb: Option<f64>,
    /// How often each target was exceeded; targets that never were are left out.
    pub targets_exceeded: BTreeMap<&'static str, u64>,
}

/// A breaker that is not closed.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct BreakerStatus {
    /// Its state.
    pub state: crate::breaker::BreakerState,
}

/// An alert.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct AlertView {
    /// Who raised it: `target` or a plugin.
    pub source: String,
    /// The text.
    pub text: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub timestamp_ms: u64,
}
