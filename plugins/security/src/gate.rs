//! The decisions: who is let in, with what, how often; and what is written down about it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::time::Instant;
use universal_orchestrator::plugin::{Control, PluginError};
use universal_orchestrator::{
    AgentId, AgentSpec, Mode, Principal, PrincipalName, TaskRecord, Veto, WallClock,
};

use crate::audit::{AuditLog, Detail, Entry, Event, Seal, Subject};
use crate::authenticate::{Authenticator, Caller};
use crate::blocks::Blocks;
use crate::config::{AuditConfig, RuleAction, SecurityConfig, Suspicion};
use crate::incidents::Incidents;
use crate::metrics::Metrics;
use crate::payload::{self, TooMuch};
use crate::policy::{Policy, SharedRedactor, configured_tokens};
use crate::redact::Redactor;
use crate::refusal::{Code, Denied};
use crate::suspicion::Fired;
use crate::tokens::{TokenRecord, Verified};
use crate::wall::LatestTime;

/// All that one running plugin knows.
pub(crate) struct Gate {
    pub(crate) mode: Mode,
    pub(crate) authenticator: Authenticator,
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) redactor: SharedRedactor,
    pub(crate) blocks: Blocks,
    pub(crate) audit: Option<AuditLog>,
    pub(crate) audit_config: AuditConfig,
    pub(crate) audit_required: bool,
    pub(crate) seal: Option<Seal>,
    pub(crate) latest: LatestTime,
    pub(crate) incidents: Incidents,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) control: Control,
    pub(crate) wall_clock: Arc<dyn WallClock>,
    /// Who registered which agent; as many as there are agents.
    pub(crate) owners: Mutex<HashMap<AgentId, PrincipalName>>,
    /// Held while a configuration is taken, so that no two have the same epoch.
    pub(crate) reconfiguring: Mutex<()>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// A call that is decided.
struct Call<'a> {
    event: Event,
    principal: &'a Principal,
    subject: Subject,
    detail: Detail,
    time: SystemTime,
    now: Instant,
}

type Decision = Result<Option<Arc<Verified>>, (Denied, Option<Arc<Verified>>)>;

impl Gate {
    /// Whether an agent may register.
    pub(crate) fn register(
        &self,
        principal: &Principal,
        agent: &AgentSpec,
        time: SystemTime,
    ) -> Result<(), Veto> {
        let (policy, now) = (self.policy.load(), Instant::now());
        let decision = self.admit(&policy, principal, time).and_then(|caller| {
            let grants = match &caller {
                Caller::Verified(verified) => Some(&verified.identity.grants),
                Caller::Unverified => policy.unauthenticated.as_ref(),
            };
            let missing = grants.and_then(|grants| grants.check_agent(agent).err());
            self.granted(caller, missing)
        });
        let subject = agent
            .id()
            .map_or(Subject::None, |id| Subject::Agent(id.clone()));
        let call = Call {
            event: Event::RegisterAgent,
            principal,
            subject,
            detail: Detail::None,
            time,
            now,
        };
        self.conclude(&policy, call, decision)
    }

    /// Whether a task may be submitted.
    pub(crate) fn submit(
        &self,
        principal: &Principal,
        task: &TaskRecord,
        time: SystemTime,
    ) -> Result<(), Veto> {
        let (policy, now) = (self.policy.load(), Instant::now());
        let decision = self
            .admit(&policy, principal, time)
            .and_then(|caller| {
                let grants = match &caller {
                    Caller::Verified(verified) => Some(&verified.identity.grants),
                    Caller::Unverified => policy.unauthenticated.as_ref(),
                };
                let missing = grants.and_then(|grants| grants.check_task(task).err());
                self.granted(caller, missing)
            })
            .and_then(
                |verified| match self.within_limits(&policy, principal, task, now) {
                    Ok(()) => Ok(verified),
                    Err(denied) => Err((denied, verified)),
                },
            );
        let kind = task.task().task_type();
        let call = Call {
            event: Event::SubmitTask,
            principal,
            subject: Subject::Task(task.id().clone()),
            detail: kind.map_or(Detail::None, |kind| Detail::TaskType(kind.clone())),
            time,
            now,
        };
        self.conclude(&policy, call, decision)
    }

