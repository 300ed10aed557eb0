//! Builds the status document.

use std::collections::BTreeMap;

use crate::agent::AgentRole;
use crate::engine::{Counts, WindowFigures};
use crate::orchestrator::UniversalOrchestrator;
use crate::orchestrator::shared::Shared;
use crate::plugin::{HealthStatus, PluginStatus};
use crate::status::{
    AgentsStatus, BreakerStatus, PerformanceStatus, QueueStatus, Status, TasksStatus,
};
use crate::task::{Priority, TaskState};

/// Tasks that must have ended in the window before an error rate means anything.
const ERROR_RATE_FROM: u64 = 10;

impl UniversalOrchestrator {
    /// One snapshot of everything. Its cost does not grow with the number of agents.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.build_status()
    }
}

impl Shared {
    /// Share of failed tasks in the window, once enough have ended.
    pub(crate) fn error_rate(&self, window: &WindowFigures) -> Option<f64> {
        (window.ended >= ERROR_RATE_FROM)
            .then(|| window.errors as f64 * 100.0 / window.ended as f64)
    }

    pub(crate) fn build_status(&self) -> Status {
        let counts = self.with_engine(|e, now| e.counts(now));
        let plugins = self.plugins.status();
        let (budget, _) = self.ledger.views(self.config.status.list_max);
        let reading = self.resources.last();
        let (health_status, health_issues) = self.health(&counts, &plugins);
        Status {
            orchestrator_id: self.name.clone(),
            mode: self.config.mode.as_str().to_owned(),
            uptime_seconds: self.epoch.stamp().0 as f64 / 1e9,
            health_status,
            health_issues,
            critical_alerts: plugins.iter().map(|p| p.health.critical_alerts).sum(),
            agents: agents(&counts),
            tasks: tasks(&counts),
            queue: self.queue(&counts),
            performance: PerformanceStatus {
                average_task_duration_ms: counts.window.mean.as_secs_f64() * 1e3,
                error_rate_percent: match counts.window.ended {
                    0 => 0.0,
                    ended => counts.window.errors as f64 * 100.0 / ended as f64,
                },
                throughput_per_second: counts.window.per_second,
                cpu_usage_percent: reading.cpu_percent,
                memory_usage_percent: reading.memory_percent,
                process_memory_mb: reading.process_bytes.map(|b| b as f64 / 1e6),
                targets_exceeded: self.alerts.counts(),
            },
            circuit_breakers: counts
                .breakers
                .iter()
                .map(|(id, state)| (id.to_string(), BreakerStatus { state: *state }))
                .collect(),
            capabilities_index: counts
                .capabilities
                .iter()
                .map(|(c, n)| (c.to_string(), *n))
                .collect(),
            capabilities_total: counts.capabilities_total,
            plugins,
            budget,
            alerts: self.alerts.recent(),
            events_lagged: self.events.lagged(),
            timestamp_ms: self.wall.unix_ms(),
        }
    }

    /// The worst of what the counts and the plugins say.
    fn health(&self, counts: &Counts, plugins: &[PluginStatus]) -> (HealthStatus, Vec<String>) {
        let mut worst = HealthStatus::Healthy;
        let mut issues = Vec::new();
        let mut add = |status: HealthStatus, text: String| {
            worst = worst.max(status);
            issues.push(text);
        };
        let agents = &counts.agents;
        if agents.breaker_open > 0 {
            add(
                HealthStatus::Degraded,
                format!(
                    "{} agents are behind an open circuit breaker",
                    agents.breaker_open
                ),
            );
        }
        if agents.unreachable > 0 {
            add(
                HealthStatus::Degraded,
                format!("{} agents are unreachable", agents.unreachable),
            );
        }
        if counts.unroutable > 0 {
            add(
                HealthStatus::Degraded,
                format!(
                    "{} queued tasks require what no registered agent has",
                    counts.unroutable
                ),
            );
        }
        let target = self.config.max_error_rate_percent;
        if let Some(percent) = self
            .error_rate(&counts.window)
            .filter(|p| target < 100.0 && *p > target)
        {
            add(
                HealthStatus::Unhealthy,
                format!("Error rate ({percent:.1}%) exceeds threshold ({target}%)"),
            );
        }
        if agents.total > 0 && agents.available == 0 && counts.ready > 0 {
            add(
                HealthStatus::Critical,
                format!("{} tasks are ready and no agent is available", counts.ready),
            );
        }
        for plugin in plugins
            .iter()
            .filter(|p| p.enabled && p.health.status > HealthStatus::Healthy)
        {
            let detail = plugin.health.detail.as_deref().unwrap_or("no detail given");
            add(
                plugin.health.status,
                format!("plugin {}: {detail}", plugin.name),
            );
        }
        for plugin in plugins.iter().filter(|p| !p.switched_off.is_empty()) {
            add(
                HealthStatus::Degraded,
                format!(
                    "plugin {}: {} hooks were switched off after faults",
                    plugin.name,
                    plugin.switched_off.len()
                ),
            );
        }
        (worst, issues)
    }

    fn queue(&self, counts: &Counts) -> QueueStatus {
        QueueStatus {
            depth: counts.by_state[TaskState::Queued as usize],
            max: self.config.queue.max_tasks,
            ready: counts.ready,
            delayed: counts.delayed,
            blocked: counts.blocked,
            key_limited: counts.key_limited,
            budget_limited: counts.budget_limited,
            unroutable: counts.unroutable,
            by_priority: Priority::ALL
                .iter()
                .zip(counts.by_level)
                .map(|(p, n)| (p.as_str(), n))
                .collect(),
            intake_paused: counts.intake_paused,
            queue_paused: counts.queue_paused,
            paused_capabilities: counts.paused.iter().map(ToString::to_string).collect(),
        }
    }
}

fn agents(counts: &Counts) -> AgentsStatus {
    let c = &counts.agents;
    let by_role: BTreeMap<_, _> = AgentRole::ALL
        .iter()
        .zip(c.by_role)
        .filter(|(_, n)| *n > 0)
        .map(|(role, n)| (role.as_str(), n))
        .collect();
    AgentsStatus {
        total: c.total,
        active: c.available,
        busy: c.busy,
        by_role,
        sleeping: c.sleeping,
        draining: c.draining,
        quarantined: c.quarantined,
        unreachable: c.unreachable,
        breaker_open: c.breaker_open,
        over_budget: c.over_budget,
        zombies: c.zombies,
    }
}

fn tasks(counts: &Counts) -> TasksStatus {
    let of = |state: TaskState| counts.by_state[state as usize];
    use TaskState as S;
    TasksStatus {
        active: of(S::Queued) + of(S::Assigned) + of(S::Running),
        completed_total: of(S::Succeeded),
        error_total: of(S::Failed) + of(S::TimedOut),
        accepted: counts.accepted,
        refused: counts.refused,
        queued: of(S::Queued),
        assigned: of(S::Assigned),
        running: of(S::Running),
        succeeded: of(S::Succeeded),
        failed: of(S::Failed),
        timed_out: of(S::TimedOut),
        cancelled: of(S::Cancelled),
        rejected: of(S::Rejected),
        retries: counts.retries,
        reports_refused: counts.reports_refused,
        retained: counts.retained,
        dead_letters: counts.dead_letters,
    }
}
