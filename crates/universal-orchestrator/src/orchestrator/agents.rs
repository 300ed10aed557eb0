//! Agents: register, change, list.

use crate::agent::{
    AgentCallError, AgentChange, AgentFilter, AgentSpec, AgentView, Intent, RegisterRefusal,
    RegisterRefused,
};
use crate::capability::{CapabilitySet, Labels};
use crate::id::AgentId;
use crate::orchestrator::UniversalOrchestrator;
use crate::orchestrator::shared::Shared;
use crate::orchestrator::validate::{
    check_agent, check_concurrency, check_lists, check_metadata, check_reason,
};
use crate::plugin::{HeldCommands, HookPoint, Stage, register_call};
use crate::principal::Principal;
use crate::task::dismantle;

impl UniversalOrchestrator {
    /// Registers an agent; it may get work from then on.
    ///
    /// # Errors
    /// [`RegisterRefused`] hands the description back with the reason. Nothing of it stayed behind.
    ///
    /// # Cancel safety
    /// Dropping the future before it is done leaves nothing behind.
    pub async fn register_agent(&self, spec: AgentSpec) -> Result<AgentId, RegisterRefused> {
        self.shared.register(spec, self.principal()).await
    }

    /// Registers several agents, each on its own: one refusal does not stop the others.
    ///
    /// # Errors
    /// Per agent, [`RegisterRefused`].
    pub async fn register_agents(
        &self,
        specs: Vec<AgentSpec>,
    ) -> Vec<Result<AgentId, RegisterRefused>> {
        let mut ids = Vec::with_capacity(specs.len());
        for spec in specs {
            ids.push(self.register_agent(spec).await);
        }
        ids
    }

    /// Takes an agent out. Its attempts are lost: retried elsewhere as their policy allows, else failed as `agent_lost`. To let it finish first, [`drain_agent`](Self::drain_agent).
    ///
    /// # Errors
    /// [`AgentCallError::Unknown`].
    pub async fn deregister_agent(&self, id: &AgentId) -> Result<(), AgentCallError> {
        self.shared
            .with_engine(|e, now| e.deregister(id, self.principal(), now))
    }

    /// Changes capabilities, labels, concurrency or metadata. Tasks that it has are not touched.
    ///
    /// Other capabilities or labels are a registration to the guards of plugins: they are asked whether the caller may register such an agent.
    ///
    /// # Errors
    /// [`AgentCallError`]; nothing changed then.
    pub async fn update_agent(
        &self,
        id: &AgentId,
        change: AgentChange,
    ) -> Result<(), AgentCallError> {
        self.shared
            .ask_update(id, &change, self.principal())
            .await?;
        self.shared.update(id, change)
    }

    /// Puts an agent to sleep: it finishes what it has and gets nothing new until it is woken.
    ///
    /// # Errors
    /// [`AgentCallError::Unknown`]; so too for the calls below.
    pub async fn sleep_agent(&self, id: &AgentId) -> Result<(), AgentCallError> {
        self.shared
            .with_engine(|e, now| e.set_intent(id, Intent::Sleeping, now))
    }

    /// Wakes a sleeping or draining agent.
    ///
    /// # Errors
    /// [`AgentCallError::Unknown`].
    pub async fn wake_agent(&self, id: &AgentId) -> Result<(), AgentCallError> {
        self.shared
            .with_engine(|e, now| e.set_intent(id, Intent::Active, now))
    }

    /// Lets an agent finish what it has and gives it nothing new, before it is deregistered.
    ///
    /// # Errors
    /// [`AgentCallError::Unknown`].
    pub async fn drain_agent(&self, id: &AgentId) -> Result<(), AgentCallError> {
        self.shared
            .with_engine(|e, now| e.set_intent(id, Intent::Draining, now))
    }

    /// Puts an agent in quarantine: it gets nothing new until it is released. The reason may be as long as metadata, `agents.metadata_bytes_max`.
    ///
    /// # Errors
    /// [`AgentCallError`]; nothing changed then.
    pub async fn quarantine_agent(
        &self,
        id: &AgentId,
        reason: impl Into<String>,
    ) -> Result<(), AgentCallError> {
        let reason = reason.into();
        check_reason(&self.shared.config, &reason)?;
        self.shared
            .with_engine(|e, now| e.set_quarantine(id, Some(reason), now))
    }

