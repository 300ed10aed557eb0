//! A night shift: a fleet under load with all four plugins, and things go wrong.
//!
//! One agent turns slow, one dies with a task in its hands, one caller floods, one shows a forged token.
//! The program prints what the plugins saw and did, and fails unless every accepted task succeeded.
//!
//! ```text
//! cargo run --release --example operations
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use universal_orchestrator::{
    AgentError, AgentId, AgentRole, AgentSpec, OrchestratorConfig, Principal, Refusal, Task,
    TaskContext, TaskHandle, UniversalOrchestrator, agent_fn, async_trait,
};
use universal_orchestrator_bundle::automation::{
    AgentFactory, AutomationService, FactoryError, ScalingGroup,
};
use universal_orchestrator_bundle::context::{AssembledContext, ContextService, SessionId};
use universal_orchestrator_bundle::performance::PerformanceService;
use universal_orchestrator_bundle::security::{BearerToken, SecurityService};

/// Rounds of work, and the pause between two of them.
const ROUNDS: u32 = 120;
const PAUSE: Duration = Duration::from_millis(50);

const CONFIG: &str = r#"
    mode = "production"
    tick_interval_ms = 200

    [plugins]
    required = ["automation", "context", "performance", "security"]

    [agents]
    lease_ms = 500

    [retry]
    max_attempts = 6

    [plugins.performance]
    interval_ms = 500
    window_ms = 4_000

    [[plugins.security.identities]]
    name = "operator"
    roles = ["operator"]

    [[plugins.security.identities]]
    name = "shop"
    roles = ["customer"]

    [[plugins.security.identities]]
    name = "crawler"
    roles = ["customer"]

    [plugins.security.roles.operator]
    register_agents = ["*"]
    register_roles = ["*"]
    register_capabilities = ["*"]

    [plugins.security.roles.customer]
    submit_types = ["resize", "index", "summarize"]
    require_capabilities = ["*"]

    [plugins.security.rate_limits]
    submits_per_minute = 6_000
    burst = 300

    [[plugins.security.rules]]
    name = "floods"
    event = "rate_limited"
    count = 50
    severity = "high"
    action = "alert"

    [plugins.automation]
    tick_ms = 200

    [plugins.automation.sleep]
    enabled = true
    slow_mean_ms = 100
    minimum_calls = 5
    window_ms = 4_000

    [plugins.automation.scaling]
    out_wait_ms = 100
    out_cooldown_ms = 500

    [plugins.automation.recovery]
    tiers = ["retry", "restart", "quarantine", "ask"]
    failures_per_tier = 1
    retry_deadline_ms = 500
"#;

/// Makes agents that resize, as many as the load asks for.
struct Resizers;

#[async_trait]
impl AgentFactory for Resizers {
    async fn create(&self, number: u64) -> Result<AgentSpec, FactoryError> {
        let agent = agent_fn(|input: Value, _: TaskContext| async move {
            tokio::time::sleep(Duration::from_millis(60)).await;
            Ok::<_, AgentError>(input)
        });
        let spec = AgentSpec::new(format!("resizer-{number}"), AgentRole::Worker);
        Ok(spec.capabilities(["resize"]).in_process(agent))
    }
}

/// Indexes; slowly from the moment on that `slow` says so.
fn indexer(id: &str, slow: Arc<AtomicBool>) -> AgentSpec {
    let agent = agent_fn(move |input: Value, _: TaskContext| {
        let slow = Arc::clone(&slow);
        async move {
            let time = if slow.load(Ordering::Relaxed) {
                300
            } else {
                10
            };
            tokio::time::sleep(Duration::from_millis(time)).await;
            Ok::<_, AgentError>(input)
        }
    });
    AgentSpec::new(id, AgentRole::Worker)
        .capabilities(["index"])
        .in_process(agent)
}

