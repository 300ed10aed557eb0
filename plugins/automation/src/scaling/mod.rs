//! Groups of agents that grow and shrink with their work.

mod factory;
mod group;

pub use factory::{AgentFactory, ScalingGroup};
pub use group::GroupView;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use universal_orchestrator::{AgentId, AgentSpec, Availability};

use crate::automation::Automation;
use crate::error::{FactoryError, ScalingError};
use crate::jobs::Job;
use crate::metrics::AutomationMetric;
use crate::scaling::group::{Group, Member, MemberState, is_lost};
use crate::world::World;

/// All groups, bounded by `scaling.groups_max`.
#[derive(Default)]
pub(crate) struct Scaling {
    count: AtomicUsize,
    groups: Mutex<BTreeMap<String, Group>>,
}

/// An agent to be made.
pub(crate) struct Creation {
    group: String,
    number: u64,
    replaces: Option<AgentId>,
    factory: Arc<dyn AgentFactory>,
}

impl Creation {
    pub(crate) async fn make(&self) -> Result<AgentSpec, FactoryError> {
        self.factory.create(self.number).await
    }
}

impl Scaling {
    pub(crate) fn has_groups(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    pub(crate) fn views(&self) -> Vec<GroupView> {
        self.groups.lock().values().map(Group::view).collect()
    }

    /// Moves a group's target within its bounds; `false` when there is no such group.
    pub(crate) fn ask_for(&self, group: &str, by: i32, now: Duration) -> bool {
        let mut groups = self.groups.lock();
        let Some(group) = groups.get_mut(group) else {
            return false;
        };
        let by = isize::try_from(by).unwrap_or_default();
        let target = group.target.saturating_add_signed(by);
        group.target = target.clamp(group.min, group.max);
        group.last_step = Some(now);
        true
    }

    /// Lets an agent of a group leave and another take its place.
    pub(crate) fn replace(&self, automation: &Automation, agent: &AgentId) -> bool {
        let mut groups = self.groups.lock();
        for group in groups.values_mut() {
            let Some(member) = group.member(agent) else {
                continue;
            };
            if member.state != MemberState::Active
                || !automation.command(|control| control.drain(agent))
            {
                return false;
            }
            member.state = MemberState::Leaving {
                since: automation.now(),
            };
            group.to_replace.push(agent.clone());
            automation.create_missing(group);
            return true;
        }
        false
    }
}

impl Automation {
    pub(crate) fn add_group(&self, new: ScalingGroup) -> Result<(), ScalingError> {
        let settings = self.settings();
        let limit = settings.config.agents_max;
        let name = new.name;
        let capabilities = new.capabilities.map_err(|text| ScalingError::Capability {
            name: name.clone(),
            text,
        })?;
        let (min, max) = (new.min, new.max);
        if min > max || max == 0 || max > limit {
            return Err(ScalingError::Bounds {
                name,
                min,
                max,
                limit,
            });
        }
        let mut groups = self.scaling.groups.lock();
        if groups.contains_key(&name) {
            return Err(ScalingError::Duplicate { name });
        }
        let max_groups = settings.config.scaling.groups_max;
        if groups.len() >= max_groups {
            return Err(ScalingError::TooMany { max: max_groups });
        }
        let mut group = Group {
            name: name.clone(),
            factory: new.factory,
            capabilities,
            min,
            max,
            principal: new.principal,
            target: min,
            members: Vec::new(),
            creating: 0,
            to_replace: Vec::new(),
            last_number: 0,
            last_out: None,
            last_step: Some(self.now()),
            not_before: Duration::ZERO,
            created: 0,
            retired: 0,
            failed: 0,
        };
        self.create_missing(&mut group);
        groups.insert(name, group);
        self.scaling.count.store(groups.len(), Ordering::Release);
        Ok(())
    }

    pub(crate) fn tick_scaling(&self, world: &World<'_>) {
        if !self.scaling.has_groups() {
            return;
        }
        let config = &world.settings.config.scaling;
        let mut replaced = Vec::new();
        let mut groups = self.scaling.groups.lock();
        for group in groups.values_mut() {
            self.look_at_members(group, world, &mut replaced);
            let pressure = group.pressure(world, config);
            group.aim(pressure, world.now, config);
            if group.live() > group.target
                && let Some(spare) = group.spare(world)
            {
                self.send_away(group, &spare);
            }
            self.create_missing(group);
        }
        // A plan that restarts an agent holds the lock of the plans and takes that of the groups: never the other way round.
        drop(groups);
        for (before, new) in replaced {
            self.recovery.hand_over(&before, &new);
        }
    }