    /// Takes an agent out of quarantine.
    ///
    /// # Errors
    /// [`AgentCallError::Unknown`].
    pub async fn release_agent(&self, id: &AgentId) -> Result<(), AgentCallError> {
        self.shared
            .with_engine(|e, now| e.set_quarantine(id, None, now))
    }

    /// How an agent stands.
    #[must_use]
    pub fn agent(&self, id: &AgentId) -> Option<AgentView> {
        self.shared.with_engine(|e, now| e.agent_view(id, now))
    }

    /// How the agents stand, by id.
    #[must_use]
    pub fn agents(&self, filter: &AgentFilter) -> Vec<AgentView> {
        self.shared.agent_views(filter)
    }
}

impl Shared {
    pub(crate) async fn register(
        &self,
        spec: AgentSpec,
        principal: &Principal,
    ) -> Result<AgentId, RegisterRefused> {
        let begun = self.epoch.stamp();
        let id = match check_agent(&self.config, &spec) {
            Ok(id) => id,
            Err(fault) => return Err(RegisterRefused::new(fault, spec)),
        };
        let mut commands = HeldCommands::default();
        if self.plugins.wants(Stage::Guard, HookPoint::Register) {
            if let Err(refusal) = self.with_engine(|e, _| e.check_register(&id)) {
                return Err(RegisterRefused::new(refusal, spec));
            }
            let (control, held) = self.control.holding();
            commands = held;
            let context = self.hook_context(principal, &control);
            let asked = self
                .plugins
                .guard(self, &context, &register_call(&spec, principal.name()))
                .await;
            if let Err(veto) = asked {
                return Err(RegisterRefused::new(RegisterRefusal::Vetoed(veto), spec));
            }
        }
        // Timed before the observers, who see it before anything that the agent gets.
        let registered = self.with_engine(|e, now| {
            e.register(&id, &spec, principal, begun, now)
                .map(|_| self.epoch.stamp().since(begun))
        });
        match registered {
            Ok(took) => {
                commands.release();
                self.registration_took(took);
            }
            Err(refusal) => return Err(RegisterRefused::new(refusal, spec)),
        }
        Ok(id)
    }

    /// Asks the guards whether somebody may register what an agent would become.
    async fn ask_update(
        &self,
        id: &AgentId,
        change: &AgentChange,
        principal: &Principal,
    ) -> Result<(), AgentCallError> {
        let becomes_another = change.capabilities.is_some() || change.labels.is_some();
        if !becomes_another || !self.plugins.wants(Stage::Guard, HookPoint::Register) {
            return Ok(());
        }
        let now = self.with_engine(|e, now| e.agent_view(id, now));
        let Some(now) = now else {
            return Err(AgentCallError::Unknown { id: id.clone() });
        };
        let mut spec = AgentSpec::new(id.as_str(), now.role)
            .capability_set(change.capabilities.clone().unwrap_or(now.capabilities))
            .concurrency(change.concurrency.unwrap_or(now.concurrency));
        spec.labels = change.labels.clone().unwrap_or(now.labels);
        spec.metadata = now.metadata;
        let (control, commands) = self.control.holding();
        let context = self.hook_context(principal, &control);
        let call = register_call(&spec, principal.name());
        self.plugins.guard(self, &context, &call).await?;
        commands.release();
        Ok(())
    }

    pub(crate) fn update(
        &self,
        id: &AgentId,
        mut change: AgentChange,
    ) -> Result<(), AgentCallError> {
        let config = &self.config;
        if let Some(concurrency) = change.concurrency {
            check_concurrency(config, concurrency)?;
        }
        check_lists(
            config,
            change
                .capabilities
                .as_ref()
                .unwrap_or(&CapabilitySet::empty()),
            change.labels.as_ref().unwrap_or(&Labels::none()),
        )?;
        if let Some(metadata) = change.metadata.take() {
            if let Err(fault) = check_metadata(config, &metadata) {
                dismantle(metadata);
                return Err(fault.into());
            }
            change.metadata = Some(metadata);
        }
        self.with_engine(|e, now| e.update(id, change, now))
    }

    pub(crate) fn agent_views(&self, filter: &AgentFilter) -> Vec<AgentView> {
        let max = filter.limit.unwrap_or(self.config.status.list_max);
        self.with_engine(|e, now| {
            e.agent_views(filter.after.as_ref(), max, now, |agent| filter.takes(agent))
        })
    }
}
