//! The plugin: from a section to a gate, and from hooks to its decisions.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde_json::json;
use universal_orchestrator::plugin::{
    GuardCall, HealthStatus, HookContext, HookFault, HookPoint, HookSet, Observed, Plugin,
    PluginContext, PluginDescriptor, PluginError, PluginHealth, PluginManifest, PluginSection,
    Verdict,
};
use universal_orchestrator::{Mode, async_trait};

use crate::audit::{AuditLog, Detail, Entry, Event, Seal, Start, Subject};
use crate::authenticate::Authenticator;
use crate::blocks::Blocks;
use crate::config::{SecurityConfig, fault};
use crate::error::SecurityError;
use crate::gate::Gate;
use crate::incidents::Incidents;
use crate::key::ServerKey;
use crate::metrics::Metrics;
use crate::policy::{Policy, configured_tokens};
use crate::redact::Redactor;
use crate::refusal::Code;
use crate::service::Operator;
use crate::service::SecurityService;
use crate::wall::LatestTime;

/// The name of the plugin and of its section.
pub(crate) const NAME: &str = "security";

/// How long an issued token is remembered after it expired, so that it is refused as expired and not as unknown.
const EXPIRED_REMEMBERED: Duration = Duration::from_secs(86_400);

const EXAMPLE: &str = r#"
require_authentication = false
unauthenticated_roles = ["fleet"]

[roles.fleet]
register_capabilities = ["*"]
register_roles = ["worker", "specialist"]
submit_types = ["*"]
require_capabilities = ["*"]

[rate_limits]
submits_per_minute = 6_000
"#;

/// Checks who calls and what they may do, limits rates, and keeps an audit log.
#[derive(Debug)]
pub struct SecurityPlugin {
    config: SecurityConfig,
    gate: OnceLock<Arc<Gate>>,
}

impl SecurityPlugin {
    /// Name, summary and hooks.
    pub const MANIFEST: PluginManifest = PluginManifest::new(
        NAME,
        "checks who calls and what they may do, limits rates, and keeps an audit log",
        HookSet::none()
            .guard(HookPoint::Register)
            .guard(HookPoint::Submit)
            .guard(HookPoint::Delegate)
            .observe(HookPoint::Register)
            .observe(HookPoint::Deregister)
            .observe(HookPoint::Fail)
            .observe(HookPoint::Cancel)
            .observe(HookPoint::Tick),
    )
    .example(EXAMPLE);

    /// Makes the plugin, for [`OrchestratorBuilder::plugin`](universal_orchestrator::OrchestratorBuilder::plugin).
    ///
    /// # Errors
    /// As [`SecurityConfig::check`].
    pub fn new(config: SecurityConfig) -> Result<Self, PluginError> {
        config.check()?;
        Ok(Self {
            config,
            gate: OnceLock::new(),
        })
    }

    /// The key, and whether it outlives the process.
    fn key(&self, mode: Mode) -> Result<(ServerKey, bool), SecurityError> {
        if let Some(key) = ServerKey::configured(&self.config, |name| std::env::var_os(name))? {
            return Ok((key, true));
        }
        let has_tokens = self.config.identities.iter().any(|i| !i.tokens.is_empty());
        let has_identities = !self.config.identities.is_empty();
        if has_tokens || (mode == Mode::Production && has_identities) {
            return Err(SecurityError::NoKey);
        }
        Ok((ServerKey::ephemeral()?, false))
    }

