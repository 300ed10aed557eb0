//! Two plugins of a user's own: a guard that limits each tenant, and an observer that counts.
//!
//! Shows: a manifest with hooks and order, a configuration section, `register_plugin!`, a veto with a
//! stable code, health, a service offered by type, and reconfiguration at run time.
//!
//! ```text
//! cargo run --example quota_plugin
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;
use universal_orchestrator::plugin::{
    GuardCall, HealthStatus, HookContext, HookPoint, HookSet, Observed, Plugin, PluginContext,
    PluginDescriptor, PluginError, PluginHealth, PluginManifest, PluginSection, Verdict,
};
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, OrchestratorConfig, Refusal, Task, TaskContext, TaskRecord,
    UniversalOrchestrator, agent_fn, async_trait, register_plugin,
};

const MINUTE: Duration = Duration::from_secs(60);

/// The guard: vetoes a task when its tenant has submitted enough within the last minute.
static QUOTA: PluginDescriptor = PluginDescriptor::new(
    PluginManifest::new(
        "quota",
        "limits how many tasks a tenant submits in a minute",
        HookSet::none()
            .guard(HookPoint::Submit)
            .observe(HookPoint::Tick),
    )
    .example("tasks_per_minute = 600"),
    |section| {
        Ok(Box::new(Quota {
            tenants: Arc::new(Tenants::new(section.parse()?)),
        }))
    },
);

/// The observer: counts what became of the tasks that got through.
static TALLY: PluginDescriptor = PluginDescriptor::new(
    PluginManifest::new(
        "tally",
        "counts what becomes of tasks",
        HookSet::none()
            .observe(HookPoint::Submit)
            .observe(HookPoint::Complete)
            .observe(HookPoint::Fail),
    )
    .after(&["quota"]),
    |section| {
        section.parse::<NoSettings>()?;
        Ok(Box::new(Tally::default()))
    },
);

register_plugin!(QUOTA);
register_plugin!(TALLY);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = OrchestratorConfig::from_toml_str(
        "
        [plugins]
        required = [\"quota\", \"tally\"]
        [plugins.quota]
        tasks_per_minute = 3
        ",
    )?;
    let orchestrator = UniversalOrchestrator::start(config).await?;
    let agent = agent_fn(async |n: u64, _: TaskContext| Ok::<_, AgentError>(n * n));
    let spec = AgentSpec::new("squarer", AgentRole::Worker).capabilities(["square"]);
    orchestrator.register_agent(spec.in_process(agent)).await?;

    for n in 1..=4 {
        square(&orchestrator, "acme", n).await?;
    }
    square(&orchestrator, "umbrella", 5).await?;

    if let Some(quotas) = orchestrator.service::<dyn Quotas>() {
        println!(
            "left: acme {}, umbrella {}",
            quotas.left("acme"),
            quotas.left("umbrella")
        );
    }
    orchestrator.reconfigure_plugin("quota", "tasks_per_minute = 10")?;
    square(&orchestrator, "acme", 6).await?;

    if let Some(tally) = orchestrator.service::<Counts>() {
        println!("{tally}");
    }
    for plugin in orchestrator.plugins() {
        println!(
            "{}: {:?}, {} vetoes",
            plugin.name, plugin.health.status, plugin.vetoes
        );
    }
    orchestrator.shutdown().await;
    Ok(())
}

async fn square(
    orchestrator: &UniversalOrchestrator,
    tenant: &str,
    n: u64,
) -> Result<(), Box<dyn Error>> {
    let task = Task::new("square").requires(["square"]).payload(n);
    match orchestrator.execute(task.tenant(tenant)).await {
        Ok(outcome) => println!("{tenant}: {n} squared is {}", outcome.into_result()?),
        Err(refused) => match refused.reason() {
            Refusal::Vetoed(veto) => println!("{tenant}: {n} was vetoed: {}", veto.text),
            _ => return Err(refused.into()),
        },
    }
    Ok(())
}

/// The section `[plugins.quota]`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct QuotaConfig {
    /// Tasks that one tenant may submit within any minute. Default 60; 0 refuses every task.
    tasks_per_minute: usize,
}

impl Default for QuotaConfig {
    fn default() -> Self {
        Self {
            tasks_per_minute: 60,
        }
    }
}

