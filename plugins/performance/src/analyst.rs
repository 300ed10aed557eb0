//! Once an interval: from what hooks wrote to a snapshot, alerts and metrics. Runs on a thread that may block.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator::plugin::Control;
use universal_orchestrator::{AgentFilter, AgentView, Capability, CapabilitySet, Status};

use crate::NAME;
use crate::alert::{AlertState, Severity};
use crate::collect::{CapabilityFlow, Dimension, SeriesKey, Slot, Windows};
use crate::config::PerformanceConfig;
use crate::find::{AgentPace, Bottleneck, CapabilityLoad, Evidence, Loads, find_bottlenecks};
use crate::names::{MetricName, OwnMetrics};
use crate::shared::Shared;
use crate::snapshot::{PerformanceSnapshot, QueueFigures, Row};

/// Makes the snapshots.
#[derive(Debug)]
pub(crate) struct Analyst {
    shared: Arc<Shared>,
    control: Control,
    metrics: OwnMetrics,
    windows: Windows,
    loads: Loads,
    looked_at: Instant,
    untracked: u64,
}

impl Analyst {
    pub(crate) fn new(
        shared: Arc<Shared>,
        control: Control,
        metrics: OwnMetrics,
        now: Instant,
    ) -> Self {
        let slots = shared.config().slots();
        Self {
            shared,
            control,
            metrics,
            windows: Windows::new(slots),
            loads: Loads::new(slots),
            looked_at: now,
            untracked: 0,
        }
    }

    /// One interval; `false` when the orchestrator is gone.
    pub(crate) fn look(&mut self, now: Instant) -> bool {
        let Some(status) = self.control.status() else {
            return false;
        };
        let covers = now.duration_since(std::mem::replace(&mut self.looked_at, now));
        let config = self.shared.config();
        self.take_batches(covers);
        let mut snapshot = self.measure(&status, &config);
        self.search(&status, &config, covers, &mut snapshot);
        let baseline = self.shared.baseline.lock().clone();
        snapshot.regressions = baseline.map(|baseline| baseline.compare(&snapshot, &config));
        self.shared
            .history
            .lock()
            .push(&snapshot, config.history_max);
        // Switched off at run time, it goes on measuring what it sees and raises nothing.
        let enabled = |status: &Status| status.plugins.iter().any(|p| p.name == NAME && p.enabled);
        if enabled(&status) {
            self.raise(now, &snapshot);
        }
        snapshot.alerts = self.shared.alerts.lock().active().cloned().collect();
        self.show(&snapshot);
        self.shared.publish(snapshot);
        true
    }

    /// Closes the slot of this interval, and shows it to exporters.
    fn take_batches(&mut self, covers: Duration) {
        let metrics = &mut self.metrics;
        let untracked = self
            .windows
            .advance(&self.shared.observations, covers, |key, slot| match key {
                SeriesKey::TaskType(_) | SeriesKey::Other(Dimension::TaskType) => {
                    show_task_type(metrics, key.name(), slot);
                }
                SeriesKey::Capability(_) | SeriesKey::Other(Dimension::Capability) => {
                    let label = metrics.capability(key.name());
                    let histogram = metrics.histogram(MetricName::QueueWait, &[label]);
                    record(&histogram, &slot.queue_wait);
                }
                _ => {}
            });
        let more = untracked.saturating_sub(self.untracked);
        self.metrics
            .counter(MetricName::Untracked, &[])
            .increment(more);
        self.untracked = untracked;
    }

    fn measure(&mut self, status: &Status, config: &PerformanceConfig) -> PerformanceSnapshot {
        PerformanceSnapshot {
            timestamp_ms: status.timestamp_ms,
            covers_seconds: self.windows.covers().as_secs_f64(),
            machine: self.shared.reading.lock().clone(),
            registration: self.windows.registration(),
            delegation: self.windows.delegation(),
            overall: self.windows.overall(),
            agents: self.windows.rows(Dimension::Agent),
            task_types: self.windows.rows(Dimension::TaskType),
            capabilities: self.windows.rows(Dimension::Capability),
            agents_active: status.agents.active,
            queue: QueueFigures {
                depth: status.queue.depth,
                ready: status.queue.ready,
                at_work: status.tasks.assigned + status.tasks.running,
            },
            judged_from: config.judged_from,
            untracked: self.untracked,
            ..PerformanceSnapshot::default()
        }
    }

    fn search(
        &mut self,
        status: &Status,
        config: &PerformanceConfig,
        covers: Duration,
        snapshot: &mut PerformanceSnapshot,
    ) {
        let (total, max) = (status.agents.total, config.agents_examined_max);
        if total > max {
            self.loads.forget_all();
            snapshot.bottlenecks_skipped = Some(format!(
                "{total} agents are registered, agents_examined_max is {max}: raise it"
            ));
            return;
        }
        let agents = self.control.agents(&AgentFilter::all().limit(max));
        let loads = self.loads.look(&agents, covers);
        for (name, load) in &loads {
            let label = self.metrics.capability(name.as_str());
            self.metrics
                .gauge(MetricName::CapabilityBusy, &[label])
                .set(load.busy_percent() / 100.0);
        }
        snapshot.bottlenecks = self.bottlenecks(status, config, &loads, &agents, snapshot);
    }

