//! Recovery plans: what is done about failures, tier by tier, and whether it worked.

mod plan;
mod tiers;

pub use plan::{PendingDecision, PlanState, PlanStep, Proposal, RecoveryPlan, Severity};

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use hashbrown::HashMap;
use parking_lot::Mutex;
use universal_orchestrator::{AgentId, CapabilitySet, FailureKind, TaskRecord, TaskType};

use crate::automation::Automation;
use crate::config::{RecoveryConfig, Tier};
use crate::metrics::AutomationMetric;
use crate::recovery::plan::blames_agent;
use crate::world::World;

/// Whom a plan is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Agent(AgentId),
    TaskType(TaskType),
}

#[derive(Debug)]
struct OpenPlan {
    plan: RecoveryPlan,
    /// What the failing task required: another agent must have it.
    required: CapabilitySet,
    /// Of the current tier, on the plugin's clock.
    deadline: Duration,
    failures_in_tier: u32,
    decision: Option<PendingDecision>,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<Subject, OpenPlan>,
    closed: VecDeque<RecoveryPlan>,
    last_id: u64,
}

/// All plans, bounded by `recovery.plans_max`.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    open: AtomicUsize,
    state: Mutex<State>,
}

/// A failed attempt.
pub(crate) struct Failure<'a> {
    pub(crate) task: &'a TaskRecord,
    pub(crate) agent: Option<&'a AgentId>,
    pub(crate) kind: FailureKind,
    pub(crate) wall_time: SystemTime,
}

impl Recovery {
    fn set_open(&self, state: &State) {
        self.open.store(state.open.len(), Ordering::Release);
    }

    pub(crate) fn open_count(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// All plans that are kept, the newest last.
    pub(crate) fn plans(&self) -> Vec<RecoveryPlan> {
        let state = self.state.lock();
        let open = state.open.values().map(|open| open.plan.clone());
        let mut plans: Vec<_> = state.closed.iter().cloned().chain(open).collect();
        plans.sort_by_key(|plan| plan.id);
        plans
    }

    /// The questions that wait, the oldest first.
    pub(crate) fn decisions(&self) -> Vec<PendingDecision> {
        let state = self.state.lock();
        let asked = state.open.values().filter_map(|open| open.decision.clone());
        let mut asked: Vec<_> = asked.collect();
        asked.sort_by_key(|decision| decision.plan);
        asked
    }

    /// A replacement goes on with the plan of the agent that it replaces.
    pub(crate) fn hand_over(&self, from: &AgentId, to: &AgentId) {
        let mut state = self.state.lock();
        if let Some(mut open) = state.open.remove(&Subject::Agent(from.clone())) {
            open.plan.replaced_by = Some(to.clone());
            state.open.insert(Subject::Agent(to.clone()), open);
        }
    }
}

impl Automation {
    /// An attempt failed: opens a plan, or takes the open one further.
    pub(crate) fn recover(&self, failure: &Failure<'_>) {
        let settings = self.settings();
        let config = &settings.config.recovery;
        let Some(severity) = Severity::of(failure.kind).filter(|_| config.enabled) else {
            return;
        };
        let task_type = failure.task.task().task_type();
        let blamed = failure.agent.filter(|_| blames_agent(failure.kind));
        let subject = match (blamed, task_type) {
            (Some(agent), _) => Subject::Agent(agent.clone()),
            (None, Some(name)) => Subject::TaskType(name.clone()),
            (None, None) => return,
        };
        let mut state = self.recovery.state.lock();
        if let Some(open) = state.open.get_mut(&subject) {
            open.plan.failure = failure.kind;
            open.plan.failures = open.plan.failures.saturating_add(1);
            open.plan.successes_in_a_row = 0;
            open.failures_in_tier += 1;
            open.required = failure.task.task().required().clone();
            let worse = severity > open.plan.severity;
            open.plan.severity = open.plan.severity.max(severity);
            let tier = open.plan.tier().unwrap_or(Tier::Retry);
            // The failure that opened the plan counts for its first tier.
            let opener = u32::from(open.plan.steps.len() <= 1 && tier == Tier::Retry);
            let enough = open.failures_in_tier + opener >= config.failures_per_tier;
            let outgrown = worse && severity.first_tier() > tier;
            if tier != Tier::Ask && (enough || outgrown) {
                let from = next_after(tier).max(match outgrown {
                    true => severity.first_tier(),
                    false => Tier::Retry,
                });
                self.climb(&mut state, &subject, from, config, failure.wall_time);
            }
            return;
        }
        if state.open.len() >= config.plans_max {
            drop(state);
            return self.drop_one("plan");
        }
        state.last_id += 1;
        let plan = RecoveryPlan {
            id: state.last_id,
            agent: blamed.cloned(),
            replaced_by: None,
            task_type: task_type.cloned(),
            failure: failure.kind,
            severity,
            failures: 1,
            successes_in_a_row: 0,
            steps: Vec::new(),
            state: PlanState::Open,
        };
        let open = OpenPlan {
            plan,
            required: failure.task.task().required().clone(),
            deadline: Duration::MAX,
            failures_in_tier: 0,
            decision: None,
        };
        state.open.insert(subject.clone(), open);
        self.count(AutomationMetric::PlansOpened, severity.as_str());
        let from = severity.first_tier();
        self.climb(&mut state, &subject, from, config, failure.wall_time);
        self.make_room(&mut state, config);
        self.recovery.set_open(&state);
    }

