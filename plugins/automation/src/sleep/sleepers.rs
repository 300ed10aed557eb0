//! The agents that this plugin put to sleep, and who could work instead of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use serde::Serialize;
use universal_orchestrator::plugin::WaitingTasks;
use universal_orchestrator::{AgentId, AgentView, Availability, CapabilitySet};

/// Why an agent sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SleepReason {
    /// Its context is nearly full.
    Context,
    /// It had nothing to do.
    Inactivity,
    /// A schedule says so.
    Schedule,
    /// Its tasks take too long.
    Degradation,
    /// Its tasks fail too often.
    ErrorRate,
    /// The host is short of memory or CPU.
    Resources,
    /// It rests, so that other agents do the work that failed on it.
    Recovery,
    /// A rule says so.
    Rule,
}

/// An agent that this plugin put to sleep.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SleepingAgent {
    /// The agent.
    pub agent: AgentId,
    /// Why.
    pub reason: SleepReason,
    /// For how long, from when it fell asleep; `None` until its schedule wakes it.
    pub length: Option<Duration>,
}

#[derive(Debug)]
struct Sleeper {
    agent: AgentId,
    capabilities: CapabilitySet,
    reason: SleepReason,
    length: Option<Duration>,
    until: Option<Duration>,
    /// Whether a look at the agents has shown it asleep: only from then on does being awake mean that somebody else woke it.
    seen: bool,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they fell asleep.
    asleep: BTreeMap<u64, Sleeper>,
    order: HashMap<AgentId, u64>,
    /// Those whose checkpoint is under way.
    busy: HashSet<AgentId>,
    /// Available agents by capability set.
    awake: HashMap<CapabilitySet, usize>,
    next: u64,
}

/// Agents asleep by this plugin, bounded by `sleep.sleeping_max`.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    count: AtomicUsize,
    state: Mutex<State>,
}

impl Sleepers {
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Marks an agent as being put to sleep; `false` when it is already, or sleeps, or too many do.
    pub(crate) fn begin(&self, agent: &AgentId, max: usize) -> bool {
        let mut state = self.state.lock();
        let room = state.asleep.len() + state.busy.len() < max;
        room && !state.order.contains_key(agent) && state.busy.insert(agent.clone())
    }

    /// Its checkpoint is over or was given up.
    pub(crate) fn end(&self, agent: &AgentId) {
        self.state.lock().busy.remove(agent);
    }

    /// It sleeps from now on.
    pub(crate) fn add(
        &self,
        view: &AgentView,
        reason: SleepReason,
        length: Option<Duration>,
        now: Duration,
    ) {
        let mut state = self.state.lock();
        state.busy.remove(&view.id);
        let number = state.next;
        state.next += 1;
        if let Some(before) = state.order.insert(view.id.clone(), number) {
            state.asleep.remove(&before);
        } else if view.availability == Availability::Available
            && let Some(awake) = state.awake.get_mut(&view.capabilities)
        {
            *awake = awake.saturating_sub(1);
        }
        let sleeper = Sleeper {
            agent: view.id.clone(),
            capabilities: view.capabilities.clone(),
            reason,
            length,
            until: length.map(|length| now.saturating_add(length)),
            seen: false,
        };
        state.asleep.insert(number, sleeper);
        self.count.store(state.asleep.len(), Ordering::Release);
    }

    /// It is woken. Whether this plugin had put it to sleep.
    pub(crate) fn woken(&self, agent: &AgentId) -> bool {
        let mut state = self.state.lock();
        let Some(sleeper) = self.take(&mut state, agent) else {
            return false;
        };
        *state.awake.entry(sleeper.capabilities).or_default() += 1;
        true
    }

    /// It left.
    pub(crate) fn gone(&self, agent: &AgentId) {
        self.take(&mut self.state.lock(), agent);
    }

    fn take(&self, state: &mut State, agent: &AgentId) -> Option<Sleeper> {
        state.busy.remove(agent);
        let number = state.order.remove(agent)?;
        let sleeper = state.asleep.remove(&number);
        self.count.store(state.asleep.len(), Ordering::Release);
        sleeper
    }

