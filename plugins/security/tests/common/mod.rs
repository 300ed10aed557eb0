//! What these tests share: an orchestrator with the plugin, its service, and callers.
#![allow(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests: each file uses a part of them, and they fail the test where it went wrong"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use universal_orchestrator::{
    AgentId, AgentRole, AgentSpec, Mode, Principal, Refusal, RegisterRefusal, StartError, Task,
    UniversalOrchestrator,
};
use universal_orchestrator_security::{BearerToken, SECURITY, SecurityService};
use universal_orchestrator_testkit::{TestWallClock, quiet_config, test_builder};

/// A server key for tests.
pub(crate) const KEY: &str = "key_inline = \"a server key for tests, 32 bytes or more\"\n";

/// Two identities: one that submits builds, one that runs them.
pub(crate) const FLEET: &str = r#"
[[identities]]
name = "ci"
roles = ["submitter"]

[[identities]]
name = "pool"
roles = ["workers"]

[roles.submitter]
submit_types = ["build", "test_*"]
require_capabilities = ["rust"]

[roles.workers]
register_agents = ["pool-*"]
register_capabilities = ["rust", "c_*"]
register_roles = ["worker"]
"#;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// An orchestrator with the plugin.
pub(crate) struct Fixture {
    pub(crate) orchestrator: UniversalOrchestrator,
    pub(crate) service: Arc<dyn SecurityService>,
    pub(crate) clock: TestWallClock,
}

pub(crate) async fn try_start(mode: Mode, section: &str) -> Result<Fixture, StartError> {
    let clock = TestWallClock::at(Duration::from_secs(1_800_000_000));
    try_start_at(mode, section, clock).await
}

pub(crate) async fn try_start_at(
    mode: Mode,
    section: &str,
    clock: TestWallClock,
) -> Result<Fixture, StartError> {
    let mut config = quiet_config();
    config.mode = mode;
    // A busy machine may stop a hook for longer than the default; what is tested here is the answer.
    config.hooks.timeout_ms = 10_000;
    let section = section.parse().expect("the section is TOML");
    config
        .plugins
        .sections
        .insert("security".to_owned(), section);
    let orchestrator = test_builder(config)
        .wall_clock(clock.clone())
        .plugin_descriptor(&SECURITY)
        .start()
        .await?;
    let service = orchestrator.service::<dyn SecurityService>();
    Ok(Fixture {
        service: service.expect("the plugin offers its service"),
        orchestrator,
        clock,
    })
}

pub(crate) async fn start(mode: Mode, section: &str) -> Fixture {
    match try_start(mode, section).await {
        Ok(fixture) => fixture,
        Err(error) => panic!("did not start: {error}"),
    }
}

/// A production orchestrator with the identities of [`FLEET`].
pub(crate) async fn fleet() -> Fixture {
    start(Mode::Production, &format!("{KEY}{FLEET}")).await
}

/// The keys of a section that turn the audit log on.
pub(crate) fn audit_in(folder: &Path) -> String {
    format!("[audit]\ndirectory = {:?}\n", folder.display().to_string())
}

impl Fixture {
    /// A handle with a token that was issued to the identity just now.
    pub(crate) fn as_identity(&self, identity: &str) -> UniversalOrchestrator {
        let issued = self.service.issue(identity, HOUR).unwrap();
        self.with_token(identity, issued.token)
    }

    pub(crate) fn with_token(&self, name: &str, token: BearerToken) -> UniversalOrchestrator {
        let principal = Principal::new(name).unwrap().with_credential(token);
        self.orchestrator.as_principal(principal).unwrap()
    }

    /// A handle with a token of this text.
    pub(crate) fn with_text(&self, name: &str, text: &str) -> UniversalOrchestrator {
        self.with_token(name, BearerToken::new(text))
    }

    /// Registers an agent as `pool` that can do what `ci` asks for.
    pub(crate) async fn register_pool_agent(&self) -> AgentId {
        let pool = self.as_identity("pool");
        pool.register_agent(worker("pool-1", &["rust"]))
            .await
            .unwrap()
    }
}

pub(crate) fn worker(id: &str, capabilities: &[&str]) -> AgentSpec {
    AgentSpec::new(id, AgentRole::Worker)
        .capabilities(capabilities.iter().copied())
        .concurrency(1_000)
}

pub(crate) fn build() -> Task {
    Task::new("build").requires(["rust"])
}

/// The code with which a submit is refused by the plugin; `ok` when it is not.
pub(crate) async fn submit_code(caller: &UniversalOrchestrator, task: Task) -> String {
    match caller.submit_task(task).await {
        Ok(_) => "ok".to_owned(),
        Err(refused) => code_of(refused.reason()),
    }
}

pub(crate) fn code_of(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Vetoed(veto) if veto.plugin == "security" => veto.code.to_string(),
        other => panic!("not refused by the plugin: {other}"),
    }
}

/// The code with which a registration is refused by the plugin; `ok` when it is not.
pub(crate) async fn register_code(caller: &UniversalOrchestrator, agent: AgentSpec) -> String {
    match caller.register_agent(agent).await {
        Ok(_) => "ok".to_owned(),
        Err(refused) => match refused.reason() {
            RegisterRefusal::Vetoed(veto) if veto.plugin == "security" => veto.code.to_string(),
            other => panic!("not refused by the plugin: {other}"),
        },
    }
}
