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

#[test]
fn a_line_is_an_ordered_map() {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::line::Line;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u64),
        Remove(u64),
        Pop,
    }
    let step = prop_oneof![
        (0..40u64).prop_map(Step::Insert),
        (0..40u64).prop_map(Step::Remove),
        Just(Step::Pop),
    ];
    proptest!(|(steps in proptest::collection::vec(step, 0..400), climb in 0..2u64)| {
        let (mut line, mut map) = (Line::default(), BTreeMap::new());
        for (n, step) in steps.into_iter().enumerate() {
            // Half of the runs mostly come in order, as the queue's do.
            let order = |tag: u64| OrderKey { tag: tag + climb * n as u64 / 2, sequence: 0 };
            let task = |n: usize| TaskKey::from(slotmap::KeyData::from_ffi(n as u64 + (1 << 32)));
            match step {
                Step::Insert(tag) => {
                    let new = line.insert(order(tag), task(n), Stamp(n as u64));
                    let before = map.insert(order(tag), (task(n), Stamp(n as u64)));
                    prop_assert_eq!(new, before.is_none());
                }
                Step::Remove(tag) => {
                    prop_assert_eq!(line.get(order(tag)), map.get(&order(tag)).copied());
                    prop_assert_eq!(line.remove(order(tag)), map.remove(&order(tag)));
                }
                Step::Pop => {
                    let first = line.first();
                    let expected = map.first_key_value().map(|(o, (t, s))| (*o, *t, *s));
                    prop_assert_eq!(first, expected);
                    if let Some((order, ..)) = first {
                        line.remove(order);
                        map.remove(&order);
                    }
                }
            }
            let mut left: Vec<_> = line.tasks().collect();
            let mut expected: Vec<_> = map.values().map(|(task, _)| *task).collect();
            left.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(left, expected);
        }
    });
}
