//! The plugins, with sections that make them act often.

use std::path::Path;
use std::time::Duration;

use universal_orchestrator::{
    Mode, OrchestratorBuilder, OrchestratorConfig, Principal, UniversalOrchestrator,
};
use universal_orchestrator_bundle::automation::AUTOMATION;
use universal_orchestrator_bundle::context::{CONTEXT, ContextService};
use universal_orchestrator_bundle::performance::{
    MachineReading, PerformanceConfig, PerformancePlugin, Sampler,
};
use universal_orchestrator_bundle::security::{BearerToken, SECURITY, SecurityService};
use universal_orchestrator_testkit::{Recorder, TestWallClock, quiet_config, settle, test_builder};

/// The plugins in the order of their names.
pub(crate) const NAMES: [&str; 4] = ["automation", "context", "performance", "security"];

/// Highest concurrency that the limiter gives.
pub(crate) const LIMITER_MAX: u32 = 4;

const AUTOMATION_SECTION: &str = r#"
tick_ms = 200
[sleep]
enabled = true
inactivity_ms = 700
min_awake = 0
minimum_calls = 2
error_rate_percent = 60
slow_mean_ms = 900
window_ms = 3000
min_ms = 300
step_ms = 100
max_ms = 1000
sleeping_max = 3
[[sleep.schedules]]
sleep = "0 * * * *"
wake = "30 * * * *"
capability = "z"
[breakers]
enabled = true
window_ms = 5000
minimum_calls = 2
failure_rate_percent = 50
slow_call_ms = 1500
open_ms = 600
[recovery]
tiers = ["retry", "other_agent", "quarantine", "ask"]
failures_per_tier = 1
rest_ms = 400
plans_max = 4
decisions_max = 2
retry_deadline_ms = 500
other_agent_deadline_ms = 500
quarantine_deadline_ms = 500
ask_deadline_ms = 500
[[rules]]
name = "failures are looked into"
when = "task_failed"
then = { action = "submit", task_type = "look", requires = ["y"] }
cooldown_ms = 400
[[rules]]
name = "newcomers are told of"
when = "agent_registered"
then = { action = "notify", text = "somebody came" }
cooldown_ms = 100
[[rules]]
name = "what waits wakes"
when = "tick"
if = [{ field = "queue_depth", at_least = 3 }]
then = { action = "wake", agent = "a0" }
cooldown_ms = 300
[limiter]
enabled = true
algorithm = "aimd"
slow_ms = 300
concurrency_max = 4
capabilities = ["x"]
[shedding]
enabled = true
depth_low = 4
depth_medium = 8
depth_high = 12
wait_low_ms = 500
"#;

const CONTEXT_SECTION: &str = r#"
preload = true
budget_tokens = 60
excerpt_tokens_min = 16
delivery = "payload"
pending_max = 4
sessions_max = 4
fragments_max = 4
session_tokens_max = 200
fragment_ttl_s = 2
session_ttl_s = 4
window_tokens = 200
agents_max = 2
"#;

const PERFORMANCE_SECTION: &str = r#"
interval_ms = 500
window_ms = 60000
tracked_max = 2
history_max = 8
trend_points = 4
resolved_max = 2
judged_from = 1
wait_ms = 0
busy_percent = 10
[[rules]]
name = "errors"
signal = "error_rate_percent"
operator = ">"
threshold = 1
severity = "critical"
cooldown_ms = 600
[[rules]]
name = "waiting"
signal = "queue_ready"
operator = ">"
threshold = 0
cooldown_ms = 600
"#;

const SECURITY_SECTION: &str = r#"
key_inline = "a server key for tests, 32 bytes or more"
unauthenticated_roles = ["guest"]
payload_keys_max = 3
rule_principals_max = 2
[[identities]]
name = "ann"
roles = ["submitter", "fleet"]
[[identities]]
name = "bob"
roles = ["submitter", "fleet"]
[roles.submitter]
submit_types = ["build", "test_*"]
require_capabilities = ["x", "y"]
[roles.fleet]
register_agents = ["a*"]
register_capabilities = ["x", "y", "z"]
register_roles = ["worker"]
[roles.guest]
submit_types = ["build", "look"]
require_capabilities = ["y"]
register_agents = ["a*"]
register_capabilities = ["y", "z"]
register_roles = ["worker"]
[rate_limits]
submits_per_minute = 120
burst = 4
principals_max = 2
[[rules]]
name = "knocks too often"
event = "rate_limited"
count = 1
window_s = 4
action = "block"
block_s = 1
severity = "critical"
[[rules]]
name = "wants too much"
event = "grant_refused"
count = 4
window_s = 4
action = "quarantine"
"#;

/// A machine of which nothing changes.
#[derive(Debug, Clone, Copy)]
struct Machine;

impl Sampler for Machine {
    fn sample(&mut self, _: Option<Duration>) -> MachineReading {
        let mut reading = MachineReading::unknown();
        reading.cores = 4;
        reading.cpu_percent = Some(10.0);
        reading
    }
}

