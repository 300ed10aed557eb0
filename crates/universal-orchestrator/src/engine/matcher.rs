//! Ready tasks meet ready agents: at rest, none of both are left that fit each other.

use crate::clock::Stamp;
use crate::engine::keys::KeyAnswer;
use crate::engine::pools::{ClassIx, Lane, RankKey, Reach};
use crate::engine::queue::{OrderKey, Spot};
use crate::engine::tasks::Place;
use crate::engine::timers::Timer;
use crate::engine::{AgentKey, Engine, Launch, TaskKey, Work};
use crate::event::Event;
use crate::id::Key;
use crate::routing::rendezvous_weight;
use crate::task::{Refusal, Task};

impl Engine {
    /// A task's time or dependencies have come: delays it further, binds it at once, or queues it.
    pub(crate) fn make_ready_or_wait(&mut self, task: TaskKey, now: Stamp) -> Option<Launch> {
        let entry = self.tasks.entries.get(task)?;
        let due = entry.cold.as_ref().map_or(Stamp::default(), |c| c.due);
        if due > now {
            self.set_place(task, Place::Delayed);
            self.timers.set(due, Timer::Due(task));
            return None;
        }
        self.make_ready(task, now)
    }

    /// Binds a task at once if an agent is ready and nothing waits before it; else queues it.
    pub(crate) fn make_ready(&mut self, task: TaskKey, now: Stamp) -> Option<Launch> {
        let entry = self.tasks.entries.get(task)?;
        let class = entry.class;
        let simple = entry
            .record
            .task()
            .options
            .as_deref()
            .is_none_or(|o| o.concurrency_key.is_none());
        // With work left, a slot that was freed in this decision may be due to a task of another class.
        let at_once = simple
            && !self.queue_paused
            && self.work.is_empty()
            && self.ready.class_len(class) == 0
            && self.pools.class(class).paused == 0
            && self.in_flight < self.settings.max_concurrent_tasks;
        if at_once && let Some(agent) = self.ready_agent(task, class) {
            self.set_place(task, Place::Reserved);
            let mut launch = self.bind(task, agent, None, now)?;
            // Only an agent in this process can be run by whoever asked; one that waits elsewhere is told.
            if launch.runs.is_none() {
                self.deliver(launch, now);
                return None;
            }
            self.commit_silently(&mut launch, now);
            return Some(launch);
        }
        self.enqueue(task, true, now);
        self.work.push_back(Work::Class(class));
        None
    }

    /// Puts a task into the ready queue; with a new place in the order, or its old one.
    pub(crate) fn enqueue(&mut self, task: TaskKey, new_place: bool, now: Stamp) {
        let Some(entry) = self.tasks.entries.get(task) else {
            return;
        };
        let old_place = (!new_place && entry.order != OrderKey::default()).then(|| entry.spot());
        if let Some(spot) = old_place {
            self.ready
                .waits_again(spot.level, entry.record.task().tenant_name());
        }
        let Some(spot) = old_place.or_else(|| self.new_spot(task, now)) else {
            return;
        };
        let since = self.tasks.entries[task].ready_at;
        self.set_place(task, Place::Ready);
        self.ready.push(spot, task, since);
        if !self.pools.has_member(spot.class) {
            self.unroutable(task, now);
        }
    }

    /// A place at the end of the order.
    pub(super) fn new_spot(&mut self, task: TaskKey, now: Stamp) -> Option<Spot> {
        let sequence = self.next_sequence();
        let entry = self.tasks.entries.get_mut(task)?;
        let tenant = entry
            .record
            .task()
            .options
            .as_deref()
            .and_then(|o| o.tenant.as_ref());
        entry.order = self
            .ready
            .order_of(entry.level, tenant, entry.deadline, sequence);
        entry.ready_at = now;
        Some(entry.spot())
    }