    /// Whether a task that was let in may still be bound: its submitter was not blocked and its token not revoked meanwhile.
    /// A token that has expired since was valid when the task was accepted.
    pub(crate) fn delegate(
        &self,
        principal: &Principal,
        task: &TaskRecord,
        time: SystemTime,
    ) -> Result<(), Veto> {
        let policy = self.policy.load();
        let refused = match self.admit(&policy, principal, time) {
            Ok(_) => return Ok(()),
            Err((denied, verified)) if denied.code == Code::TokenExpired => {
                match self.blocks.left(principal.name()) {
                    Some(left) => (Denied::blocked(left), verified),
                    None => return Ok(()),
                }
            }
            Err(refused) => refused,
        };
        let call = Call {
            event: Event::DelegateTask,
            principal,
            subject: Subject::Task(task.id().clone()),
            detail: Detail::None,
            time,
            now: Instant::now(),
        };
        self.conclude(&policy, call, Err(refused))
    }

    /// Who calls, and whether that one is let in at all.
    fn admit(
        &self,
        policy: &Policy,
        principal: &Principal,
        time: SystemTime,
    ) -> Result<Caller, (Denied, Option<Arc<Verified>>)> {
        let now_ms = self
            .latest
            .at(time)
            .ok_or_else(|| (Denied::clock_unusable(), None))?;
        let caller = self.authenticator.authenticate(policy, principal, now_ms)?;
        let verified = match &caller {
            Caller::Verified(verified) => Some(verified),
            Caller::Unverified => None,
        };
        let identity = verified.map(|verified| &verified.identity.name);
        let left = self.blocks.left(principal.name());
        let left = left.or_else(|| self.blocks.left(identity?));
        match left {
            Some(left) => Err((Denied::blocked(left), verified.cloned())),
            None => Ok(caller),
        }
    }

    fn granted(&self, caller: Caller, missing: Option<crate::grants::Missing>) -> Decision {
        let verified = match caller {
            Caller::Verified(verified) => Some(verified),
            Caller::Unverified => None,
        };
        match missing {
            None => Ok(verified),
            Some(missing) => {
                let redactor = self.redactor.load();
                let denied = Denied::missing(&missing, &redactor.text(missing.name()));
                Err((denied, verified))
            }
        }
    }

    fn within_limits(
        &self,
        policy: &Policy,
        principal: &Principal,
        task: &TaskRecord,
        now: Instant,
    ) -> Result<(), Denied> {
        let (depth, keys) = (policy.payload_depth_max, policy.payload_keys_max);
        payload::check(task.task().payload_value(), depth, keys).map_err(|much| match much {
            TooMuch::Depth => Denied::payload_too_deep(depth),
            TooMuch::Keys => Denied::payload_too_many_keys(keys),
        })?;
        let kind = task.task().task_type().map_or("", |kind| kind.as_str());
        let taken = policy.rates.take(principal.name(), kind, now);
        taken.map_err(|limited| Denied::rate_limited(&limited.limit, limited.wait))
    }

    /// Writes a decision down, counts it, and lets the rules see it.
    fn conclude(&self, policy: &Policy, call: Call<'_>, decision: Decision) -> Result<(), Veto> {
        let (denied, verified) = match decision {
            Ok(verified) => (None, verified),
            Err((denied, verified)) => (Some(denied), verified),
        };
        let code = denied.as_ref().map_or(Code::Allowed, |denied| denied.code);
        let detail = match &denied {
            Some(denied) if !denied.detail.is_empty() => Detail::Text(denied.detail.clone()),
            _ => call.detail,
        };
        let is_submit = call.event == Event::SubmitTask;
        let is_written = self.audit.is_none()
            || self.write(Entry {
                time: call.time,
                event: call.event,
                code,
                principal: Some(call.principal.name().clone()),
                token: verified.map(|verified| Arc::clone(&verified.record)),
                subject: call.subject,
                detail,
            });
        let denied = match denied {
            None if !is_written && self.audit_required => Some(Denied::audit_unavailable()),
            denied => denied,
        };
        let code = denied.as_ref().map_or(Code::Allowed, |denied| denied.code);
        self.metrics.decided(code);
        let suspicion = code.suspicion();
        if let Some(what) = suspicion.filter(|what| is_submit || *what != Suspicion::Execution) {
            self.suspect(policy, what, call.principal.name(), call.time, call.now);
        }
        denied.map_or(Ok(()), |denied| Err(denied.into_veto()))
    }

