//! What can be asked without changing anything.

use std::sync::Arc;
use std::time::Duration;

use crate::agent::{AgentCounts, AgentView, Availability};
use crate::clock::Stamp;
use crate::engine::accept::demand_of;
use crate::engine::agents::AgentSlot;
use crate::engine::effects::Signal;
use crate::engine::lots::Lot;
use crate::engine::pools::{Demand, Reach};
use crate::engine::tasks::{Place, TaskEntry};
use crate::engine::window::WindowFigures;
use crate::engine::{AgentKey, Engine, TaskKey};
use crate::id::{AgentId, Capability, Key, TaskId};
use crate::plugin::WaitingTasks;
use crate::routing::{Candidate, CandidateVerdict, RoutingExplanation, rank_or_last};
use crate::task::{
    DeadLetter, Refusal, Task, TaskOutcome, TaskSnapshot, TaskView, busy_text, demand_text,
};

/// Everything that the status counts, taken in one lock section.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    pub(crate) agents: AgentCounts,
    pub(crate) by_state: [u64; 8],
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) retries: u64,
    pub(crate) reports_refused: u64,
    pub(crate) retained: usize,
    pub(crate) dead_letters: usize,
    pub(crate) ready: usize,
    pub(crate) by_level: [usize; 4],
    pub(crate) delayed: usize,
    pub(crate) blocked: usize,
    pub(crate) key_limited: usize,
    pub(crate) budget_limited: usize,
    pub(crate) unroutable: usize,
    pub(crate) in_flight: usize,
    pub(crate) intake_paused: bool,
    pub(crate) queue_paused: bool,
    pub(crate) paused: Vec<Capability>,
    pub(crate) capabilities: Vec<(Capability, usize)>,
    pub(crate) capabilities_total: usize,
    pub(crate) window: WindowFigures,
    pub(crate) breakers: Vec<(AgentId, crate::breaker::BreakerState)>,
}

impl Engine {
    pub(crate) fn counts(&self, now: Stamp) -> Counts {
        let list_max = self.settings.list_max;
        let queued: usize = (0..self.pools.class_count() as u32)
            .filter(|c| self.ready.class_len(*c) > 0 && !self.pools.has_member(*c))
            .map(|c| self.ready.class_len(c))
            .sum();
        let parked = self.parked_tasks(|class| !self.pools.has_member(class));
        let unroutable = queued + parked.len();
        let open = self.agents.breaker_open.iter().take(list_max);
        let breakers = open
            .filter_map(|key| {
                let slot = self.agents.slots.get(*key)?;
                let breaker = slot.rare.as_ref()?.breaker.as_ref()?;
                Some((slot.id.clone(), breaker.state(Duration::from_nanos(now.0))))
            })
            .collect();
        Counts {
            agents: self.agents.counts,
            by_state: self.by_state,
            accepted: self.accepted,
            refused: self.refused,
            retries: self.retries,
            reports_refused: self.reports_refused,
            retained: self.retention.kept(),
            dead_letters: self.retention.dead().len(),
            ready: self.ready.len(),
            by_level: self.ready.by_level(),
            delayed: self.delayed,
            blocked: self.blocked,
            key_limited: self.keys.parked(),
            budget_limited: self.short.values().map(Lot::len).sum(),
            unroutable,
            in_flight: self.in_flight,
            intake_paused: self.intake_paused,
            queue_paused: self.queue_paused,
            paused: self.paused.iter().take(list_max).cloned().collect(),
            capabilities: self
                .pools
                .agents_with()
                .iter()
                .take(list_max)
                .map(|(c, n)| (c.clone(), *n))
                .collect(),
            capabilities_total: self.pools.agents_with().len(),
            window: self.window.figures(now),
            breakers,
        }
    }

    /// What the ready tasks ask for, most tasks first, at most `status.list_max` entries. Tasks of paused capabilities are left out: no agent would get them.
    pub(crate) fn waiting(&self, now: Stamp) -> Vec<WaitingTasks> {
        let classes = self.pools.demands();
        let ready = classes.filter(|(_, class)| self.pools.class(*class).paused == 0);
        let mut waiting: Vec<WaitingTasks> = ready
            .filter_map(|(demand, class)| {
                let since = self.ready.head_since(class)?;
                Some(WaitingTasks {
                    required: demand.required.clone(),
                    role: demand.role,
                    labels: demand.labels.clone(),
                    tasks: self.ready.class_len(class),
                    longest: now.since(since),
                })
            })
            .collect();
        waiting.sort_by(|a, b| {
            let names = |w: &WaitingTasks| w.required.iter().cloned().collect::<Vec<_>>();
            (b.tasks, b.longest)
                .cmp(&(a.tasks, a.longest))
                .then_with(|| names(a).cmp(&names(b)))
        });
        waiting.truncate(self.settings.list_max);
        waiting
    }

