//! Ready tasks in the order in which they get agents.
//!
//! Within a class and priority: start-time fair queueing among tenants (Goyal, Vin, Cheng, SIGCOMM 1996), so FIFO for one tenant; or earliest deadline first.
//! Among priorities: a task that has waited `queue.ageing_ms` counts one level higher, which makes the order of two waiting tasks constant in time.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::clock::Stamp;
use crate::config::QueueOrder;
use crate::engine::TaskKey;
use crate::engine::line::Line;
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
    levels: [Line<OrderKey, (TaskKey, Stamp)>; LEVELS],
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

    /// Since when the first task of each level of a class has been ready: the earliest of these.
    pub(crate) fn head_since(&self, class: ClassIx) -> Option<Stamp> {
        let levels = &self.classes.get(class as usize)?.levels;
        let heads = levels.iter().filter_map(Line::first);
        heads.map(|(_, (_, since))| since).min()
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
        if queue.levels[spot.level as usize].insert(spot.order, (task, since)) {
            queue.len += 1;
            self.len += 1;
            self.by_level[spot.level as usize] += 1;
        }
    }

    pub(crate) fn remove(&mut self, spot: Spot) -> Option<TaskKey> {
        let queue = self.classes.get_mut(spot.class as usize)?;
        let (task, since) = queue.levels[spot.level as usize].remove(spot.order)?;
        if self.order == QueueOrder::EarliestDeadlineFirst {
            queue.ages[spot.level as usize].remove(&(since, spot.order));
        }
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
                if let Some((order, (task, since))) = queue.levels[level].first()
                    && head.is_none_or(|(spot, ..)| order < spot.order)
                {
                    let spot = Spot {
                        class,
                        level: level as u8,
                        order,
                    };
                    *head = Some((spot, task, since));
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
        if by_age {
            for (head, oldest) in heads.iter_mut().zip(oldest) {
                self.prefer_aged(head, oldest);
            }
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
            *head = level.get(spot.order).map(|(task, _)| (spot, task, since));
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
                .flat_map(|level| level.iter().map(|(_, (task, _))| task))
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
mod tests;
