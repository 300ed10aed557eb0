//! What hooks, background tasks, health and the service share.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};

use crate::alert::{AlertBook, AlertState, Severity};
use crate::collect::Observations;
use crate::config::PerformanceConfig;
use crate::find::{Baseline, History};
use crate::sample::MachineReading;
use crate::snapshot::{PerformanceSnapshot, Row};

/// What hooks, background tasks, health and the service share. Each lock is held for a few lines, and never two at a time.
#[derive(Debug)]
pub(crate) struct Shared {
    config: RwLock<Arc<PerformanceConfig>>,
    pub(crate) observations: Observations,
    pub(crate) reading: Mutex<Option<MachineReading>>,
    pub(crate) alerts: Mutex<AlertBook>,
    pub(crate) history: Mutex<History>,
    pub(crate) baseline: Mutex<Option<Arc<Baseline>>>,
    pub(crate) listens_at: OnceLock<SocketAddr>,
    /// What no longer works, and the panic that ended it.
    pub(crate) broken: Mutex<Option<String>>,
    published: Mutex<Published>,
}

#[derive(Debug, Clone)]
struct Published {
    snapshot: Arc<PerformanceSnapshot>,
    details: Value,
}

impl Shared {
    pub(crate) fn new(config: PerformanceConfig) -> Self {
        let book = AlertBook::new(config.effective_rules(), config.resolved_max);
        let empty = PerformanceSnapshot {
            judged_from: config.judged_from,
            ..PerformanceSnapshot::default()
        };
        Self {
            observations: Observations::new(config.tracked_max),
            config: RwLock::new(Arc::new(config)),
            reading: Mutex::new(None),
            alerts: Mutex::new(book),
            history: Mutex::new(History::default()),
            baseline: Mutex::new(None),
            listens_at: OnceLock::new(),
            broken: Mutex::new(None),
            published: Mutex::new(Published {
                snapshot: Arc::new(empty),
                details: Value::Null,
            }),
        }
    }

    pub(crate) fn config(&self) -> Arc<PerformanceConfig> {
        Arc::clone(&self.config.read())
    }

    pub(crate) fn reconfigure(&self, config: PerformanceConfig) {
        let (rules, resolved_max) = (config.effective_rules(), config.resolved_max);
        *self.config.write() = Arc::new(config);
        self.alerts.lock().replace_rules(rules, resolved_max);
    }

    pub(crate) fn snapshot(&self) -> Arc<PerformanceSnapshot> {
        Arc::clone(&self.published.lock().snapshot)
    }

    pub(crate) fn publish(&self, snapshot: PerformanceSnapshot) {
        let details = self.details_of(&snapshot);
        *self.published.lock() = Published {
            snapshot: Arc::new(snapshot),
            details,
        };
    }

    /// The figures for the status, made once an interval.
    pub(crate) fn details(&self) -> Value {
        self.published.lock().details.clone()
    }

    /// The short form for the status.
    fn details_of(&self, snapshot: &PerformanceSnapshot) -> Value {
        let config = self.config();
        let top = |rows: &[Row]| -> Vec<Value> { rows.iter().take(config.top).map(row).collect() };
        let alerts: Vec<Value> = snapshot
            .alerts
            .iter()
            .filter(|alert| alert.state != AlertState::Pending)
            .map(|alert| json!({ "rule": alert.rule, "severity": alert.severity, "state": alert.state, "value": alert.value }))
            .collect();
        json!({
            "covers_seconds": snapshot.covers_seconds,
            "execution": &snapshot.overall.execution,
            "queue_wait": &snapshot.overall.queue_wait,
            "delegation": &snapshot.delegation,
            "registration": &snapshot.registration,
            "throughput_per_second": snapshot.overall.throughput_per_second,
            "error_rate_percent": snapshot.overall.error_rate_percent,
            "agents": top(&snapshot.agents),
            "task_types": top(&snapshot.task_types),
            "capabilities": top(&snapshot.capabilities),
            "alerts": alerts,
            "bottlenecks": snapshot.bottlenecks.iter().take(config.top).map(|one| one.recommendation.as_str()).collect::<Vec<_>>(),
            "prometheus": self.listens_at.get().map(|at| format!("http://{at}/metrics")),
        })
    }

    /// Critical alerts that nobody has acknowledged, and the worst of all that fire.
    pub(crate) fn standing(&self) -> (u32, Option<Severity>, Vec<String>) {
        let book = self.alerts.lock();
        let unseen = book.firing().filter(|alert| {
            alert.severity == Severity::Critical && alert.state == AlertState::Firing
        });
        let unseen = u32::try_from(unseen.count()).unwrap_or(u32::MAX);
        let worst = book.firing().map(|alert| alert.severity).max();
        let named = book
            .firing()
            .filter(|alert| alert.severity > Severity::Info)
            .map(|alert| format!("{} ({:.1})", alert.rule, alert.value));
        (unseen, worst, named.collect())
    }
}

fn row(row: &Row) -> Value {
    json!({
        "name": row.name,
        "ended": row.figures.ended(),
        "throughput_per_second": row.figures.throughput_per_second,
        "error_rate_percent": row.figures.error_rate_percent,
        "p50_ms": row.figures.execution.p50_ms,
        "p95_ms": row.figures.execution.p95_ms,
        "p99_ms": row.figures.execution.p99_ms,
    })
}
