//! What was measured, as a document.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::find::{Bottleneck, Regression};
use crate::sample::MachineReading;
use crate::signal::Scope;

/// A latency over the window, in milliseconds. Percentiles are exact to one per cent and to 64 ns.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// The mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// The 95th percentile.
    pub p95_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The 99.9th percentile.
    #[serde(rename = "p99.9_ms")]
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Latency {
    /// Itself, when anything was measured.
    #[must_use]
    pub fn known(&self) -> Option<&Self> {
        (self.count > 0).then_some(self)
    }
}

/// What became of tasks in the window, of all or of one agent, task type or capability.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figures {
    /// Succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Timed out.
    pub timed_out: u64,
    /// Rejected after they were accepted.
    pub rejected: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Attempts that failed and were followed by another.
    pub retried: u64,
    /// Tasks that succeeded, failed or timed out, per second.
    pub throughput_per_second: f64,
    /// Failed and timed-out share of those; `None` when there were none.
    pub error_rate_percent: Option<f64>,
    /// The same with every attempt counted, also those that were followed by another.
    pub attempt_error_rate_percent: Option<f64>,
    /// From assignment to the end, of tasks that succeeded, failed or timed out.
    pub execution: Latency,
    /// From acceptance to the first binding. Of an agent it is not measured.
    pub queue_wait: Latency,
}

impl Figures {
    /// Tasks that succeeded, failed or timed out.
    #[must_use]
    pub const fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.timed_out
    }
}

/// Figures with the name that they are of.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// An agent id, a task type, a capability, or `other` for what came after `tracked_max`.
    pub name: String,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The name of the row that holds what came after `tracked_max`.
pub const OTHER: &str = "other";

/// The queue, when the snapshot was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct QueueFigures {
    /// Waiting in all.
    pub depth: u64,
    /// Ready and waiting for an agent.
    pub ready: usize,
    /// Assigned or running.
    pub at_work: u64,
}

/// Everything that was measured, made once an interval.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct PerformanceSnapshot {
    /// When, in milliseconds since 1970-01-01 UTC; 0 before the first.
    pub timestamp_ms: u64,
    /// What the figures cover, in seconds: less than the window until it is full.
    pub covers_seconds: f64,
    /// Processor, memory, disk, network and load; `None` before the first sample.
    pub machine: Option<MachineReading>,
    /// Time of registrations.
    pub registration: Latency,
    /// Time of `delegate_task` calls.
    pub delegation: Latency,
    /// All tasks together.
    pub overall: Figures,
    /// By agent, most work first.
    pub agents: Vec<Row>,
    /// By task type, most work first.
    pub task_types: Vec<Row>,
    /// By required capability, most work first.
    pub capabilities: Vec<Row>,
    /// Agents that may take work.
    pub agents_active: usize,
    /// The queue.
    pub queue: QueueFigures,
    /// What limits throughput now.
    pub bottlenecks: Vec<Bottleneck>,
    /// Why bottlenecks were not looked for.
    pub bottlenecks_skipped: Option<String>,
    /// What became worse than the baseline; `None` without one.
    pub regressions: Option<Vec<Regression>>,
    /// Alerts that are pending or fire.
    pub alerts: Vec<Alert>,
    /// Ends of tasks that an error rate needs to be judged.
    pub judged_from: u64,
    /// Observations that were counted as `other`, since the start.
    pub untracked: u64,
}

impl PerformanceSnapshot {
    /// The figures of one agent, task type or capability, when it has its own.
    #[must_use]
    pub fn figures(&self, scope: &Scope) -> Option<&Figures> {
        let (rows, name) = match scope {
            Scope::Agent(name) => (&self.agents, name),
            Scope::TaskType(name) => (&self.task_types, name),
            Scope::Capability(name) => (&self.capabilities, name),
        };
        let row = rows.iter().find(|row| row.name == *name)?;
        Some(&row.figures)
    }

    /// Whether nothing waits, runs or ended in the window.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.overall.ended() == 0 && self.queue.depth == 0 && self.queue.at_work == 0
    }
}
