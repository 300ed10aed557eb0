//! The engine: one owner of all state, under one short lock.
//!
//! Everything here is synchronous, takes the time as an argument, and calls no code of users but [`RoutingPolicy::rank`], the wall clock and the
//! metrics recorder, which must not call back.
//! What has to happen outside of the lock is left in [`Effects`].

mod accept;
mod accounts;
mod agents;
mod bind;
mod dependencies;
mod effects;
mod expire;
mod finish;
mod keys;
mod line;
mod lots;
mod matcher;
mod pools;
mod query;
mod queue;
mod register;
mod report;
mod retention;
mod settings;
mod tasks;
mod timers;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use accept::{Accepted, DelegateOptions, Doorway};
pub(crate) use effects::{
    Effects, Finished, Gate, Launch, OBSERVE, Phase, RareEffects, Seen, Signal,
};
pub(crate) use query::Counts;
pub(crate) use register::Pull;
pub(crate) use report::{Report, RunEnd};
pub(crate) use settings::{EngineSettings, limits_of};
pub(crate) use tasks::Door;
pub(crate) use window::WindowFigures;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use slotmap::new_key_type;

use crate::agent::TaskHost;
use crate::budget::{AccountId, Ledger};
use crate::clock::{Epoch, SharedWallClock, Stamp};
use crate::engine::agents::AgentTable;
use crate::engine::keys::Keys;
use crate::engine::lots::Lot;
use crate::engine::pools::{ClassIx, Pools};
use crate::engine::queue::ReadyQueue;
use crate::engine::retention::Retention;
use crate::engine::tasks::{Place, TaskTable};
use crate::engine::timers::Timers;
use crate::engine::window::Window;
use crate::event::EventBus;
use crate::id::{Capability, Key};
use crate::metrics::Metrics;
use crate::plugin::PluginHost;
use crate::routing::RoutingPolicy;
use crate::task::{InvalidTransition, TaskEvent, TaskState};

new_key_type! {
    /// Where an agent is kept.
    pub(crate) struct AgentKey;
    /// Where a task is kept.
    pub(crate) struct TaskKey;
}

/// What follows from a decision and is decided in the same lock section.
pub(crate) enum Work {
    /// An agent may have a free slot.
    Agent(AgentKey),
    /// A class may have a ready task and a ready agent.
    Class(ClassIx),
    /// Any of them.
    All,
    /// A key has room.
    Key(Key),
    /// An account may have room again.
    Account(AccountId),
    /// A task that comes after another may run, or never will.
    Dependent(TaskKey, TaskState),
    /// A child whose parent is over.
    Child(TaskKey),
}

/// All state of one orchestrator.
pub(crate) struct Engine {
    pub(crate) settings: EngineSettings,
    pub(crate) epoch: Epoch,
    pub(crate) wall: SharedWallClock,
    pub(crate) policy: Arc<dyn RoutingPolicy>,
    pub(crate) plugins: Arc<PluginHost>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<EventBus>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) host: Weak<dyn TaskHost>,
    pub(crate) effects: Effects,
    agents: AgentTable,
    pools: Pools,
    tasks: TaskTable,
    ready: ReadyQueue,
    keys: Keys,
    /// Ready tasks for which an account has no room now.
    short: hashbrown::HashMap<AccountId, Lot>,
    /// Those of them that wait for the own budgets of agents.
    short_of_agents: usize,
    timers: Timers,
    retention: Retention,
    window: Window,
    work: VecDeque<Work>,
    /// Tasks by state; terminal ones since the start.
    by_state: [u64; 8],
    accepted: u64,
    refused: u64,
    retries: u64,
    reports_refused: u64,
    delayed: usize,
    blocked: usize,
    in_flight: usize,
    /// Something waited because `max_concurrent_tasks` was reached.
    starved: bool,
    sequence: u64,
    order: u64,
    random: u64,
    intake_paused: bool,
    queue_paused: bool,
    shutting_down: bool,
    paused: BTreeSet<Capability>,
    zombie_attempts: hashbrown::HashMap<(TaskKey, u32), AgentKey>,
    /// Attempts of this process that are over and whose futures are not gone; also those of agents that have left.
    lingering: usize,
    armed: Stamp,
    tidied_at: usize,
}