    /// Takes over how the members stand, and notes who took whose place.
    fn look_at_members(
        &self,
        group: &mut Group,
        world: &World<'_>,
        replaced: &mut Vec<(AgentId, AgentId)>,
    ) {
        let mut gone = Vec::new();
        for member in &mut group.members {
            let view = world.by_id.get(&member.id).copied();
            match (member.state, view) {
                (MemberState::Joining { .. }, Some(_)) => {
                    member.state = MemberState::Active;
                    group.created += 1;
                    self.count(AutomationMetric::Scalings, "out");
                    if let Some(before) = member.replaces.take() {
                        replaced.push((before, member.id.clone()));
                    }
                }
                (MemberState::Joining { until }, None) if world.now >= until => {
                    tracing::warn!(group = %group.name, agent = %member.id, "a new agent was not registered in time");
                    group.failed += 1;
                    self.count(AutomationMetric::Scalings, "failed");
                    group.not_before = retry_at(world);
                    gone.push((member.id.clone(), false));
                }
                (MemberState::Joining { .. }, None) => {}
                (_, None) => gone.push((member.id.clone(), true)),
                (MemberState::Active, Some(view)) if is_lost(view) => {
                    member.state = MemberState::Leaving { since: world.now };
                }
                (MemberState::Active, Some(_)) => {}
                (MemberState::Leaving { since }, Some(view)) => {
                    let limit = world.settings.config.scaling.drain_timeout_ms;
                    let limit = Duration::from_millis(limit);
                    let late = !limit.is_zero() && world.now >= since.saturating_add(limit);
                    let gets_nothing = is_lost(view) || view.availability == Availability::Draining;
                    if late || (gets_nothing && view.in_flight == 0) {
                        let principal = group.principal.clone();
                        let principal = principal.unwrap_or_else(|| self.principal());
                        self.command(|control| control.deregister(&view.id, &principal));
                    } else if !gets_nothing {
                        // The first command found no room, or somebody woke it.
                        self.command(|control| control.drain(&view.id));
                    }
                }
            }
        }
        for (agent, was_there) in gone {
            group.members.retain(|member| member.id != agent);
            if was_there {
                group.retired += 1;
                self.count(AutomationMetric::Scalings, "in");
                let factory = Arc::clone(&group.factory);
                self.send_job(Job::Retired { factory, agent });
            }
        }
    }

    fn send_away(&self, group: &mut Group, agent: &AgentId) {
        if self.command(|control| control.drain(agent)) {
            let since = self.now();
            if let Some(member) = group.member(agent) {
                member.state = MemberState::Leaving { since };
            }
        }
    }

    /// Asks the factory for as many agents as are missing.
    fn create_missing(&self, group: &mut Group) {
        if self.now() < group.not_before {
            return;
        }
        while group.live() < group.target {
            let creation = Creation {
                group: group.name.clone(),
                number: group.last_number + 1,
                replaces: group.to_replace.first().cloned(),
                factory: Arc::clone(&group.factory),
            };
            if !self.send_job(Job::Create(creation)) {
                return;
            }
            if !group.to_replace.is_empty() {
                group.to_replace.remove(0);
            }
            group.last_number += 1;
            group.creating += 1;
        }
        group.to_replace.clear();
    }

    /// The factory answered, failed, or took too long.
    pub(crate) fn created(
        &self,
        creation: Creation,
        made: Option<Result<AgentSpec, FactoryError>>,
    ) {
        let mut groups = self.scaling.groups.lock();
        let Some(group) = groups.get_mut(&creation.group) else {
            return;
        };
        group.creating = group.creating.saturating_sub(1);
        let spec = match made {
            Some(Ok(spec)) => self.fit_to_join(spec),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it took too long or panicked".to_owned()),
        };
        let principal = group.principal.clone();
        let principal = principal.unwrap_or_else(|| self.principal());
        let joined = spec.and_then(|(id, spec)| {
            match self.command(|control| control.register(spec, &principal)) {
                true => Ok(id),
                false => Err("the command found no room".to_owned()),
            }
        });
        let config = &self.settings().config.scaling;
        match joined {
            Ok(id) => group.members.push(Member {
                id,
                state: MemberState::Joining {
                    until: self.now() + Duration::from_millis(config.create_timeout_ms),
                },
                replaces: creation.replaces,
            }),
            Err(reason) => {
                tracing::warn!(group = %group.name, %reason, "an agent could not be made");
                group.failed += 1;
                self.count(AutomationMetric::Scalings, "failed");
                let wait = Duration::from_millis(config.out_cooldown_ms.max(1_000));
                group.not_before = self.now().saturating_add(wait);
                group.to_replace.extend(creation.replaces);
            }
        }
    }

    /// The id of a new agent, which nobody may have yet.
    fn fit_to_join(&self, spec: AgentSpec) -> Result<(AgentId, AgentSpec), String> {
        let id = spec.id().cloned();
        let id = id.ok_or("its id is not one")?;
        let taken = self.control().is_some_and(|c| c.agent(&id).is_some());
        match taken {
            true => Err(format!("an agent {id} is registered already")),
            false => Ok((id, spec)),
        }
    }
}

fn retry_at(world: &World<'_>) -> Duration {
    let cooldown = world.settings.config.scaling.out_cooldown_ms.max(1_000);
    world.now.saturating_add(Duration::from_millis(cooldown))
}
