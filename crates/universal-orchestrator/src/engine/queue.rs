//! Ready tasks in the order in which they get agents.
//!
//! Within a class and priority: start-time fair queueing among tenants (Goyal, Vin, Cheng, SIGCOMM 1996), so FIFO for one tenant; or earliest deadline first.
//! Among priorities: a task that has waited `queue.ageing_ms` counts one level higher, which makes the order of two waiting tasks constant in time.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::clock::Stamp;
use crate::config::QueueOrder;
use crate::engine::TaskKey;
use crate::engine::pools::ClassIx;
use crate::id::Tenant;
use crate::task::Priority;

/// Order within a class and level: fair-queueing tag or deadline, then acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct OrderKey {
    pub(crate) tag: u64,
    pub(crate) sequence: u64,
}

/// Where a ready task waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) class: ClassIx,
    pub(crate) level: u8,
    pub(crate) order: OrderKey,
}

const LEVELS: usize = Priority::ALL.len();

#[derive(Debug, Default)]
struct ClassQueue {
    levels: [BTreeMap<OrderKey, (TaskKey, Stamp)>; LEVELS],
    /// The same by age, when the order is not that of age and tasks age.
    ages: [BTreeSet<(Stamp, OrderKey)>; LEVELS],
    len: usize,
}

/// Fair shares of one level.
#[derive(Debug, Default)]
struct Shares {
    /// Start tag of the task served last.
    virtual_time: u64,
    anonymous: Share,
    tenants: HashMap<Tenant, Share>,
    /// So many tenants make it look for those without a claim.
    swept_at: usize,
}

/// What one tenant has claimed.
#[derive(Debug, Default)]
struct Share {
    /// Finish tag of its last task.
    finish: u64,
    /// Its tasks that have a tag and are neither served nor gone.
    waiting: u32,
}

/// One unit of service at weight 1.
const SERVICE: u64 = 1 << 20;

/// All ready tasks that wait for an agent.
#[derive(Debug)]
pub(crate) struct ReadyQueue {
    classes: Vec<ClassQueue>,
    shares: [Shares; LEVELS],
    by_level: [usize; LEVELS],
    len: usize,
    ageing: u64,
    order: QueueOrder,
    weights: BTreeMap<String, u32>,
}