    async fn open_gate(&self, context: &PluginContext) -> Result<Gate, PluginError> {
        let failed = |error: SecurityError| PluginError::caused(error.to_string(), error);
        let config = &self.config;
        let (key, is_lasting) = self.key(context.mode).map_err(failed)?;
        let metrics = Arc::new(Metrics::new(context.metrics.as_ref()));
        let redactor = Redactor::new(&config.redact_patterns)?;
        let redactor = Arc::new(ArcSwap::from_pointee(redactor));
        // A log that is sealed with a key that ends with the process could never be verified.
        let seal = match is_lasting {
            true => Some(Seal::keyed(key.clone())),
            false => Seal::open(),
        };
        let mut audit = None;
        if let (Some(folder), Some(seal)) = (&config.audit.directory, &seal) {
            if !is_lasting {
                tracing::warn!(
                    "the audit log is sealed without a server key: whoever can write its folder can rewrite all of it; set key_file or key_env"
                );
            }
            let (folder, seal, redactor) = (folder.clone(), seal.clone(), Arc::clone(&redactor));
            let (config, metrics) = (config.audit.clone(), Arc::clone(&metrics));
            let wall_clock = Arc::clone(&context.wall_clock);
            let opening = tokio::task::spawn_blocking(move || {
                AuditLog::start(Start {
                    config: &config,
                    folder: &folder,
                    seal,
                    redactor,
                    wall_clock,
                    metrics,
                })
            });
            let opened = opening
                .await
                .map_err(|error| PluginError::caused("the audit log could not be opened", error))?;
            audit = Some(opened.map_err(|error| failed(error.into()))?);
        }
        let policy = Policy::new(config, context.mode, None)?;
        let is_production = context.mode == Mode::Production;
        let gate = Gate {
            mode: context.mode,
            authenticator: Authenticator::new(key),
            policy: ArcSwap::from_pointee(policy),
            redactor,
            blocks: Blocks::default(),
            audit,
            audit_config: config.audit.clone(),
            audit_required: config.audit.required.unwrap_or(is_production),
            seal,
            latest: LatestTime::default(),
            incidents: Incidents::default(),
            metrics,
            control: context.control.clone(),
            wall_clock: Arc::clone(&context.wall_clock),
            owners: Mutex::new(HashMap::new()),
            reconfiguring: Mutex::new(()),
        };
        let records = configured_tokens(config)?;
        gate.authenticator.tokens().configure(records, |_| false);
        gate.show_held();
        Ok(gate)
    }
}

#[async_trait]
impl Plugin for SecurityPlugin {
    async fn start(&self, context: PluginContext) -> Result<(), PluginError> {
        let gate = Arc::new(self.open_gate(&context).await?);
        let service: Arc<dyn SecurityService> = Arc::new(Operator(Arc::clone(&gate)));
        context.services.offer(service);
        self.gate
            .set(gate)
            .map_err(|_| PluginError::failed("the plugin was started before: make another one"))
    }

    async fn stop(&self) {
        let Some(gate) = self.gate.get().cloned() else {
            return;
        };
        let stopping = tokio::task::spawn_blocking(move || {
            if let Some(audit) = &gate.audit {
                audit.stop();
            }
        });
        if let Err(error) = stopping.await {
            tracing::error!(%error, "the audit log was not closed");
        }
    }

    fn guard(&self, context: &HookContext<'_>, call: &GuardCall<'_>) -> Verdict {
        let Some(gate) = self.gate.get() else {
            return Verdict::Fault(HookFault::new("the plugin has not been started"));
        };
        let (principal, time) = (context.principal, context.wall_time());
        let decision = match call {
            GuardCall::Register { agent, .. } => gate.register(principal, agent, time),
            GuardCall::Submit { task } => gate.submit(principal, task, time),
            GuardCall::Delegate { task, .. } => gate.delegate(principal, task, time),
            // Not declared; refused if it ever comes.
            _ => return Verdict::Fault(HookFault::new("no decision for this hook")),
        };
        match decision {
            Ok(()) => Verdict::Allow,
            Err(veto) => Verdict::Veto(veto),
        }
    }

    fn observe(&self, context: &HookContext<'_>, what: &Observed<'_>) {
        if let Some(gate) = self.gate.get() {
            gate.observe(context, what);
        }
    }

    fn health(&self) -> PluginHealth {
        match self.gate.get() {
            Some(gate) => gate.health(),
            None => PluginHealth::of(HealthStatus::Critical, "the plugin has not been started"),
        }
    }

    fn reconfigure(&self, section: &PluginSection) -> Result<(), PluginError> {
        let config: SecurityConfig = section.parse()?;
        config.check()?;
        let own = &self.config;
        if !has_same_key(&config, own) {
            return Err(fault(
                "key_file, key_env, key_inline: the key is read at start; restart with the new one",
            ));
        }
        if config.audit != own.audit {
            return Err(fault(
                "audit: its keys are read at start; restart with the new ones",
            ));
        }
        let Some(gate) = self.gate.get() else {
            return Err(PluginError::failed("the plugin has not been started"));
        };
        let has_tokens = config.identities.iter().any(|i| !i.tokens.is_empty());
        let has_key = own.key_file.is_some() || own.key_env.is_some() || own.key_inline.is_some();
        if has_tokens && !has_key {
            let error = SecurityError::NoKey;
            return Err(PluginError::caused(error.to_string(), error));
        }
        gate.reconfigure(&config)
    }
}