/// An orchestrator with some of the plugins.
pub(crate) struct World {
    pub(crate) orchestrator: UniversalOrchestrator,
    pub(crate) clock: TestWallClock,
    pub(crate) recorder: Recorder,
    pub(crate) callers: Vec<UniversalOrchestrator>,
}

/// A section as it is written in a file.
pub(crate) fn section(name: &str) -> &'static str {
    match name {
        "automation" => AUTOMATION_SECTION,
        "context" => CONTEXT_SECTION,
        "performance" => PERFORMANCE_SECTION,
        _ => SECURITY_SECTION,
    }
}

/// Defaults that stand still but for a tick and a health check, which plugins hear.
pub(crate) fn config() -> OrchestratorConfig {
    let mut config = quiet_config();
    config.mode = Mode::Development;
    config.tick_interval_ms = 400;
    config.health_check_interval_ms = 900;
    // A busy machine may stop a hook for longer than the default; what is tested here is what it says.
    config.hooks.timeout_ms = 30_000;
    config.queue.max_tasks = 16;
    config.queue.queue_unroutable = true;
    config.queue.unroutable_ttl_ms = 800;
    config.agents.lease_ms = 1_000;
    config.tasks.attempt_timeout_ms = 2_000;
    config.tasks.cancel_grace_ms = 100;
    config.tasks.retained_results_max = 100_000;
    config.tasks.result_retention_ms = 0;
    config.retry.base_delay_ms = 50;
    config
}

/// The same with the sections of some plugins; an audit log when there is a folder for it.
pub(crate) fn config_of(plugins: &[&str], audit: Option<&Path>) -> OrchestratorConfig {
    let mut config = config();
    // The section of `performance` is given to the plugin itself, with the machine that it reads.
    for name in plugins.iter().filter(|name| **name != "performance") {
        let mut text = section(name).to_owned();
        if let Some(folder) = audit.filter(|_| *name == "security") {
            text += &format!(
                "[audit]\ndirectory = {:?}\nfsync = \"never\"\n",
                folder.display().to_string()
            );
        }
        let table = text.parse().expect("the section is TOML");
        config.plugins.sections.insert((*name).to_owned(), table);
    }
    config
}

/// Adds some plugins to a builder.
pub(crate) fn with_plugins(builder: OrchestratorBuilder, plugins: &[&str]) -> OrchestratorBuilder {
    plugins.iter().fold(builder, |builder, name| match *name {
        "automation" => builder.plugin_descriptor(&AUTOMATION),
        "context" => builder.plugin_descriptor(&CONTEXT),
        "security" => builder.plugin_descriptor(&SECURITY),
        _ => {
            let config: PerformanceConfig =
                toml::from_str(PERFORMANCE_SECTION).expect("the section is TOML");
            let plugin = PerformancePlugin::with_sampler(config, Machine);
            let plugin = plugin.expect("the section fits");
            builder.plugin(PerformancePlugin::MANIFEST, plugin)
        }
    })
}

impl World {
    /// Starts some of the plugins, active, with a recorder beside them.
    pub(crate) async fn start(plugins: &[&str]) -> Self {
        let clock = TestWallClock::at(Duration::from_secs(1_800_000_000));
        let recorder = Recorder::new();
        let builder = test_builder(config_of(plugins, None))
            .wall_clock(clock.clone())
            .plugin(Recorder::MANIFEST, recorder.clone());
        let started = with_plugins(builder, plugins).start().await;
        let orchestrator = started.expect("the configuration is valid");
        settled(&orchestrator).await;
        Self {
            callers: callers(&orchestrator),
            orchestrator,
            clock,
            recorder,
        }
    }
}

/// Lets everything that is ready run, and waits for what the plugin `context` does on other threads, so that what comes
/// next does not depend on how fast they are.
pub(crate) async fn settled(o: &UniversalOrchestrator) {
    settle().await;
    if let Some(context) = o.service::<ContextService>() {
        context.settled().await;
        settle().await;
    }
}

fn as_principal(
    o: &UniversalOrchestrator,
    name: &str,
    token: Option<BearerToken>,
) -> UniversalOrchestrator {
    let principal = Principal::new(name).expect("the text is a name");
    let principal = match token {
        Some(token) => principal.with_credential(token),
        None => principal,
    };
    o.as_principal(principal).expect("nothing has shut down")
}

/// Two identities with tokens that live long, one whose token soon expires, one that shows a forged one, a name without
/// proof, and nobody. Without the security plugin the same names without tokens.
pub(crate) fn callers(o: &UniversalOrchestrator) -> Vec<UniversalOrchestrator> {
    let security = o.service::<dyn SecurityService>();
    let token = |name: &str, seconds| {
        let issued = security.as_ref()?.issue(name, Duration::from_secs(seconds));
        Some(issued.expect("it is an identity").token)
    };
    let forged = security
        .as_ref()
        .map(|_| BearerToken::new("0123456789abcdef.forged"));
    vec![
        as_principal(o, "ann", token("ann", 1_000_000)),
        as_principal(o, "bob", token("bob", 1_000_000)),
        as_principal(o, "ann", token("ann", 7_200)),
        as_principal(o, "bob", forged),
        as_principal(o, "ann", None),
        o.clone(),
    ]
}