    /// Nobody registered can do a queued task: says so, and lets it expire.
    pub(crate) fn unroutable(&mut self, task: TaskKey, now: Stamp) {
        let Some(entry) = self.tasks.entries.get_mut(task) else {
            return;
        };
        entry.cold_mut().unroutable_since = now;
        self.events.emit(|| Event::TaskUnroutable {
            task: entry.id().clone(),
        });
        let ttl = self.settings.queue.unroutable_ttl_ms;
        if ttl > 0 {
            self.timers.set(now.after_ms(ttl), Timer::Unroutable(task));
        }
    }

    fn ready_agent(&mut self, task: TaskKey, class: ClassIx) -> Option<AgentKey> {
        match self.affinity_of(task) {
            Some(key) => self.sticky(class, key, Reach::Push),
            None => self.pools.best(class, Reach::Push),
        }
    }

    fn affinity_of(&self, task: TaskKey) -> Option<&Key> {
        let task = self.tasks.entries.get(task)?.record.task();
        task.options.as_deref()?.affinity_key.as_ref()
    }

    /// The ready agent of the highest rendezvous weight. Costs one hash for each ready agent of the class.
    pub(crate) fn sticky(&self, class: ClassIx, key: &Key, reach: Reach) -> Option<AgentKey> {
        let pools = &self.pools.class(class).pools;
        let ready = pools
            .iter()
            .flat_map(|ix| self.pools.pool(*ix).ready(reach));
        self.stickiest(key, ready)
    }

    pub(crate) fn stickiest(
        &self,
        key: &Key,
        ready: impl Iterator<Item = (RankKey, AgentKey)>,
    ) -> Option<AgentKey> {
        let weighed = ready.map(|(rank, agent)| {
            let slot = self.agents.slots.get(agent);
            let weight = slot.map_or(0, |slot| rendezvous_weight(key, &slot.id));
            ((weight, std::cmp::Reverse(rank.order)), agent)
        });
        weighed
            .max_by_key(|(weight, _)| *weight)
            .map(|(_, agent)| agent)
    }

    /// Gives an agent tasks while it has slots.
    pub(crate) fn match_agent(&mut self, agent: AgentKey, now: Stamp) {
        self.try_capped(now);
        while self.may_match() {
            let Some(slot) = self.agents.slots.get(agent) else {
                return;
            };
            let Some((Lane::Push, _)) = slot.ready else {
                return;
            };
            let pools = &self.pools;
            let classes = pools
                .pool(slot.pool)
                .classes
                .iter()
                .copied()
                .filter(|c| pools.class(*c).paused == 0);
            let Some((spot, task)) = self.ready.first(classes) else {
                return;
            };
            self.try_bind(spot, task, agent, now);
        }
    }

    /// Gives the tasks of a class agents while there are some.
    pub(crate) fn match_class(&mut self, class: ClassIx, now: Stamp) {
        while self.may_match()
            && self.pools.class(class).paused == 0
            && self.ready.class_len(class) > 0
        {
            let Some(best) = self.pools.best(class, Reach::Push) else {
                return;
            };
            let Some((spot, task)) = self.ready.first(std::iter::once(class)) else {
                return;
            };
            let agent = match self.affinity_of(task) {
                Some(key) => self.sticky(class, key, Reach::Push),
                None => Some(best),
            };
            let Some(agent) = agent else {
                return;
            };
            self.try_bind(spot, task, agent, now);
        }
    }

    /// Matches everything: after a pause, or when `max_concurrent_tasks` had stopped it.
    pub(crate) fn match_all(&mut self, now: Stamp) {
        let classes = self.pools.class_count() as ClassIx;
        while self.may_match() {
            let (pools, ready) = (&self.pools, &self.ready);
            let open = (0..classes).filter(|c| {
                ready.class_len(*c) > 0
                    && pools.class(*c).paused == 0
                    && pools.has_ready(*c, Reach::Push)
            });
            let Some((spot, task)) = ready.first(open) else {
                return;
            };
            let Some(agent) = self.ready_agent(task, spot.class) else {
                return;
            };
            self.try_bind(spot, task, agent, now);
        }
    }

    fn may_match(&mut self) -> bool {
        if self.queue_paused || self.ready.len() == 0 {
            return false;
        }
        if self.in_flight >= self.settings.max_concurrent_tasks {
            self.starved = true;
            return false;
        }
        true
    }