impl Gate {
    fn observe(&self, context: &HookContext<'_>, what: &Observed<'_>) {
        let (event, subject, detail) = match what {
            Observed::Registered { agent, .. } => {
                let owner = context.principal.name().clone();
                self.owners.lock().insert((*agent).clone(), owner);
                let subject = Subject::Agent((*agent).clone());
                (Event::AgentRegistered, subject, Detail::None)
            }
            Observed::Deregistered { agent } => {
                self.owners.lock().remove(*agent);
                let subject = Subject::Agent((*agent).clone());
                (Event::AgentDeregistered, subject, Detail::None)
            }
            Observed::Failed { task, outcome } => {
                let text = outcome.failure().map(|f| f.message().to_owned());
                let subject = Subject::Task(task.id().clone());
                (
                    Event::TaskFailed,
                    subject,
                    Detail::Text(text.unwrap_or_default()),
                )
            }
            Observed::Cancelled { task, .. } => {
                let subject = Subject::Task(task.id().clone());
                (Event::TaskCancelled, subject, Detail::None)
            }
            Observed::Tick => return self.tick(context),
            _ => return,
        };
        // What has happened cannot be refused; an entry that finds no room is counted and told in the log.
        self.write(Entry {
            time: context.wall_time(),
            event,
            code: Code::Allowed,
            principal: Some(context.principal.name().clone()),
            token: None,
            subject,
            detail,
        });
    }

    fn tick(&self, context: &HookContext<'_>) {
        self.blocks.forget_ended();
        if let Some(now_ms) = self.latest.at(context.wall_time()) {
            let ms = u64::try_from(EXPIRED_REMEMBERED.as_millis()).unwrap_or(u64::MAX);
            let before_ms = now_ms.saturating_sub(ms);
            self.authenticator.tokens().forget_expired(before_ms);
        }
        self.show_held();
    }

    fn health(&self) -> PluginHealth {
        let policy = self.policy.load();
        let tokens = self.authenticator.tokens().len();
        let standing = self.incidents.standing();
        let behind = self.latest.behind(self.wall_clock.now());
        let failure = self.audit.as_ref().and_then(AuditLog::failure);
        let is_empty = policy.require_authentication && policy.identities.is_empty();
        let (status, detail) = if let Some(failure) = &failure {
            let status = match self.audit_required {
                true => HealthStatus::Critical,
                false => HealthStatus::Degraded,
            };
            (status, Some(failure.clone()))
        } else if standing.critical > 0 {
            (HealthStatus::Critical, standing.worst)
        } else if standing.high > 0 {
            (HealthStatus::Degraded, standing.worst)
        } else if !behind.is_zero() {
            let text = format!(
                "the wall clock is {} ms behind the latest time seen, by which tokens expire: set it right, then reconfigure the plugin",
                behind.as_millis()
            );
            (HealthStatus::Degraded, Some(text))
        } else if is_empty {
            let text = "authentication is required and no identity is configured, so that nobody gets in: write [[plugins.security.identities]]";
            (HealthStatus::Degraded, Some(text.to_owned()))
        } else {
            (HealthStatus::Healthy, None)
        };
        let health = match detail {
            Some(text) => PluginHealth::of(status, text),
            None => PluginHealth::healthy(),
        };
        let audit = self.audit.as_ref().map(|audit| {
            json!({"last_entry": audit.last_entry(), "lost": audit.lost(), "failing": failure.is_some()})
        });
        let alerts = standing.critical + u32::from(failure.is_some() && self.audit_required);
        health.critical_alerts(alerts).details(json!({
            "identities": policy.identities.len(),
            "tokens": tokens,
            "blocked": self.blocks.len(),
            "rate_limited_principals": policy.rates.principals(),
            "alerts_high": standing.high,
            "alerts_critical": standing.critical,
            "audit": audit,
        }))
    }
}

/// Whether two configurations take the key from the same place.
fn has_same_key(one: &SecurityConfig, other: &SecurityConfig) -> bool {
    let is_same_inline = match (&one.key_inline, &other.key_inline) {
        (None, None) => true,
        (Some(one), Some(other)) => one.expose() == other.expose(),
        _ => false,
    };
    one.key_file == other.key_file && one.key_env == other.key_env && is_same_inline
}

fn build(section: &PluginSection) -> Result<Box<dyn Plugin>, PluginError> {
    Ok(Box::new(SecurityPlugin::new(section.parse()?)?))
}

/// What links in.
pub static SECURITY: PluginDescriptor = PluginDescriptor::new(SecurityPlugin::MANIFEST, build);