/// Says how much of the session it was shown.
fn summarizer() -> AgentSpec {
    let agent = agent_fn(|round: u32, task: TaskContext| async move {
        let context = task.extensions().get::<AssembledContext>();
        let tokens = context.map_or(0, |context| context.tokens);
        Ok::<_, AgentError>(json!({ "round": round, "context_tokens": tokens }))
    });
    AgentSpec::new("summarizer", AgentRole::Specialist)
        .capabilities(["summarize"])
        .in_process(agent)
}

/// A worker that lives elsewhere: it asks for work and reports, until it dies with a task in its hands.
async fn mortal(orchestrator: UniversalOrchestrator, id: AgentId, dies: Arc<AtomicBool>) {
    while let Ok(Some(work)) = orchestrator.next_task(&id, Duration::from_secs(1)).await {
        if dies.load(Ordering::Relaxed) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        if orchestrator
            .complete_task(work.delegation(), json!("indexed"))
            .await
            .is_err()
        {
            return;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let orchestrator = UniversalOrchestrator::start(config(folder.path())?).await?;
    let security = orchestrator
        .service::<dyn SecurityService>()
        .ok_or("the plugin security is required")?;
    let caller = |name: &str| -> Result<Principal, Box<dyn Error>> {
        let token = security.issue(name, Duration::from_secs(3_600))?.token;
        Ok(Principal::new(name)?.with_credential(token))
    };
    let operator = orchestrator.as_principal(caller("operator")?)?;
    let shop = orchestrator.as_principal(caller("shop")?)?;
    let crawler = orchestrator.as_principal(caller("crawler")?)?;

    let (slow, dies) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let steady = Arc::new(AtomicBool::new(false));
    operator
        .register_agent(indexer("indexer-1", Arc::clone(&slow)))
        .await?;
    operator
        .register_agent(indexer("indexer-2", steady))
        .await?;
    operator.register_agent(summarizer()).await?;
    let spec = AgentSpec::new("indexer-elsewhere", AgentRole::Worker).capabilities(["index"]);
    let elsewhere = operator.register_agent(spec).await?;
    let worker = tokio::spawn(mortal(operator.clone(), elsewhere, Arc::clone(&dies)));
    let automation = orchestrator
        .service::<dyn AutomationService>()
        .ok_or("the plugin automation is required")?;
    automation.add_group(
        ScalingGroup::new("resizers", Arc::new(Resizers))
            .capabilities(["resize"])
            .between(1, 6)
            .principal(caller("operator")?),
    )?;
    while orchestrator.status().agents.total < 5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let performance = orchestrator
        .service::<PerformanceService>()
        .ok_or("the plugin performance is required")?;
    let (mut handles, mut findings) = (Vec::new(), BTreeSet::new());
    for round in 0..ROUNDS {
        match round {
            30 => slow.store(true, Ordering::Relaxed),
            45 => dies.store(true, Ordering::Relaxed),
            60 => flood(&crawler, &mut handles).await,
            75 => forge(&orchestrator).await?,
            _ => {}
        }
        handles.extend(work(&shop, round).await?);
        if round.is_multiple_of(10) {
            let found = performance.bottlenecks().into_iter();
            findings.extend(found.map(|finding| finding.recommendation));
        }
        tokio::time::sleep(PAUSE).await;
    }
    let mut failed = 0;
    for handle in &handles {
        failed += u32::from(!handle.outcome().await?.is_success());
    }
    worker.await?;
    println!("\nbottlenecks that were found");
    for finding in findings {
        println!("  {finding}");
    }
    report(&orchestrator, &performance, &*security, &*automation).await?;
    println!(
        "\n{} tasks were accepted, {failed} did not succeed",
        handles.len()
    );
    orchestrator.shutdown().await;
    if failed > 0 {
        return Err("the fleet did not finish every task".into());
    }
    Ok(())
}

/// The configuration, with the key and the audit log in a folder.
fn config(folder: &Path) -> Result<OrchestratorConfig, Box<dyn Error>> {
    let key = folder.join("key");
    std::fs::write(&key, "not secret: this key is for one run of an example")?;
    let log = folder.join("audit");
    Ok(OrchestratorConfig::from_toml_str(&format!(
        "{CONFIG}\n[plugins.security]\nkey_file = {key:?}\n[plugins.security.audit]\ndirectory = {log:?}\n"
    ))?)
}

/// What comes in with each round.
async fn work(shop: &UniversalOrchestrator, round: u32) -> Result<Vec<TaskHandle>, Box<dyn Error>> {
    let mut handles = Vec::new();
    for n in 0..2 {
        let resize = Task::new("resize").requires(["resize"]).payload(n);
        handles.push(shop.submit_task(resize).await?);
        let index = Task::new("index").requires(["index"]).payload(n);
        handles.push(shop.submit_task(index).await?);
    }
    if round.is_multiple_of(20) {
        let task = Task::new("summarize")
            .requires(["summarize"])
            .payload(round);
        let task = task.metadata("context.session", "night-shift");
        handles.push(shop.submit_task(task).await?);
    }
    Ok(handles)
}

/// One caller wants everything at once. What it may have is done, the rest is refused.
async fn flood(crawler: &UniversalOrchestrator, handles: &mut Vec<TaskHandle>) {
    let mut refused = std::collections::BTreeMap::<String, u32>::new();
    for n in 0..500 {
        let task = Task::new("index").requires(["index"]).payload(n);
        match crawler.submit_task(task).await {
            Ok(handle) => handles.push(handle),
            Err(error) => *refused.entry(code(error.reason())).or_default() += 1,
        }
    }
    println!("the flood was refused: {refused:?}");
}

fn code(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Vetoed(veto) => veto.code.to_string(),
        other => other.as_str().to_owned(),
    }
}

/// Somebody says to be the shop.
async fn forge(orchestrator: &UniversalOrchestrator) -> Result<(), Box<dyn Error>> {
    let forged = BearerToken::new("shop-1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
    let thief = Principal::new("shop")?.with_credential(forged);
    let thief = orchestrator.as_principal(thief)?;
    let task = Task::new("index").requires(["index"]);
    match thief.submit_task(task).await {
        Ok(_) => Err("a forged token was let in".into()),
        Err(refused) => {
            println!("the forged token: {refused}");
            Ok(())
        }
    }
}

/// What the plugins saw and did.
async fn report(
    orchestrator: &UniversalOrchestrator,
    performance: &PerformanceService,
    security: &dyn SecurityService,
    automation: &dyn AutomationService,
) -> Result<(), Box<dyn Error>> {
    println!("performance");
    let snapshot = performance.snapshot();
    for row in &snapshot.task_types {
        let (f, wait) = (&row.figures, row.figures.queue_wait.p95_ms);
        println!(
            "  {:<10} {:>6.1}/s   run p95 {:>6.0} ms   wait p95 {wait:>6.0} ms",
            row.name, f.throughput_per_second, f.execution.p95_ms
        );
    }
    println!("alerts");
    for alert in orchestrator.status().alerts {
        println!("  {}: {}", alert.source, alert.text);
    }
    println!("security");
    let audit = security.verify_audit().await?;
    println!("  audit log: {audit}");
    println!("context");
    if let Some(sessions) = orchestrator.service::<ContextService>() {
        let session = SessionId::new("night-shift")?;
        for fragment in sessions.fragments(&session).unwrap_or_default() {
            let content = sessions.content(&session, fragment.id).unwrap_or_default();
            println!("  {}: {} tokens: {content}", fragment.id, fragment.tokens);
        }
    }
    println!("automation");
    for agent in automation.sleeping() {
        println!("  {agent:?}");
    }
    for plan in automation.plans() {
        let taken = plan.steps.iter().filter(|step| step.taken);
        let steps: Vec<_> = taken.map(|step| step.tier).collect();
        println!(
            "  plan {} for {}: {:?}, steps {steps:?}, {:?}",
            plan.id,
            plan.agent.as_ref().map_or("a task type", AgentId::as_str),
            plan.failure,
            plan.state
        );
    }
    for group in automation.groups() {
        println!(
            "  group {}: {} agents now, {} made, {} retired",
            group.name,
            group.agents.len(),
            group.created,
            group.retired
        );
    }
    Ok(())
}
