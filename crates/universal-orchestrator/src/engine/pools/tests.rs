use slotmap::KeyData;

use super::*;

fn capabilities(names: &[&str]) -> CapabilitySet {
    CapabilitySet::new(names).expect("the names are capabilities")
}

fn demand(required: &CapabilitySet) -> Demand<'_> {
    static NO_LABELS: Labels = Labels::none();
    Demand {
        required,
        role: None,
        labels: &NO_LABELS,
    }
}

fn agent(number: u64) -> AgentKey {
    KeyData::from_ffi((1 << 32) | number).into()
}

/// More pools than a class looks at one by one, each with one ready agent.
fn many_pools(count: u64) -> (Pools, Vec<(PoolIx, RankKey)>) {
    let mut pools = Pools::default();
    let mut ready = Vec::new();
    for order in 0..count {
        let own = format!("own-{order}");
        let set = capabilities(&["x", "y", &own]);
        let ix = pools.join(&set, AgentRole::Worker, &Labels::none(), 1);
        let rank = RankKey { rank: 0, order };
        pools.insert(ix, Lane::Push, rank, agent(order));
        ready.push((ix, rank));
    }
    (pools, ready)
}

#[test]
fn an_index_that_nobody_asks_does_not_grow() {
    let (mut pools, mut ready) = many_pools(60);
    let (x, y) = (capabilities(&["x"]), capabilities(&["y"]));
    let [asked, idle] = [&x, &y].map(|required| pools.class_of(demand(required), |_| false));
    assert!(pools.best(idle, Reach::All).is_some());
    let mut order = 60;
    for _ in 0..10_000 {
        assert!(pools.best(asked, Reach::Push).is_some());
        let (ix, rank) = ready.remove(0);
        pools.remove(ix, Lane::Push, rank);
        order += 1;
        let rank = RankKey { rank: 0, order };
        pools.insert(ix, Lane::Push, rank, agent(order));
        ready.push((ix, rank));
    }
    for class in [asked, idle] {
        let class = pools.class(class);
        for index in class.index.iter().flatten() {
            assert!(index.len() <= 60 * heads::STALE, "{}", index.len());
        }
    }
    // And it is right when somebody asks again.
    assert_eq!(pools.best(idle, Reach::All), Some(agent(ready[0].1.order)));
}

#[test]
fn demands_that_differ_in_labels_alone_are_found_apart() {
    use std::hash::{BuildHasher, RandomState};
    let required = capabilities(&["x"]);
    let hasher = RandomState::new();
    let hashes: std::collections::BTreeSet<u64> = (0..100)
        .map(|n| {
            let mut labels = Labels::none();
            labels.insert("node", &format!("n{n}"));
            let demand = Demand {
                labels: &labels,
                ..demand(&required)
            };
            hasher.hash_one(demand)
        })
        .collect();
    assert!(hashes.len() > 95, "{} of 100 differ", hashes.len());
}