/// What the plugin offers to agents, users and other plugins.
trait Quotas: Send + Sync {
    /// How many tasks a tenant may submit now.
    fn left(&self, tenant: &str) -> usize;
}

#[derive(Debug)]
struct Quota {
    tenants: Arc<Tenants>,
}

/// When each tenant submitted, as far back as a minute.
#[derive(Debug)]
struct Tenants {
    state: Mutex<TenantsState>,
}

#[derive(Debug)]
struct TenantsState {
    config: QuotaConfig,
    recent: HashMap<String, VecDeque<Instant>>,
}

impl Tenants {
    fn new(config: QuotaConfig) -> Self {
        let recent = HashMap::new();
        Self {
            state: Mutex::new(TenantsState { config, recent }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, TenantsState> {
        // Every section leaves the state whole, so it is sound after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TenantsState {
    /// Forgets what is older than a minute, and tenants of whom nothing is left.
    fn forget_old(&mut self) {
        let now = Instant::now();
        self.recent.retain(|_, times| {
            times.retain(|time| now.duration_since(*time) < MINUTE);
            !times.is_empty()
        });
    }

    fn left(&self, tenant: &str) -> usize {
        let used = self.recent.get(tenant).map_or(0, VecDeque::len);
        self.config.tasks_per_minute.saturating_sub(used)
    }
}

impl Quotas for Tenants {
    fn left(&self, tenant: &str) -> usize {
        let mut state = self.lock();
        state.forget_old();
        state.left(tenant)
    }
}

#[async_trait]
impl Plugin for Quota {
    async fn start(&self, context: PluginContext) -> Result<(), PluginError> {
        let tenants: Arc<dyn Quotas> = Arc::<Tenants>::clone(&self.tenants);
        context.services.offer(tenants);
        Ok(())
    }

    fn guard(&self, _: &HookContext<'_>, call: &GuardCall<'_>) -> Verdict {
        let GuardCall::Submit { task } = call else {
            return Verdict::Allow;
        };
        let Some(tenant) = tenant_of(task) else {
            return Verdict::Allow;
        };
        let mut state = self.tenants.lock();
        state.forget_old();
        if state.left(tenant) == 0 {
            let max = state.config.tasks_per_minute;
            return Verdict::veto(
                "quota_exhausted",
                format!("tenant {tenant} has submitted {max} tasks within a minute: wait"),
            );
        }
        // Counted here and not when it is accepted, so that two at the same time cannot share the last place.
        let times = state.recent.entry(tenant.to_owned()).or_default();
        times.push_back(Instant::now());
        Verdict::Allow
    }

    fn observe(&self, _: &HookContext<'_>, what: &Observed<'_>) {
        if matches!(what, Observed::Tick) {
            self.tenants.lock().forget_old();
        }
    }

    fn health(&self) -> PluginHealth {
        let state = self.tenants.lock();
        let exhausted = state.recent.keys().filter(|tenant| state.left(tenant) == 0);
        match exhausted.count() {
            0 => PluginHealth::healthy(),
            tenants => PluginHealth::of(
                HealthStatus::Degraded,
                format!("{tenants} tenants have nothing left of their quota"),
            ),
        }
    }

    fn reconfigure(&self, section: &PluginSection) -> Result<(), PluginError> {
        self.tenants.lock().config = section.parse()?;
        Ok(())
    }
}

fn tenant_of(task: &TaskRecord) -> Option<&str> {
    task.task().tenant_name().map(|tenant| tenant.as_str())
}

/// The section `[plugins.tally]`: nothing to set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

/// What `tally` has counted; offered as a service under its own type.
#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (accepted, succeeded) = (load(&self.accepted), load(&self.succeeded));
        let failed = load(&self.failed);
        write!(
            f,
            "{accepted} accepted, {succeeded} succeeded, {failed} failed"
        )
    }
}

#[derive(Debug, Default)]
struct Tally {
    counts: Arc<Counts>,
}

#[async_trait]
impl Plugin for Tally {
    async fn start(&self, context: PluginContext) -> Result<(), PluginError> {
        context.services.offer(Arc::clone(&self.counts));
        Ok(())
    }

    fn observe(&self, _: &HookContext<'_>, what: &Observed<'_>) {
        let count = match what {
            Observed::Submitted { .. } => &self.counts.accepted,
            Observed::Completed { .. } => &self.counts.succeeded,
            Observed::Failed { .. } => &self.counts.failed,
            _ => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