    pub(crate) fn agent_view(&self, id: &AgentId, now: Stamp) -> Option<AgentView> {
        Some(self.view_of(self.agents.slots.get(self.agents.key(id)?)?, now))
    }

    fn view_of(&self, slot: &AgentSlot, now: Stamp) -> AgentView {
        let pool = self.pools.pool(slot.pool);
        let attempts = slot.completed + slot.failed;
        AgentView {
            id: slot.id.clone(),
            role: slot.role,
            capabilities: pool.capabilities().clone(),
            labels: pool.labels().clone(),
            in_process: slot.runs.is_some(),
            concurrency: slot.concurrency,
            in_flight: slot.in_flight(),
            zombies: slot.zombies,
            availability: slot.availability(now),
            quarantine_reason: slot.quarantine().map(str::to_owned),
            completed: slot.completed,
            failed: slot.failed,
            busy: Duration::from_nanos(slot.busy_nanos),
            average_task_duration: Duration::from_nanos(
                slot.busy_nanos.checked_div(attempts).unwrap_or(0),
            ),
            age: now.since(slot.registered_at),
            last_seen: now.since(slot.last_seen),
            metadata: Self::metadata_of(slot),
        }
    }

    /// Agents in the order of their ids, those after `after`, at most `max`, that the filter takes.
    pub(crate) fn agent_views(
        &self,
        after: Option<&AgentId>,
        max: usize,
        now: Stamp,
        takes: impl Fn(&AgentView) -> bool,
    ) -> Vec<AgentView> {
        let mut slots: Vec<&AgentSlot> = self
            .agents
            .slots
            .values()
            .filter(|s| after.is_none_or(|a| s.id > *a))
            .collect();
        slots.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        slots
            .into_iter()
            .map(|s| self.view_of(s, now))
            .filter(takes)
            .take(max)
            .collect()
    }

    pub(crate) fn task_key(&self, id: &TaskId) -> Option<TaskKey> {
        let key = self.tasks.key(id)?;
        (self.tasks.entries[key].place != Place::Provisional).then_some(key)
    }

    pub(crate) fn task_view(&self, key: TaskKey, now: Stamp) -> Option<TaskView> {
        let entry = self.tasks.entries.get(key)?;
        let task = entry.record.task();
        let cold = entry.cold.as_ref();
        Some(TaskView {
            id: entry.id().clone(),
            task_type: task.task_type.clone()?,
            state: entry.state,
            priority: task.priority,
            required: task.required.clone(),
            principal: entry.record.principal().clone(),
            tenant: task.tenant_name().cloned(),
            run: task.run_id().cloned(),
            parent: task.parent().cloned(),
            replay_of: task.options.as_deref().and_then(|o| o.replay_of.clone()),
            agent: entry
                .agent
                .and_then(|a| self.agents.slots.get(a))
                .map(|a| a.id.clone()),
            attempt: entry.attempt,
            age: now.since(entry.accepted_at),
            waiting_for: self.waiting_for(entry, now),
            progress: cold.and_then(|c| c.progress.as_deref().cloned()),
        })
    }

    /// Why a live task does not run yet.
    fn waiting_for(&self, entry: &TaskEntry, now: Stamp) -> Option<String> {
        let task = entry.record.task();
        let cold = entry.cold.as_ref();
        Some(match entry.place {
            Place::Delayed => {
                let due = cold.map_or(now, |c| c.due);
                format!("its time, {:?} from now", due.since(now))
            }
            Place::Blocked(left) => format!("{left} tasks that it comes after"),
            Place::KeyLimited => {
                let key = task
                    .options
                    .as_deref()
                    .and_then(|o| o.concurrency_key.as_ref());
                format!("its concurrency key {}", key.map_or("", |k| k.as_str()))
            }
            Place::BudgetLimited => {
                let account = cold.and_then(|c| c.waits_for.as_ref());
                let name = account.map(ToString::to_string).unwrap_or_default();
                format!("room in account {name}")
            }
            Place::Gate => "a guard of its retry".to_owned(),
            Place::Reserved | Place::Provisional => "hooks before its delegation".to_owned(),
            Place::Ready if self.queue_paused => "the queue, which is paused".to_owned(),
            Place::Ready => match task.required.iter().find(|c| self.paused.contains(*c)) {
                Some(capability) => format!("capability {capability}, which is paused"),
                None => self.waiting_for_agent(entry),
            },
            Place::Bound | Place::Over => return None,
        })
    }

