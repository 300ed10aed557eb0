//! When something happens, if conditions hold, then do something.

mod facts;

pub(crate) use facts::{Facts, TaskNumbers};

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;
use serde::Serialize;
use universal_orchestrator::{AgentId, Availability};

use crate::automation::Automation;
use crate::config::{ConditionConfig, RuleAction, RuleConfig, When};
use crate::metrics::AutomationMetric;
use crate::sleep::{SleepReason, WakeCause};
use crate::world::World;

/// How often a rule did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleCounts {
    /// The rule.
    pub name: String,
    /// Its conditions held.
    pub matched: u64,
    /// It acted; with `dry_run`, it would have.
    pub acted: u64,
    /// It did not act because of its cooldown, or because its own task was the cause.
    pub suppressed: u64,
    /// Its action found no room in a queue, or nobody to act on.
    pub dropped: u64,
}

/// A rule at work.
#[derive(Debug)]
pub(crate) struct Rule {
    config: RuleConfig,
    matched: AtomicU64,
    acted: AtomicU64,
    suppressed: AtomicU64,
    dropped: AtomicU64,
    /// Until when it does not act again, by agent.
    resting: Mutex<HashMap<Option<AgentId>, Duration>>,
}

impl Rule {
    pub(crate) fn new(config: RuleConfig) -> Self {
        Self {
            config,
            matched: AtomicU64::new(0),
            acted: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            resting: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) fn counts(&self) -> RuleCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RuleCounts {
            name: self.config.name.clone(),
            matched: read(&self.matched),
            acted: read(&self.acted),
            suppressed: read(&self.suppressed),
            dropped: read(&self.dropped),
        }
    }

    fn holds(&self, facts: &Facts<'_>) -> bool {
        self.config.conditions.iter().all(|one| met(one, facts))
    }

    /// Whether it may act for an agent now; it rests from then on.
    fn wakes(&self, agent: Option<&AgentId>, now: Duration, max: usize) -> bool {
        let mut resting = self.resting.lock();
        let key = agent.cloned();
        if resting.get(&key).is_some_and(|until| now < *until) {
            return false;
        }
        if resting.len() >= max {
            resting.retain(|_, until| now < *until);
        }
        if resting.len() >= max && !resting.contains_key(&key) {
            return false;
        }
        let cooldown = Duration::from_millis(self.config.cooldown_ms);
        resting.insert(key, now.saturating_add(cooldown));
        true
    }

    fn may_act_again(&self, agent: Option<&AgentId>) {
        self.resting.lock().remove(&agent.cloned());
    }
}

fn met(condition: &ConditionConfig, facts: &Facts<'_>) -> bool {
    let field = condition.field;
    if let Some(number) = facts.number(field) {
        return condition.at_least.is_none_or(|least| number >= least)
            && condition.at_most.is_none_or(|most| number <= most);
    }
    let Some(text) = facts.text(field) else {
        return false;
    };
    let list = condition.one_of.as_ref();
    condition.equals.as_ref().is_none_or(|one| one == text)
        && list.is_none_or(|list| list.iter().any(|one| one == text))
}

impl Automation {
    /// Asks the rules of an event, one after the other; what one does, the next does not see.
    pub(crate) fn ask_rules(&self, when: When, facts: &Facts<'_>) {
        let settings = self.settings();
        for rule in settings.rules(when) {
            if !rule.holds(facts) {
                continue;
            }
            rule.matched.fetch_add(1, Ordering::Relaxed);
            let (count, outcome) = self.apply(rule, facts, settings.config.agents_max);
            count.fetch_add(1, Ordering::Relaxed);
            self.count(AutomationMetric::Rules, outcome);
        }
    }

    fn apply<'r>(
        &self,
        rule: &'r Rule,
        facts: &Facts<'_>,
        resting_max: usize,
    ) -> (&'r AtomicU64, &'static str) {
        // A rule that feeds itself would never come to an end.
        let feeds_itself = facts.by_rule && matches!(rule.config.then, RuleAction::Submit { .. });
        if feeds_itself || !rule.wakes(facts.agent, self.now(), resting_max) {
            return (&rule.suppressed, "suppressed");
        }
        let name = &rule.config.name;
        if rule.config.dry_run {
            tracing::info!(rule = %name, action = ?rule.config.then, "a rule would act");
            return (&rule.acted, "dry_run");
        }
        if self.act(&rule.config, facts.agent) {
            tracing::info!(rule = %name, "a rule acted");
            return (&rule.acted, "acted");
        }
        rule.may_act_again(facts.agent);
        (&rule.dropped, "dropped")
    }

    fn act(&self, rule: &RuleConfig, of_event: Option<&AgentId>) -> bool {
        let reason = || format!("rule {}", rule.name);
        match &rule.then {
            RuleAction::Sleep { agent, for_ms } => {
                let length = Duration::from_millis(*for_ms);
                let agent = agent.as_ref().or(of_event);
                agent.is_some_and(|agent| self.sleep_by_id(agent, SleepReason::Rule, length))
            }
            RuleAction::Wake { agent } => {
                let Some(agent) = agent.as_ref().or(of_event) else {
                    return false;
                };
                let view = self.control().and_then(|control| control.agent(agent));
                let sleeps = view.is_some_and(|v| v.availability == Availability::Sleeping);
                if sleeps {
                    self.wake(agent, WakeCause::Rule);
                }
                sleeps
            }
            RuleAction::Drain { agent } => {
                let agent = agent.as_ref().or(of_event);
                agent.is_some_and(|agent| self.command(|control| control.drain(agent)))
            }
            RuleAction::Quarantine { agent } => agent
                .as_ref()
                .or(of_event)
                .is_some_and(|agent| self.command(|c| c.quarantine(agent, reason()))),
            RuleAction::Scale { group, by } => self.scaling.ask_for(group, *by, self.now()),
            RuleAction::Notify { text } => self.notify(format!("rule {}: {text}", rule.name)),
            RuleAction::Submit { .. } => {
                let principal = self.principal();
                rule.task()
                    .is_some_and(|task| self.command(|control| control.submit(task, &principal)))
            }
        }
    }

    pub(crate) fn tick_rules(&self, world: &World<'_>) {
        if !world.settings.rules(When::Tick).is_empty() {
            self.ask_rules(When::Tick, &Facts::of_tick(world));
        }
    }
}