    fn bottlenecks(
        &self,
        status: &Status,
        config: &PerformanceConfig,
        loads: &BTreeMap<Capability, CapabilityLoad>,
        agents: &[AgentView],
        snapshot: &PerformanceSnapshot,
    ) -> Vec<Bottleneck> {
        let mut flows: BTreeMap<Capability, CapabilityFlow> = BTreeMap::new();
        for row in &snapshot.capabilities {
            if let Some((name, _)) = loads.iter().find(|(name, _)| name.as_str() == row.name) {
                let wait = row.figures.queue_wait.p95_ms;
                flows.insert(name.clone(), self.windows.flow(name, wait));
            }
        }
        let evidence = Evidence {
            loads,
            flows: &flows,
            peers: &peers(agents, &snapshot.agents),
            queue: &status.queue,
            bound: snapshot.overall.queue_wait.count,
            window_seconds: snapshot.covers_seconds,
        };
        find_bottlenecks(&evidence, config)
    }

    /// Looks at the rules and tells people.
    fn raise(&self, now: Instant, snapshot: &PerformanceSnapshot) {
        let notices = self
            .shared
            .alerts
            .lock()
            .look(now, snapshot.timestamp_ms, |rule| {
                rule.signal.value(snapshot, rule.only.as_ref())
            });
        for notice in notices {
            if notice.fired {
                self.metrics
                    .counter(MetricName::AlertsTold, &[&notice.rule])
                    .increment(1);
            }
            // A full queue of commands is counted by the host; the status shows the alert all the same.
            let _ = self.control.notify(NAME, notice.text);
        }
    }

    fn show(&self, snapshot: &PerformanceSnapshot) {
        let gauge = |name, value: f64| self.metrics.gauge(name, &[]).set(value);
        let ratio = |name, percent: Option<f64>| {
            if let Some(percent) = percent {
                gauge(name, percent / 100.0);
            }
        };
        if let Some(machine) = &snapshot.machine {
            ratio(MetricName::CpuBusy, machine.cpu_percent);
            ratio(MetricName::MemoryUsed, machine.memory_percent);
            ratio(MetricName::DiskUsed, machine.disk_percent);
            ratio(MetricName::ProcessCpu, machine.process_cpu_percent);
            if let Some(load) = machine.load_one {
                gauge(MetricName::Load, load);
            }
            let total = |name, bytes| self.metrics.counter(name, &[]).absolute(bytes);
            total(MetricName::NetworkReceived, machine.network_received_bytes);
            total(MetricName::NetworkSent, machine.network_sent_bytes);
        }
        gauge(MetricName::Bottlenecks, snapshot.bottlenecks.len() as f64);
        if let Some(regressions) = &snapshot.regressions {
            gauge(MetricName::Regressions, regressions.len() as f64);
        }
        for severity in Severity::ALL {
            let firing = snapshot
                .alerts
                .iter()
                .filter(|a| a.severity == severity && a.state != AlertState::Pending);
            self.metrics
                .gauge(MetricName::AlertsFiring, &[severity.as_str()])
                .set(firing.count() as f64);
        }
    }
}

fn show_task_type(metrics: &mut OwnMetrics, name: &str, slot: &Slot) {
    let label = metrics.task_type(name);
    record(
        &metrics.histogram(MetricName::Execution, &[label]),
        &slot.execution,
    );
    let tally = &slot.tally;
    for (outcome, count) in [
        ("succeeded", tally.succeeded),
        ("failed", tally.failed),
        ("timed_out", tally.timed_out),
        ("rejected", tally.rejected),
        ("cancelled", tally.cancelled),
    ] {
        if count > 0 {
            metrics
                .counter(MetricName::Tasks, &[label, outcome])
                .increment(count);
        }
    }
    if tally.retried > 0 {
        metrics
            .counter(MetricName::Retries, &[label])
            .increment(tally.retried);
    }
}

fn record(histogram: &metrics::Histogram, recorded: &[(u64, u32)]) {
    for (nanos, count) in recorded {
        let times = usize::try_from(*count).unwrap_or(usize::MAX);
        histogram.record_many(*nanos as f64 / 1e9, times);
    }
}

/// Agents of the same capabilities, with their pace.
fn peers(agents: &[AgentView], rows: &[Row]) -> Vec<Vec<AgentPace>> {
    let mut groups: Vec<(CapabilitySet, Vec<AgentPace>)> = Vec::new();
    let paces: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.name.as_str(), row)).collect();
    for agent in agents {
        let Some(row) = paces.get(agent.id.as_str()) else {
            continue;
        };
        let pace = AgentPace {
            agent: agent.id.clone(),
            ended: row.figures.execution.count,
            p95_ms: row.figures.execution.p95_ms,
        };
        match groups
            .iter_mut()
            .find(|(set, _)| *set == agent.capabilities)
        {
            Some((_, group)) => group.push(pace),
            None => groups.push((agent.capabilities.clone(), vec![pace])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