    /// An agent became available.
    pub(crate) fn came(&self, capabilities: &CapabilitySet) {
        let mut state = self.state.lock();
        *state.awake.entry_ref(capabilities).or_default() += 1;
    }

    /// Whom to wake for a task: who has slept longest of those that can do it, when no agent that is awake can.
    pub(crate) fn wanted_for(&self, required: &CapabilitySet) -> Option<AgentId> {
        if self.count() == 0 {
            return None;
        }
        let state = self.state.lock();
        let able = |set: &CapabilitySet| set.contains_all(required);
        if state.awake.iter().any(|(set, n)| *n > 0 && able(set)) {
            return None;
        }
        let mut asleep = state.asleep.values();
        let longest = asleep.find(|sleeper| able(&sleeper.capabilities));
        longest.map(|sleeper| sleeper.agent.clone())
    }

    /// The same for what waits, with everything that it asks for.
    pub(crate) fn wanted_by(
        &self,
        waiting: &WaitingTasks,
        views: &HashMap<&AgentId, &AgentView>,
    ) -> Option<AgentId> {
        let can = |view: &&AgentView| waiting.fit(view);
        let mut awake = views.values().copied();
        if awake.any(|view| view.availability == Availability::Available && can(&view)) {
            return None;
        }
        let state = self.state.lock();
        let mut asleep = state.asleep.values();
        let longest = asleep.find(|s| views.get(&s.agent).is_some_and(can));
        longest.map(|sleeper| sleeper.agent.clone())
    }

    /// Takes over how the agents stand (with `all`, none is missing), forgets whom somebody else woke or drains, and returns them.
    pub(crate) fn reconcile(
        &self,
        views: &HashMap<&AgentId, &AgentView>,
        all: bool,
    ) -> Vec<AgentId> {
        let mut state = self.state.lock();
        let mut awake: HashMap<CapabilitySet, usize> = HashMap::new();
        for view in views.values() {
            if view.availability == Availability::Available {
                *awake.entry_ref(&view.capabilities).or_default() += 1;
            }
        }
        let state = &mut *state;
        state.awake = awake;
        let order = &mut state.order;
        let mut taken = Vec::new();
        state.asleep.retain(|_, sleeper| {
            let stands = views.get(&sleeper.agent).map(|view| view.availability);
            sleeper.seen |= stands == Some(Availability::Sleeping);
            let taken_over = matches!(
                stands,
                Some(Availability::Available | Availability::Draining)
            );
            let is_here = stands.is_some() || !all;
            let keep = is_here && !(sleeper.seen && taken_over);
            if !keep {
                order.remove(&sleeper.agent);
                taken.push(sleeper.agent.clone());
            }
            keep
        });
        self.count.store(state.asleep.len(), Ordering::Release);
        taken
    }

    /// Those whose time is over.
    pub(crate) fn due(&self, now: Duration) -> Vec<AgentId> {
        let state = self.state.lock();
        let due = |s: &&Sleeper| s.until.is_some_and(|until| until <= now);
        let over = state.asleep.values().filter(due);
        over.map(|s| s.agent.clone()).collect()
    }

    /// Those that sleep by schedule and can do something.
    pub(crate) fn scheduled(&self, capability: Option<&str>) -> Vec<AgentId> {
        let state = self.state.lock();
        let asleep = state.asleep.values();
        asleep
            .filter(|s| s.reason == SleepReason::Schedule)
            .filter(|s| capability.is_none_or(|c| s.capabilities.contains(c)))
            .map(|s| s.agent.clone())
            .collect()
    }

    /// All of them, in the order in which they fell asleep.
    pub(crate) fn all(&self) -> Vec<SleepingAgent> {
        let state = self.state.lock();
        let view = |s: &Sleeper| SleepingAgent {
            agent: s.agent.clone(),
            reason: s.reason,
            length: s.length,
        };
        state.asleep.values().map(view).collect()
    }
}