    /// A task succeeded: proof for the plan of its agent, and for that of its type.
    pub(crate) fn prove(&self, task: &TaskRecord, agent: Option<&AgentId>) {
        if self.recovery.open_count() == 0 {
            return;
        }
        let settings = self.settings();
        let config = &settings.config.recovery;
        let of_agent = agent.map(|agent| Subject::Agent(agent.clone()));
        let of_type = task.task().task_type();
        let of_type = of_type.map(|name| Subject::TaskType(name.clone()));
        let mut state = self.recovery.state.lock();
        for subject in of_agent.into_iter().chain(of_type) {
            let Some(open) = state.open.get_mut(&subject) else {
                continue;
            };
            open.plan.successes_in_a_row = open.plan.successes_in_a_row.saturating_add(1);
            if open.plan.successes_in_a_row >= config.proof_tasks {
                self.close(&mut state, &subject, PlanState::Recovered, config);
            }
        }
    }

    /// An agent left: nothing more can be done about it, unless a replacement is on its way.
    pub(crate) fn agent_left(&self, agent: &AgentId) {
        if self.recovery.open_count() == 0 {
            return;
        }
        let settings = self.settings();
        let subject = Subject::Agent(agent.clone());
        let mut state = self.recovery.state.lock();
        let open = state.open.get(&subject);
        if open.is_some_and(|open| open.plan.tier() != Some(Tier::Restart)) {
            let config = &settings.config.recovery;
            self.close(&mut state, &subject, PlanState::AgentLeft, config);
        }
    }

    /// Takes those plans further whose deadline has passed.
    pub(crate) fn tick_recovery(&self, world: &World<'_>) {
        if self.recovery.open_count() == 0 {
            return;
        }
        let config = &world.settings.config.recovery;
        let wall_time = SystemTime::UNIX_EPOCH + Duration::from_millis(world.wall_ms);
        let mut state = self.recovery.state.lock();
        let over = state.open.iter().filter(|(_, p)| p.deadline <= world.now);
        let mut over: Vec<(u64, Subject)> = over.map(|(s, p)| (p.plan.id, s.clone())).collect();
        over.sort_by_key(|(id, _)| *id);
        for (_, subject) in over {
            let Some(open) = state.open.get(&subject) else {
                continue;
            };
            let tier = open.plan.tier().unwrap_or(Tier::Ask);
            match tier {
                Tier::Ask => self.close(&mut state, &subject, PlanState::Expired, config),
                _ if open.plan.successes_in_a_row > 0 => {
                    self.close(&mut state, &subject, PlanState::Recovered, config);
                }
                // In quarantine nothing can show that it worked: only a human can let it out.
                _ if tier == Tier::Quarantine || open.failures_in_tier > 0 => {
                    self.climb(&mut state, &subject, next_after(tier), config, wall_time);
                }
                _ => self.close(&mut state, &subject, PlanState::Unproven, config),
            }
        }
    }

    /// Closes a plan and keeps it among the closed ones.
    fn close(&self, state: &mut State, subject: &Subject, how: PlanState, config: &RecoveryConfig) {
        let Some(mut open) = state.open.remove(subject) else {
            return;
        };
        open.plan.state = how;
        self.count(AutomationMetric::PlansClosed, how.as_str());
        tracing::info!(
            plan = open.plan.id,
            state = how.as_str(),
            "a recovery plan was closed"
        );
        state.closed.push_back(open.plan);
        self.make_room(state, config);
        self.recovery.set_open(state);
    }

    fn make_room(&self, state: &mut State, config: &RecoveryConfig) {
        while state.open.len() + state.closed.len() > config.plans_max {
            if state.closed.pop_front().is_none() {
                break;
            }
        }
    }
}

/// The tier that follows; the last one follows itself.
fn next_after(tier: Tier) -> Tier {
    let next = Tier::ALL.into_iter().find(|next| *next > tier);
    next.unwrap_or(Tier::Ask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_follows_from_the_category() {
        let cases = [
            (FailureKind::Retryable, Some(Severity::Moderate)),
            (FailureKind::Panicked, Some(Severity::Severe)),
            (FailureKind::IdleTimeout, Some(Severity::Serious)),
            (FailureKind::DeadlineExceeded, Some(Severity::Minor)),
            (FailureKind::Cancelled, None),
            (FailureKind::Vetoed, None),
        ];
        for (kind, expected) in cases {
            assert_eq!(Severity::of(kind), expected, "{kind}");
        }
    }
}