/// What an engine is made of.
pub(crate) struct EngineParts {
    pub(crate) settings: EngineSettings,
    pub(crate) epoch: Epoch,
    pub(crate) wall: SharedWallClock,
    pub(crate) policy: Arc<dyn RoutingPolicy>,
    pub(crate) plugins: Arc<PluginHost>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<EventBus>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) host: Weak<dyn TaskHost>,
}

impl Engine {
    pub(crate) fn new(parts: EngineParts) -> Self {
        let s = &parts.settings;
        Self {
            ready: ReadyQueue::new(
                s.queue.ageing_ms,
                s.queue.order,
                s.queue.tenant_weights.clone(),
            ),
            retention: Retention::new(
                s.tasks.retained_results_max,
                s.tasks.result_retention_ms,
                s.tasks.dead_letters_max,
            ),
            window: Window::new(std::time::Duration::from_millis(s.status_window_ms)),
            random: s.seed,
            settings: parts.settings,
            epoch: parts.epoch,
            wall: parts.wall,
            policy: parts.policy,
            plugins: parts.plugins,
            metrics: parts.metrics,
            events: parts.events,
            ledger: parts.ledger,
            host: parts.host,
            effects: Effects::default(),
            agents: AgentTable::default(),
            pools: Pools::default(),
            tasks: TaskTable::default(),
            keys: Keys::default(),
            short: hashbrown::HashMap::new(),
            short_of_agents: 0,
            timers: Timers::default(),
            work: VecDeque::new(),
            by_state: [0; 8],
            accepted: 0,
            refused: 0,
            retries: 0,
            reports_refused: 0,
            delayed: 0,
            blocked: 0,
            in_flight: 0,
            starved: false,
            sequence: 0,
            order: 0,
            intake_paused: false,
            queue_paused: false,
            shutting_down: false,
            paused: BTreeSet::new(),
            zombie_attempts: hashbrown::HashMap::new(),
            lingering: 0,
            armed: Stamp::NEVER,
            tidied_at: 0,
        }
    }

    /// Decides everything that follows from what was decided, then says whether the background task must wake earlier.
    pub(crate) fn settle(&mut self, now: Stamp) {
        self.take_freed();
        while let Some(work) = self.work.pop_front() {
            match work {
                Work::Agent(agent) => self.match_agent(agent, now),
                Work::Class(class) => self.match_class(class, now),
                Work::All => self.match_all(now),
                Work::Key(key) => self.unpark(&key, now),
                Work::Account(account) => self.account_freed(&account, now),
                Work::Dependent(task, state) => self.dependency_over(task, state, now),
                Work::Child(task) => self.parent_over(task, now),
            }
            self.take_freed();
        }
        if self.timers.wants_sweep() {
            self.sweep_timers();
        }
        if let Some(next) = self.timers.next_at()
            && next < self.armed
        {
            self.armed = next;
            self.effects.rearm = true;
        }
    }

    /// The one place where a state changes. A durable journal would append here.
    fn transition(
        &mut self,
        task: TaskKey,
        event: TaskEvent,
    ) -> Result<TaskState, InvalidTransition> {
        let Some(entry) = self.tasks.entries.get_mut(task) else {
            return Err(InvalidTransition {
                from: TaskState::Cancelled,
                event,
            });
        };
        let before = entry.state;
        let after = before.apply(event)?;
        entry.state = after;
        self.by_state[before as usize] -= 1;
        self.by_state[after as usize] += 1;
        Ok(after)
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// A number from 0 up to 1 from the seeded generator (SplitMix64; Steele, Lea, Flood, OOPSLA 2014).
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Puts a task where it waits, and counts it there.
    fn set_place(&mut self, task: TaskKey, place: Place) {
        if let Some(entry) = self.tasks.entries.get_mut(task) {
            let before = std::mem::replace(&mut entry.place, place);
            self.count_place(before, false);
            self.count_place(place, true);
        }
    }

    const fn count_place(&mut self, place: Place, add: bool) {
        let count = match place {
            Place::Delayed => &mut self.delayed,
            Place::Blocked(_) => &mut self.blocked,
            _ => return,
        };
        *count = if add { *count + 1 } else { *count - 1 };
    }

    pub(crate) fn next_timer(&mut self) -> Option<Stamp> {
        let next = self.timers.next_at();
        self.armed = next.unwrap_or(Stamp::NEVER);
        next
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("accepted", &self.accepted)
            .finish_non_exhaustive()
    }
}