    fn waiting_for_agent(&self, entry: &TaskEntry) -> String {
        let max = self.settings.max_concurrent_tasks;
        let what = if self.in_flight >= max {
            format!("its turn: max_concurrent_tasks {max} are in flight")
        } else if self.pools.has_ready(entry.class, Reach::All) {
            "a capable agent to call next_task".to_owned()
        } else {
            match self.why_none(entry.class, entry.record.task()) {
                Refusal::AllBusy { capable, busy } => {
                    format!("a capable agent to be free ({})", busy_text(busy, capable))
                }
                Refusal::AllUnavailable { counts, .. } => {
                    format!("a capable agent to be available ({counts})")
                }
                _ => {
                    let demand = demand_of(entry.record.task());
                    match demand_text(demand.required, demand.role, demand.labels) {
                        Some(demand) => format!("an agent with {demand}: none is registered"),
                        None => "an agent: none is registered".to_owned(),
                    }
                }
            }
        };
        match self.ready.class_len(entry.class).saturating_sub(1) {
            0 => what,
            1 => format!("{what}, with 1 other task that needs the same"),
            others => format!("{what}, with {others} other tasks that need the same"),
        }
    }

    /// Tasks in the order of acceptance, at most `max`, that the filter takes.
    pub(crate) fn task_views(
        &self,
        after: Option<&TaskId>,
        max: usize,
        now: Stamp,
        takes: impl Fn(&TaskView) -> bool,
    ) -> Vec<TaskView> {
        let mut entries: Vec<(u64, TaskKey)> = self
            .tasks
            .entries
            .iter()
            .filter(|(_, e)| e.place != Place::Provisional)
            .map(|(key, e)| (e.number, key))
            .collect();
        entries.sort_unstable();
        let start = after.map_or(0, |id| {
            let key = self.tasks.key(id);
            let at = entries.iter().position(|(_, k)| Some(*k) == key);
            at.map_or(entries.len(), |at| at + 1)
        });
        entries[start..]
            .iter()
            .filter_map(|(_, key)| self.task_view(*key, now))
            .filter(takes)
            .take(max)
            .collect()
    }

    pub(crate) fn outcome(&self, key: TaskKey) -> Option<TaskOutcome> {
        self.tasks.entries.get(key)?.outcome.clone()
    }

    /// The signal of a live task, made on first use. Nobody would ever fire that of one that is over.
    pub(crate) fn signal(&mut self, key: TaskKey) -> Option<Arc<Signal>> {
        let live = |entry: &&mut TaskEntry| entry.state.is_live();
        let entry = self.tasks.entries.get_mut(key).filter(live)?;
        Some(Arc::clone(
            entry.cold_mut().signal.get_or_insert_with(Arc::default),
        ))
    }

    /// Whether a task of this id asks for the same: what `submit_or_get` compares.
    pub(crate) fn asks_for_the_same(&self, key: TaskKey, other: &Task) -> bool {
        self.tasks.entries.get(key).is_some_and(|e| {
            let task = e.record.given();
            task.task_type == other.task_type
                && task.required == other.required
                && task.payload == other.payload
        })
    }

    pub(crate) fn snapshot(&self, key: TaskKey) -> Option<TaskSnapshot> {
        let entry = self.tasks.entries.get(key)?;
        let at = |stamp: Stamp| {
            (stamp != Stamp::NEVER && stamp != Stamp::default()).then(|| self.epoch.instant(stamp))
        };
        let due = entry.cold.as_ref().map_or(Stamp::default(), |c| c.due);
        TaskSnapshot::of(
            &entry.record,
            tokio::time::Instant::now(),
            at(entry.deadline),
            at(due),
        )
    }

    pub(crate) fn principal_of(&self, key: TaskKey) -> Option<crate::id::PrincipalName> {
        self.tasks
            .entries
            .get(key)
            .map(|e| e.record.principal().clone())
    }

    /// Attempts of this process that are over and still run.
    pub(crate) const fn lingering(&self) -> usize {
        self.lingering
    }

    pub(crate) fn attempt_of(&self, key: TaskKey) -> u32 {
        self.tasks.entries.get(key).map_or(0, |e| e.attempt)
    }

