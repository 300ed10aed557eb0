//! What each tier does, and the answers of humans.

use std::time::{Duration, SystemTime};

use universal_orchestrator::{AgentFilter, AgentId, Availability};

use crate::automation::Automation;
use crate::config::{RecoveryConfig, Tier};
use crate::error::DecisionError;
use crate::metrics::AutomationMetric;
use crate::recovery::{OpenPlan, PendingDecision, PlanState, PlanStep, Proposal, State, Subject};
use crate::sleep::SleepReason;
use crate::world::World;

impl Automation {
    /// Enters the first tier from `from` on that is allowed and can help; closes the plan when none is left.
    pub(super) fn climb(
        &self,
        state: &mut State,
        subject: &Subject,
        from: Tier,
        config: &RecoveryConfig,
        wall_time: SystemTime,
    ) {
        let asked = state.open.values().filter(|p| p.decision.is_some()).count();
        let Some(open) = state.open.get_mut(subject) else {
            return;
        };
        let allowed = |tier: &Tier| *tier >= from && config.tiers.contains(tier);
        for tier in Tier::ALL.into_iter().filter(allowed) {
            let limit = config.deadline(tier);
            let done = match tier {
                Tier::Ask if asked >= config.decisions_max => {
                    self.drop_one("decision");
                    Err("too many questions wait already".to_owned())
                }
                Tier::Ask => self.ask(open, wall_time + limit),
                _ => self.take(tier, open, subject, config),
            };
            let taken = done.is_ok();
            let what = done.unwrap_or_else(|why| why);
            let id = open.plan.id;
            tracing::info!(plan = id, tier = tier.as_str(), taken, %what, "a step of a recovery plan");
            open.plan.steps.push(PlanStep {
                tier,
                taken,
                what,
                at: wall_time,
                deadline: taken.then(|| wall_time + limit),
            });
            if taken {
                open.deadline = self.now().saturating_add(limit);
                open.failures_in_tier = 0;
                self.count(AutomationMetric::Steps, tier.as_str());
                return;
            }
        }
        self.close(state, subject, PlanState::Exhausted, config);
    }

    /// What a tier did, or why it cannot help.
    fn take(
        &self,
        tier: Tier,
        open: &OpenPlan,
        subject: &Subject,
        config: &RecoveryConfig,
    ) -> Result<String, String> {
        if tier == Tier::Retry {
            return Ok("left to the retry policy of the task".to_owned());
        }
        let Subject::Agent(agent) = subject else {
            return Err("no agent is to blame".to_owned());
        };
        match tier {
            Tier::OtherAgent => self.rest(agent, open, Duration::from_millis(config.rest_ms)),
            Tier::Restart => match self.scaling.replace(self, agent) {
                true => Ok("a new agent of its factory takes its place".to_owned()),
                false => Err("it belongs to no group with a factory".to_owned()),
            },
            _ => {
                let reason = format!(
                    "recovery plan {}: {} failures, the last one {}",
                    open.plan.id, open.plan.failures, open.plan.failure
                );
                match self.command(|control| control.quarantine(agent, reason)) {
                    true => Ok("put in quarantine".to_owned()),
                    false => Err("the command found no room".to_owned()),
                }
            }
        }
    }

    /// Lets an agent rest while another one can do the work.
    fn rest(&self, agent: &AgentId, open: &OpenPlan, length: Duration) -> Result<String, String> {
        let control = self.control().ok_or("the orchestrator is gone")?;
        let max = self.settings().config.agents_max;
        let views = control.agents(&AgentFilter::all().limit(max));
        let other = views.iter().find(|view| {
            view.id != *agent
                && view.availability == Availability::Available
                && view.capabilities.contains_all(&open.required)
        });
        let other = other.ok_or("no other agent that is available can do the work")?;
        let view = views.iter().find(|view| view.id == *agent);
        let view = view.ok_or("the agent has left")?;
        self.reconcile_sleepers(&World::index(&views));
        if self.sleep(view, SleepReason::Recovery, Some(length)) {
            return Ok(format!(
                "it rests for {length:?}, {} can do the work",
                other.id
            ));
        }
        Err("it sleeps already, or too many do".to_owned())
    }

    fn ask(&self, open: &mut OpenPlan, deadline: SystemTime) -> Result<String, String> {
        let agent = open
            .plan
            .replaced_by
            .clone()
            .or_else(|| open.plan.agent.clone());
        let is_kept_away = open.plan.tier() == Some(Tier::Quarantine);
        let (proposal, wanted) = match (&agent, is_kept_away) {
            (Some(agent), true) => (
                Proposal::Release,
                format!("release {agent} from quarantine?"),
            ),
            (Some(agent), false) => (Proposal::Quarantine, format!("put {agent} in quarantine?")),
            (None, _) => (Proposal::Look, "does somebody look at it?".to_owned()),
        };
        let of = match &open.plan.task_type {
            Some(name) if agent.is_none() => format!("tasks of type {name}"),
            _ => agent.as_ref().map_or_else(String::new, ToString::to_string),
        };
        let question = format!(
            "recovery plan {}: {of} failed {} times, the last time {}: {wanted}",
            open.plan.id, open.plan.failures, open.plan.failure
        );
        // The question waits in the list whether or not the alert finds room.
        self.notify(question.clone());
        open.decision = Some(PendingDecision {
            plan: open.plan.id,
            agent,
            proposal,
            question: question.clone(),
            deadline,
        });
        Ok(question)
    }

    /// A human answered.
    pub(crate) fn decide(&self, plan: u64, approve: bool) -> Result<(), DecisionError> {
        let settings = self.settings();
        let mut state = self.recovery.state.lock();
        let asked = state.open.iter().find(|(_, open)| open.plan.id == plan);
        let asked = asked.and_then(|(s, open)| Some((s.clone(), open.decision.clone()?)));
        let (subject, decision) = asked.ok_or(DecisionError::Unknown { plan })?;
        if !approve {
            let config = &settings.config.recovery;
            self.close(&mut state, &subject, PlanState::Rejected, config);
            return Ok(());
        }
        let done = match (decision.proposal, &decision.agent) {
            (Proposal::Quarantine, Some(agent)) => {
                self.command(|control| control.quarantine(agent, "approved by a human"))
            }
            (Proposal::Release, Some(agent)) => self.command(|control| control.release(agent)),
            _ => true,
        };
        if !done {
            return Err(DecisionError::NoRoom { plan });
        }
        let config = &settings.config.recovery;
        self.close(&mut state, &subject, PlanState::Approved, config);
        Ok(())
    }
}