    /// Hands an entry to the audit log; whether it will stand there, as far as one can know. Without a log it is as good as written.
    pub(crate) fn write(&self, entry: Entry) -> bool {
        let Some(audit) = &self.audit else {
            return true;
        };
        let taken = audit.push(entry);
        if !taken {
            self.metrics.audit_lost();
        }
        taken && audit.is_ready()
    }

    /// Writes down something that the plugin or its service did.
    pub(crate) fn note(&self, time: SystemTime, event: Event, subject: &str, text: String) -> bool {
        let subject = Subject::Text(subject.to_owned());
        self.write(Entry::own(time, event, subject, Detail::Text(text)))
    }

    fn suspect(
        &self,
        policy: &Policy,
        what: Suspicion,
        principal: &PrincipalName,
        time: SystemTime,
        now: Instant,
    ) {
        for fired in policy.rules.count(what, principal, now) {
            self.act(policy, what, principal, time, &fired);
        }
    }

    fn act(
        &self,
        policy: &Policy,
        what: Suspicion,
        principal: &PrincipalName,
        time: SystemTime,
        fired: &Fired,
    ) {
        self.metrics
            .rule_fired(&fired.rule, fired.severity, fired.action);
        let text = format!(
            "rule {}: {} of {} within {} s, {}, {}",
            fired.rule,
            fired.count,
            what.as_str(),
            fired.window.as_secs(),
            fired.severity.as_str(),
            fired.action.as_str()
        );
        self.write(Entry {
            time,
            event: Event::RuleFired,
            code: Code::Allowed,
            principal: Some(principal.clone()),
            token: None,
            subject: Subject::Text(fired.rule.clone()),
            detail: Detail::Text(text.clone()),
        });
        let shown = self.redactor.load().text(principal.as_str()).into_owned();
        let text = format!("{shown}: {text}");
        self.incidents.add(fired.severity, fired.window, &text);
        if fired.action == RuleAction::Audit {
            return;
        }
        // A full queue is counted by the orchestrator; the audit log and the health have it anyway.
        let _ = self.control.notify(crate::NAME, text.clone());
        match fired.action {
            RuleAction::Block => self.block(policy, principal, fired, &text, time),
            RuleAction::Quarantine => self.quarantine(principal, &text),
            RuleAction::Audit | RuleAction::Alert => {}
        }
    }

    fn block(
        &self,
        policy: &Policy,
        principal: &PrincipalName,
        fired: &Fired,
        text: &str,
        time: SystemTime,
    ) {
        let max = policy.blocks_max;
        self.blocks
            .block(principal, fired.block, text.to_owned(), max);
        let length = format!("for {} s", fired.block.as_secs());
        self.note(time, Event::Blocked, principal.as_str(), length);
        self.show_held();
    }

    fn quarantine(&self, principal: &PrincipalName, text: &str) {
        let owners = self.owners.lock();
        let agents = owners.iter().filter(|(_, owner)| *owner == principal);
        for (agent, _) in agents {
            if let Err(error) = self.control.quarantine(agent, text) {
                tracing::error!(%error, "an agent could not be put in quarantine");
            }
        }
    }

    pub(crate) fn show_held(&self) {
        let tokens = self.authenticator.tokens().len();
        self.metrics.held(self.blocks.len(), tokens);
    }

    /// Takes another configuration.
    pub(crate) fn reconfigure(&self, config: &SecurityConfig) -> Result<(), PluginError> {
        let _one_at_a_time = self.reconfiguring.lock();
        let policy = Policy::new(config, self.mode, Some(&self.policy.load()))?;
        let redactor = Redactor::new(&config.redact_patterns)?;
        let records = configured_tokens(config)?;
        let is_identity = |name: &str| policy.identities.contains_key(name);
        self.authenticator.tokens().configure(records, is_identity);
        self.redactor.store(Arc::new(redactor));
        self.policy.store(Arc::new(policy));
        self.latest.reset();
        let time = self.wall_clock.now();
        self.note(time, Event::Reconfigured, "", String::new());
        self.show_held();
        Ok(())
    }

    /// The record of a token for an entry.
    pub(crate) fn token_entry(
        &self,
        event: Event,
        record: &Arc<TokenRecord>,
        text: String,
    ) -> bool {
        let time = self.wall_clock.now();
        let mut entry = Entry::own(
            time,
            event,
            Subject::Text(record.identity.to_string()),
            Detail::Text(text),
        );
        entry.token = Some(Arc::clone(record));
        self.write(entry)
    }
}