    pub(crate) fn state_of(&self, key: TaskKey) -> Option<crate::task::TaskState> {
        self.tasks.entries.get(key).map(|e| e.state)
    }

    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.retention.dead().cloned().collect()
    }

    pub(crate) fn put_dead_letter_back(
        &mut self,
        at: usize,
        letter: DeadLetter,
    ) -> Option<DeadLetter> {
        self.retention.put_back(at, letter)
    }

    pub(crate) fn take_dead_letter(&mut self, id: &TaskId) -> Option<(usize, DeadLetter)> {
        self.retention.take_dead(id)
    }

    /// What routing would decide now, and why.
    pub(crate) fn explain(&self, task: &Task, now: Stamp) -> RoutingExplanation {
        let demand = demand_of(task);
        let affinity = task
            .options
            .as_deref()
            .and_then(|o| o.affinity_key.as_ref());
        let held_back = self.held_back(task);
        let chosen = match held_back {
            Some(_) => None,
            None => self.best_by_scan(&demand, affinity),
        };
        let mut candidates: Vec<(bool, Candidate)> = Vec::new();
        let mut capable = 0;
        for (key, slot) in &self.agents.slots {
            let verdict = self.verdict(slot, &demand, chosen == Some(key), now);
            let lacks = matches!(
                verdict,
                CandidateVerdict::LacksCapability { .. }
                    | CandidateVerdict::OtherRole
                    | CandidateVerdict::OtherLabel
            );
            capable += usize::from(!lacks);
            candidates.push((
                lacks,
                Candidate {
                    agent: slot.id.clone(),
                    rank: rank_or_last(&*self.policy, &slot.figures()),
                    in_flight: slot.in_flight(),
                    concurrency: slot.concurrency,
                    verdict,
                },
            ));
        }
        candidates.sort_by(|(a_lacks, a), (b_lacks, b)| {
            let chosen = |c: &Candidate| c.verdict != CandidateVerdict::Chosen;
            (chosen(a), a_lacks, a.rank, &a.agent).cmp(&(chosen(b), b_lacks, b.rank, &b.agent))
        });
        candidates.truncate(self.settings.list_max);
        RoutingExplanation {
            policy: self.policy.name().to_owned(),
            held_back: held_back.map(|refusal| refusal.to_string()),
            chosen: chosen
                .and_then(|key| self.agents.slots.get(key))
                .map(|s| s.id.clone()),
            candidates: candidates.into_iter().map(|(_, c)| c).collect(),
            agents: self.agents.slots.len(),
            capable,
        }
    }

    /// What holds every task of its kind back, whoever is free.
    fn held_back(&self, task: &Task) -> Option<Refusal> {
        if self.shutting_down {
            return Some(Refusal::ShuttingDown);
        }
        if self.intake_paused {
            return Some(Refusal::IntakePaused);
        }
        if let Some(capability) = task.required.iter().find(|c| self.paused.contains(*c)) {
            let capability = capability.clone();
            return Some(Refusal::CapabilityPaused { capability });
        }
        let max = self.settings.max_concurrent_tasks;
        (self.in_flight >= max).then_some(Refusal::TooManyInFlight { max })
    }

    /// What routing decides, without its index.
    fn best_by_scan(&self, demand: &Demand<'_>, affinity: Option<&Key>) -> Option<AgentKey> {
        let ready = self.agents.slots.iter().filter_map(|(key, slot)| {
            let pool = self.pools.pool(slot.pool);
            let (_, rank) = slot.ready.filter(|_| !slot.is_spent())?;
            demand
                .is_met_by(pool.capabilities(), slot.role, pool.labels())
                .then_some((rank, key))
        });
        match affinity {
            None => ready.min_by_key(|(rank, _)| *rank).map(|(_, key)| key),
            Some(affinity) => self.stickiest(affinity, ready),
        }
    }

    fn verdict(
        &self,
        slot: &AgentSlot,
        demand: &Demand<'_>,
        chosen: bool,
        now: Stamp,
    ) -> CandidateVerdict {
        let pool = self.pools.pool(slot.pool);
        if let Some(capability) = demand
            .required
            .iter()
            .find(|c| !pool.capabilities().contains(c.as_str()))
        {
            return CandidateVerdict::LacksCapability {
                capability: capability.clone(),
            };
        }
        if demand.role.is_some_and(|r| r != slot.role) {
            return CandidateVerdict::OtherRole;
        }
        if !pool.labels().contains_all(demand.labels) {
            return CandidateVerdict::OtherLabel;
        }
        match slot.availability(now) {
            Availability::Sleeping => CandidateVerdict::Sleeping,
            Availability::Draining => CandidateVerdict::Draining,
            Availability::Quarantined => CandidateVerdict::Quarantined,
            Availability::Unreachable => CandidateVerdict::Unreachable,
            Availability::BreakerOpen => CandidateVerdict::BreakerOpen,
            Availability::OverBudget => CandidateVerdict::OverBudget,
            Availability::Available if chosen => CandidateVerdict::Chosen,
            Availability::Available if !slot.has_free_slot() => CandidateVerdict::Busy,
            Availability::Available => CandidateVerdict::RanksLower,
        }
    }
}
