//! What the plugin offers to programs, agents and other plugins.

use std::sync::Arc;

use universal_orchestrator::Principal;

use crate::automation::Automation;
use crate::breakers::TypeBreakerView;
use crate::error::{DecisionError, ScalingError};
use crate::recovery::{PendingDecision, RecoveryPlan};
use crate::rules::RuleCounts;
use crate::scaling::{GroupView, ScalingGroup};
use crate::settings::Settings;
use crate::sleep::{SleepHooks, SleepingAgent};

/// What the plugin knows, and what it is told. Found with `orchestrator.service::<dyn AutomationService>()`.
pub trait AutomationService: Send + Sync {
    /// Registers what is called before an agent sleeps and before it is woken, replacing what was.
    fn set_sleep_hooks(&self, hooks: Arc<dyn SleepHooks>);

    /// The agents that the plugin keeps asleep, the longest asleep first.
    fn sleeping(&self) -> Vec<SleepingAgent>;

    /// The breakers of task types that are not closed, by name.
    fn breakers(&self) -> Vec<TypeBreakerView>;

    /// The recovery plans that are kept, the oldest first.
    fn plans(&self) -> Vec<RecoveryPlan>;

    /// The questions that wait for a human, the oldest first.
    fn decisions(&self) -> Vec<PendingDecision>;

    /// Does what the question of a plan proposes, and closes the plan.
    ///
    /// # Errors
    /// [`DecisionError`] when no such question waits, or the command found no room; the question waits on then.
    fn approve(&self, plan: u64) -> Result<(), DecisionError>;

    /// Closes a plan without doing what its question proposes.
    ///
    /// # Errors
    /// [`DecisionError::Unknown`].
    fn reject(&self, plan: u64) -> Result<(), DecisionError>;

    /// How often each rule did what, in the order of their events and then of the configuration.
    fn rules(&self) -> Vec<RuleCounts>;

    /// Registers a group of agents; its minimum is started at once.
    ///
    /// # Errors
    /// [`ScalingError`] names what does not fit.
    fn add_group(&self, group: ScalingGroup) -> Result<(), ScalingError>;

    /// How the groups stand, by name.
    fn groups(&self) -> Vec<GroupView>;

    /// In whose name rules submit and groups without a principal of their own register from now on: with a credential, where a guard asks for one.
    fn act_as(&self, principal: Principal);
}

const _: fn(&dyn AutomationService) = |_| {};

impl AutomationService for Automation {
    fn set_sleep_hooks(&self, hooks: Arc<dyn SleepHooks>) {
        Self::set_sleep_hooks(self, hooks);
    }

    fn sleeping(&self) -> Vec<SleepingAgent> {
        self.sleepers.all()
    }

    fn breakers(&self) -> Vec<TypeBreakerView> {
        self.breakers.views(self.now(), usize::MAX)
    }

    fn plans(&self) -> Vec<RecoveryPlan> {
        self.recovery.plans()
    }

    fn decisions(&self) -> Vec<PendingDecision> {
        self.recovery.decisions()
    }

    fn approve(&self, plan: u64) -> Result<(), DecisionError> {
        self.decide(plan, true)
    }

    fn reject(&self, plan: u64) -> Result<(), DecisionError> {
        self.decide(plan, false)
    }

    fn rules(&self) -> Vec<RuleCounts> {
        let settings: Arc<Settings> = self.settings();
        settings.all_rules().map(|rule| rule.counts()).collect()
    }

    fn add_group(&self, group: ScalingGroup) -> Result<(), ScalingError> {
        Self::add_group(self, group)
    }

    fn groups(&self) -> Vec<GroupView> {
        self.scaling.views()
    }

    fn act_as(&self, principal: Principal) {
        self.set_principal(principal);
    }
}