impl ReadyQueue {
    pub(crate) fn new(ageing_ms: u64, order: QueueOrder, weights: BTreeMap<String, u32>) -> Self {
        Self {
            classes: Vec::new(),
            shares: Default::default(),
            by_level: [0; LEVELS],
            len: 0,
            ageing: ageing_ms.saturating_mul(1_000_000),
            order,
            weights,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn by_level(&self) -> [usize; LEVELS] {
        self.by_level
    }

    pub(crate) fn class_len(&self, class: ClassIx) -> usize {
        self.classes.get(class as usize).map_or(0, |q| q.len)
    }

    /// The place of a new ready task in the order.
    pub(crate) fn order_of(
        &mut self,
        level: u8,
        tenant: Option<&Tenant>,
        deadline: Stamp,
        sequence: u64,
    ) -> OrderKey {
        if self.order == QueueOrder::EarliestDeadlineFirst {
            return OrderKey {
                tag: deadline.0,
                sequence,
            };
        }
        let service = self.service(tenant);
        let shares = &mut self.shares[level as usize];
        let share = match tenant {
            None => &mut shares.anonymous,
            Some(tenant) => shares.tenants.entry_ref(tenant).or_default(),
        };
        let tag = share.finish.max(shares.virtual_time);
        share.finish = tag + service;
        share.waiting += 1;
        OrderKey { tag, sequence }
    }

    fn share(&mut self, level: u8, tenant: Option<&Tenant>) -> Option<&mut Share> {
        let shares = &mut self.shares[level as usize];
        match tenant {
            None => Some(&mut shares.anonymous),
            Some(tenant) => shares.tenants.get_mut(tenant),
        }
    }

    /// Tells the fair shares that a task that was served waits again, in its old place.
    pub(crate) fn waits_again(&mut self, level: u8, tenant: Option<&Tenant>) {
        if let Some(share) = self.share(level, tenant) {
            share.waiting += 1;
        }
    }

    pub(crate) fn push(&mut self, spot: Spot, task: TaskKey, since: Stamp) {
        let class = spot.class as usize;
        if class >= self.classes.len() {
            self.classes.resize_with(class + 1, ClassQueue::default);
        }
        let by_age = self.looks_at_age();
        let queue = &mut self.classes[class];
        if by_age {
            queue.ages[spot.level as usize].insert((since, spot.order));
        }
        if queue.levels[spot.level as usize]
            .insert(spot.order, (task, since))
            .is_none()
        {
            queue.len += 1;
            self.len += 1;
            self.by_level[spot.level as usize] += 1;
        }
    }

    pub(crate) fn remove(&mut self, spot: Spot) -> Option<TaskKey> {
        let queue = self.classes.get_mut(spot.class as usize)?;
        let (task, since) = queue.levels[spot.level as usize].remove(&spot.order)?;
        queue.ages[spot.level as usize].remove(&(since, spot.order));
        queue.len -= 1;
        self.len -= 1;
        self.by_level[spot.level as usize] -= 1;
        Some(task)
    }

    /// Tells the fair shares that this task is served.
    pub(crate) fn served(&mut self, spot: Spot, tenant: Option<&Tenant>) {
        if self.order == QueueOrder::EarliestDeadlineFirst {
            return;
        }
        if let Some(share) = self.share(spot.level, tenant) {
            share.waiting = share.waiting.saturating_sub(1);
        }
        let shares = &mut self.shares[spot.level as usize];
        shares.virtual_time = shares.virtual_time.max(spot.order.tag);
        // Done when their number has doubled, so its cost is constant per tenant.
        const TENANTS_SWEPT_FROM: usize = 1024;
        if shares.tenants.len() >= shares.swept_at.max(TENANTS_SWEPT_FROM) {
            let now = shares.virtual_time;
            shares.tenants.retain(|_, share| share.finish > now);
            shares.swept_at = shares.tenants.len() * 2;
        }
    }

    /// Tells the fair shares that a task left the queue without being served.
    ///
    /// The claim is given back with the last of its tenant's: any earlier, and new tasks would overtake older ones of the same tenant.
    pub(crate) fn not_served(&mut self, level: u8, tenant: Option<&Tenant>) {
        if self.order == QueueOrder::EarliestDeadlineFirst {
            return;
        }
        let now = self.shares[level as usize].virtual_time;
        let Some(share) = self.share(level, tenant) else {
            return;
        };
        share.waiting = share.waiting.saturating_sub(1);
        if share.waiting == 0 {
            share.finish = now;
        }
    }

    /// What one task of a tenant costs its share.
    fn service(&self, tenant: Option<&Tenant>) -> u64 {
        let weight = tenant.and_then(|t| self.weights.get(t.as_str()));
        SERVICE / u64::from(weight.copied().unwrap_or(1).max(1))
    }

    /// The task that comes first among some classes.
    pub(crate) fn first(&self, classes: impl Iterator<Item = ClassIx>) -> Option<(Spot, TaskKey)> {
        let mut heads: [Option<(Spot, TaskKey, Stamp)>; LEVELS] = [None; LEVELS];
        let mut oldest: [Option<(Stamp, Spot)>; LEVELS] = [None; LEVELS];
        let by_age = self.looks_at_age();
        for class in classes {
            let Some(queue) = self.classes.get(class as usize).filter(|q| q.len > 0) else {
                continue;
            };
            for (level, head) in heads.iter_mut().enumerate() {
                if let Some((order, (task, since))) = queue.levels[level].first_key_value()
                    && head.is_none_or(|(spot, ..)| *order < spot.order)
                {
                    let spot = Spot {
                        class,
                        level: level as u8,
                        order: *order,
                    };
                    *head = Some((spot, *task, *since));
                }
            }
            if by_age {
                for (level, oldest) in oldest.iter_mut().enumerate() {
                    if let Some((since, order)) = queue.ages[level].first()
                        && oldest.is_none_or(|(before, _)| *since < before)
                    {
                        let spot = Spot {
                            class,
                            level: level as u8,
                            order: *order,
                        };
                        *oldest = Some((*since, spot));
                    }
                }
            }
        }
        for (head, oldest) in heads.iter_mut().zip(oldest) {
            self.prefer_aged(head, oldest);
        }
        heads
            .into_iter()
            .flatten()
            .min_by_key(|(spot, _, since)| (self.aged(*since, spot.level), spot.level))
            .map(|(spot, task, _)| (spot, task))
    }

    /// Whether a task may stand behind younger ones of its level and has to be found by its age.
    fn looks_at_age(&self) -> bool {
        self.order == QueueOrder::EarliestDeadlineFirst && self.ageing > 0
    }

    /// A task that became ready so long before the head of its level that it counts one level higher goes first.
    fn prefer_aged(
        &self,
        head: &mut Option<(Spot, TaskKey, Stamp)>,
        oldest: Option<(Stamp, Spot)>,
    ) {
        if let (Some((_, _, young)), Some((since, spot))) = (*head, oldest)
            && since.0.saturating_add(self.ageing) <= young.0
        {
            let level = &self.classes[spot.class as usize].levels[spot.level as usize];
            *head = level.get(&spot.order).map(|(task, _)| (spot, *task, since));
        }
    }

    /// When a task of the most urgent level would have had to become ready to rank the same.
    fn aged(&self, since: Stamp, level: u8) -> u64 {
        if self.ageing == 0 {
            return 0;
        }
        since
            .0
            .saturating_add(self.ageing.saturating_mul(u64::from(level)))
    }

    /// The tasks of a class, in no particular order.
    pub(crate) fn tasks_of(&self, class: ClassIx) -> Vec<TaskKey> {
        self.classes.get(class as usize).map_or_else(Vec::new, |q| {
            q.levels
                .iter()
                .flat_map(|level| level.values().map(|(task, _)| *task))
                .collect()
        })
    }

    /// Applies a move of classes.
    pub(crate) fn move_classes(&mut self, moved: &[Option<ClassIx>]) {
        let mut classes: Vec<ClassQueue> = Vec::new();
        for (ix, queue) in std::mem::take(&mut self.classes).into_iter().enumerate() {
            if let Some(new) = moved.get(ix).copied().flatten() {
                let new = new as usize;
                if new >= classes.len() {
                    classes.resize_with(new + 1, ClassQueue::default);
                }
                classes[new] = queue;
            }
        }
        self.classes = classes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;

    struct Lab {
        queue: ReadyQueue,
        keys: SlotMap<TaskKey, (&'static str, Option<Tenant>)>,
        sequence: u64,
    }

    impl Lab {
        fn new(ageing_ms: u64, order: QueueOrder) -> Self {
            Self {
                queue: ReadyQueue::new(ageing_ms, order, [("big".to_owned(), 2)].into()),
                keys: SlotMap::with_key(),
                sequence: 0,
            }
        }

        fn push(
            &mut self,
            name: &'static str,
            level: u8,
            tenant: Option<&str>,
            at_ms: u64,
            deadline: u64,
        ) {
            self.sequence += 1;
            let tenant = tenant.map(|t| Tenant::new(t).unwrap());
            let order = self
                .queue
                .order_of(level, tenant.as_ref(), Stamp(deadline), self.sequence);
            let key = self.keys.insert((name, tenant));
            self.queue.push(
                Spot {
                    class: 0,
                    level,
                    order,
                },
                key,
                Stamp(at_ms * 1_000_000),
            );
        }

        fn drain(&mut self) -> Vec<&'static str> {
            let mut names = Vec::new();
            while let Some((spot, key)) = self.queue.first([0].into_iter()) {
                self.queue.remove(spot);
                let (name, tenant) = &self.keys[key];
                self.queue.served(spot, tenant.as_ref());
                names.push(*name);
            }
            names
        }
    }

    #[test]
    fn equals_are_first_in_first_out() {
        let mut lab = Lab::new(1000, QueueOrder::Fifo);
        for name in ["a", "b", "c"] {
            lab.push(name, 2, None, 0, 0);
        }
        assert_eq!(lab.drain(), ["a", "b", "c"]);
    }

    #[test]
    fn ageing_lifts_one_level_each_interval() {
        let mut lab = Lab::new(1000, QueueOrder::Fifo);
        lab.push("low at 0", 3, None, 0, 0);
        lab.push("critical at 2.9 s", 0, None, 2900, 0);
        lab.push("critical at 3.1 s", 0, None, 3100, 0);
        assert_eq!(
            lab.drain(),
            ["critical at 2.9 s", "low at 0", "critical at 3.1 s"]
        );
    }

    #[test]
    fn without_ageing_priority_is_strict() {
        let mut lab = Lab::new(0, QueueOrder::Fifo);
        lab.push("low", 3, None, 0, 0);
        lab.push("high", 1, None, 999_999, 0);
        assert_eq!(lab.drain(), ["high", "low"]);
    }

    #[test]
    fn tenants_share_by_weight() {
        let mut lab = Lab::new(0, QueueOrder::Fifo);
        for _ in 0..6 {
            lab.push("big", 2, Some("big"), 0, 0);
        }
        for _ in 0..3 {
            lab.push("small", 2, Some("small"), 0, 0);
        }
        let first_six = &lab.drain()[..6];
        assert_eq!(first_six.iter().filter(|n| **n == "small").count(), 2);
    }

    #[test]
    fn a_late_tenant_is_not_behind_the_whole_backlog() {
        let mut lab = Lab::new(0, QueueOrder::Fifo);
        for _ in 0..50 {
            lab.push("noisy", 2, Some("noisy"), 0, 0);
        }
        lab.push("quiet", 2, Some("quiet"), 0, 0);
        assert!(lab.drain().iter().position(|n| *n == "quiet").unwrap() <= 1);
    }

    #[test]
    fn a_task_that_was_not_served_costs_its_tenant_nothing() {
        let mut lab = Lab::new(0, QueueOrder::Fifo);
        let (gone, big) = (Tenant::new("gone").unwrap(), Tenant::new("big").unwrap());
        for tenant in [Some(&gone), Some(&big), None] {
            let first = lab.queue.order_of(2, tenant, Stamp(0), 0);
            for n in 1..100 {
                lab.queue.order_of(2, tenant, Stamp(0), n);
            }
            for _ in 0..100 {
                lab.queue.not_served(2, tenant);
            }
            assert_eq!(lab.queue.order_of(2, tenant, Stamp(0), 0), first);
        }
    }

    #[test]
    fn one_that_leaves_lets_none_of_its_tenant_overtake() {
        let mut lab = Lab::new(0, QueueOrder::Fifo);
        let left = lab.queue.order_of(2, None, Stamp(0), 0);
        assert_eq!(left.tag, 0);
        lab.push("first", 2, None, 0, 0);
        lab.queue.not_served(2, None);
        lab.push("second", 2, None, 0, 0);
        assert_eq!(lab.drain(), ["first", "second"]);
    }

    #[test]
    fn tenants_without_a_claim_are_forgotten_and_those_with_one_not_looked_at_each_time() {
        let mut lab = Lab::new(0, QueueOrder::Fifo);
        let names: Vec<Tenant> = (0..3_000)
            .map(|n| Tenant::new(format!("t{n}")).unwrap())
            .collect();
        let spot = |order| Spot {
            class: 0,
            level: 2,
            order,
        };
        for name in &names {
            let order = lab.queue.order_of(2, Some(name), Stamp(0), 0);
            lab.queue.served(spot(order), Some(name));
        }
        let shares = &lab.queue.shares[2];
        assert_eq!((shares.tenants.len(), shares.swept_at), (3_000, 4_096));
        let end = OrderKey {
            tag: SERVICE * 2,
            sequence: 0,
        };
        lab.queue.served(spot(end), None);
        for name in 3_000..4_200 {
            let name = Tenant::new(format!("t{name}")).unwrap();
            lab.queue.order_of(2, Some(&name), Stamp(0), 0);
            lab.queue.served(spot(end), None);
        }
        assert!(lab.queue.shares[2].tenants.len() < 1_300);
    }

    #[test]
    fn a_task_without_a_deadline_ages_past_those_that_have_one() {
        let mut lab = Lab::new(1000, QueueOrder::EarliestDeadlineFirst);
        lab.push("endless at 0", 3, None, 0, u64::MAX);
        lab.push("soon at 0.9 s", 3, None, 900, 10);
        assert_eq!(lab.drain(), ["soon at 0.9 s", "endless at 0"]);
        lab.push("endless at 0", 3, None, 0, u64::MAX);
        lab.push("soon at 1 s", 3, None, 1000, 10);
        lab.push("critical at 2.9 s", 0, None, 2900, 20);
        lab.push("critical at 3.1 s", 0, None, 3100, 15);
        assert_eq!(
            lab.drain(),
            [
                "endless at 0",
                "critical at 3.1 s",
                "critical at 2.9 s",
                "soon at 1 s"
            ]
        );
    }

    #[test]
    fn earliest_deadline_first_within_a_priority() {
        let mut lab = Lab::new(0, QueueOrder::EarliestDeadlineFirst);
        lab.push("later", 2, None, 0, 90);
        lab.push("sooner", 2, None, 0, 10);
        lab.push("high", 1, None, 0, 99);
        assert_eq!(lab.drain(), ["high", "sooner", "later"]);
    }
}
