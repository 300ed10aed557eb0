//! One group: who belongs to it, and how many should.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use universal_orchestrator::{AgentId, AgentView, Availability, CapabilitySet, Principal};

use crate::config::ScalingConfig;
use crate::scaling::AgentFactory;
use crate::world::World;

/// How a group stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Its bounds.
    pub min: usize,
    /// Its bounds.
    pub max: usize,
    /// How many agents it should have.
    pub target: usize,
    /// Its agents that may get work.
    pub agents: Vec<AgentId>,
    /// Agents being made or registered.
    pub starting: usize,
    /// Agents that finish what they have before they leave.
    pub leaving: Vec<AgentId>,
    /// Agents made so far.
    pub created: u64,
    /// Agents that have left.
    pub retired: u64,
    /// Agents that could not be made or registered.
    pub failed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberState {
    /// Its registration was sent.
    Joining { until: Duration },
    /// It is there.
    Active,
    /// It finishes what it has.
    Leaving { since: Duration },
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) id: AgentId,
    pub(super) state: MemberState,
    /// The agent whose place it takes.
    pub(super) replaces: Option<AgentId>,
}

pub(super) struct Group {
    pub(super) name: String,
    pub(super) factory: Arc<dyn AgentFactory>,
    pub(super) capabilities: CapabilitySet,
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) principal: Option<Principal>,
    pub(super) target: usize,
    pub(super) members: Vec<Member>,
    pub(super) creating: usize,
    /// Agents whose replacements are not made yet.
    pub(super) to_replace: Vec<AgentId>,
    pub(super) last_number: u64,
    pub(super) last_out: Option<Duration>,
    pub(super) last_step: Option<Duration>,
    pub(super) not_before: Duration,
    pub(super) created: u64,
    pub(super) retired: u64,
    pub(super) failed: u64,
}

impl Group {
    pub(super) fn view(&self) -> GroupView {
        let of = |wanted: fn(&MemberState) -> bool| {
            let members = self.members.iter().filter(move |m| wanted(&m.state));
            members.map(|m| m.id.clone()).collect::<Vec<_>>()
        };
        let joining = of(|s| matches!(s, MemberState::Joining { .. })).len();
        GroupView {
            name: self.name.clone(),
            min: self.min,
            max: self.max,
            target: self.target,
            agents: of(|s| *s == MemberState::Active),
            starting: joining + self.creating,
            leaving: of(|s| matches!(s, MemberState::Leaving { .. })),
            created: self.created,
            retired: self.retired,
            failed: self.failed,
        }
    }

    /// Those that are there or on their way.
    pub(super) fn live(&self) -> usize {
        let leaving = |m: &&Member| matches!(m.state, MemberState::Leaving { .. });
        let members = self.members.len();
        members - self.members.iter().filter(leaving).count() + self.creating
    }

    pub(super) fn member(&mut self, agent: &AgentId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == *agent)
    }

    pub(super) fn active<'w>(
        &self,
        world: &'w World<'_>,
    ) -> impl Iterator<Item = &'w AgentView> + use<'_, 'w> {
        let members = self.members.iter();
        let active = members.filter(|m| m.state == MemberState::Active);
        active.filter_map(|m| world.by_id.get(&m.id).copied())
    }

    /// Whether what waits, or how busy its agents are, asks for more agents (1) or fewer (-1).
    pub(super) fn pressure(&self, world: &World<'_>, config: &ScalingConfig) -> i8 {
        let ours = |required: &CapabilitySet| self.capabilities.contains_all(required);
        let waiting = world.waiting.iter().filter(|w| ours(&w.required));
        let longest = waiting.map(|w| w.longest).max();
        if longest.is_some_and(|wait| wait >= Duration::from_millis(config.out_wait_ms)) {
            return 1;
        }
        let (mut taken, mut slots) = (0_u64, 0_u64);
        for view in self.active(world) {
            taken += u64::from(view.in_flight.min(view.concurrency));
            slots += u64::from(view.concurrency);
        }
        if slots == 0 {
            return 0;
        }
        let percent = taken as f64 * 100.0 / slots as f64;
        if percent >= config.out_utilization_percent {
            1
        } else if longest.is_none() && percent < config.in_utilization_percent {
            -1
        } else {
            0
        }
    }

    /// Moves the target, if pressure and cooldowns allow.
    pub(super) fn aim(&mut self, pressure: i8, now: Duration, config: &ScalingConfig) {
        let passed = |since: Option<Duration>, ms: u64| {
            since.is_none_or(|since| now >= since.saturating_add(Duration::from_millis(ms)))
        };
        // A step that is not finished yet says nothing about the next one.
        let settled = self.live() == self.target;
        if pressure > 0
            && settled
            && self.target < self.max
            && passed(self.last_out, config.out_cooldown_ms)
        {
            self.target += 1;
            self.last_out = Some(now);
            self.last_step = Some(now);
        } else if pressure < 0
            && settled
            && self.target > self.min
            && passed(self.last_step, config.in_cooldown_ms)
        {
            self.target -= 1;
            self.last_step = Some(now);
        }
    }

    /// Who can be spared: the least busy, of these the newest.
    pub(super) fn spare(&self, world: &World<'_>) -> Option<AgentId> {
        let idlest = self.active(world).min_by(|a, b| {
            let order = (a.in_flight, a.age).cmp(&(b.in_flight, b.age));
            order.then_with(|| b.id.cmp(&a.id))
        });
        idlest.map(|view| view.id.clone())
    }
}

/// Whether an agent will get no work any more until somebody does something.
pub(super) const fn is_lost(view: &AgentView) -> bool {
    matches!(
        view.availability,
        Availability::Quarantined | Availability::Unreachable
    )
}
