//! The contestants: each starts its agents and offers the same [`RoundTrip`](crate::RoundTrip).
//!
//! The two floors of tokio are always there; the rest needs the feature `peers`. A peer's `setup` runs inside the
//! runtime, and each file says which of the peer's configurations was taken and where its own docs advise it.

#[cfg(feature = "peers")]
pub mod adk_graph;
#[cfg(feature = "peers")]
pub mod apalis_memory;
#[cfg(feature = "peers")]
pub mod graph_flow;
#[cfg(feature = "peers")]
pub mod kameo_pool;
pub mod mpsc_floor;
#[cfg(feature = "peers")]
pub mod ractor_factory;
#[cfg(feature = "peers")]
pub mod ractor_queue;
pub mod tokio_spawn;
#[cfg(feature = "peers")]
pub mod tower_balance;

#[cfg(test)]
mod tests {
    use crate::drive::AGENTS;
    use crate::{RoundTrip, drive, runtime};

    /// Drives a contestant at the two loads of the benches; `drive` checks every answer.
    fn check<O: RoundTrip>(setup: impl Future<Output = O>) {
        let rt = runtime();
        let op = rt.block_on(setup);
        for in_flight in [1, 256] {
            let _ = drive(&rt, 2_000, in_flight, &op);
        }
    }

    #[test]
    fn the_floors_answer() {
        check(async { super::tokio_spawn::TokioSpawn });
        check(async { super::mpsc_floor::MpscFloor::setup(AGENTS) });
    }

    #[cfg(feature = "peers")]
    #[test]
    fn the_peers_answer() {
        check(super::ractor_factory::RactorFactory::setup(AGENTS));
        check(async { super::kameo_pool::KameoPool::setup(AGENTS) });
        check(async { super::tower_balance::TowerBalance::setup(AGENTS) });
        check(async { super::apalis_memory::ApalisMemory::setup(AGENTS) });
        check(async { super::graph_flow::GraphFlow::setup() });
        check(async { super::adk_graph::AdkGraph::setup() });
    }
}