    /// Takes a task out of the queue and binds it, unless its key or its budget says no.
    fn try_bind(&mut self, spot: Spot, task: TaskKey, agent: AgentKey, now: Stamp) {
        self.ready.remove(spot);
        let Some(entry) = self.tasks.entries.get_mut(task) else {
            return;
        };
        let key = entry
            .record
            .task()
            .options
            .as_deref()
            .and_then(|o| o.concurrency_key.clone());
        if let Some(key) = &key {
            match self.keys.acquire(&self.settings.keys, key, now) {
                KeyAnswer::Free => entry.cold_mut().holds_key = true,
                answer => {
                    // One timer for the key, however many wait for it.
                    if let KeyAnswer::NotBefore(at) = answer
                        && self.keys.arm(key)
                    {
                        self.timers.set(at, Timer::KeyRate(key.clone()));
                    }
                    self.keys.park(key, spot, task);
                    self.set_place(task, Place::KeyLimited);
                    return;
                }
            }
        }
        self.set_place(task, Place::Reserved);
        if let Some(mut launch) = self.bind(task, agent, Some(spot), now) {
            if launch.runs.is_some() {
                self.commit_silently(&mut launch, now);
                self.effects.rare().launches.push(launch);
            } else {
                self.deliver(launch, now);
            }
        }
        if let Some(key) = key {
            self.work.push_back(Work::Key(key));
        }
    }

    /// Takes the place of a task's concurrency key, if it has one, or refuses.
    pub(super) fn take_key_at_once(&mut self, task: &Task, now: Stamp) -> Result<bool, Refusal> {
        let Some(key) = task
            .options
            .as_deref()
            .and_then(|o| o.concurrency_key.as_ref())
        else {
            return Ok(false);
        };
        match self.keys.acquire(&self.settings.keys, key, now) {
            KeyAnswer::Free => Ok(true),
            _ => Err(Refusal::KeyLimited { key: key.clone() }),
        }
    }

    pub(super) fn give_key_back(&mut self, task: &Task, held: bool) {
        if held
            && let Some(key) = task
                .options
                .as_deref()
                .and_then(|o| o.concurrency_key.as_ref())
        {
            self.keys.release(key);
        }
    }

    pub(super) fn give_key_of(&mut self, task: TaskKey) {
        let Some(entry) = self.tasks.entries.get_mut(task) else {
            return;
        };
        if entry
            .cold
            .as_mut()
            .is_some_and(|c| std::mem::take(&mut c.holds_key))
            && let Some(key) = entry
                .record
                .task()
                .options
                .as_deref()
                .and_then(|o| o.concurrency_key.clone())
        {
            self.keys.release(&key);
            self.work.push_back(Work::Key(key));
        }
    }

    /// Hands a launch to an external agent that waits in `next_task`.
    fn deliver(&mut self, launch: Launch, now: Stamp) {
        let waiter = self.agents.slots.get_mut(launch.agent).and_then(|slot| {
            let rare = slot.rare.as_mut()?;
            (!rare.waiters.is_empty()).then(|| rare.waiters.remove(0))
        });
        let agent = launch.agent;
        match waiter {
            Some(waiter) => self.effects.rare().delivers.push((waiter, launch)),
            None => self.effects.rare().launches.push(launch),
        }
        self.set_ready(agent, now);
    }

    /// A key has room: the first parked task of each class may run.
    pub(crate) fn unpark(&mut self, key: &Key, now: Stamp) {
        let first = self.keys.representatives(key);
        self.ready_again(first, now);
    }

    /// Puts tasks that waited for something else back into the queue, in their old places.
    pub(super) fn ready_again(&mut self, tasks: Vec<(Spot, TaskKey)>, now: Stamp) {
        for (spot, task) in tasks {
            let Some(entry) = self.tasks.entries.get(task) else {
                continue;
            };
            let since = entry.ready_at;
            self.set_place(task, Place::Ready);
            self.ready.push(spot, task, since);
            self.match_class(spot.class, now);
        }
    }
}
