//! Our side: an orchestrator with everything on that a production has on, and the agents and tasks of the benches.
//!
//! On are events with one subscriber, metrics with the recorder of `metrics-exporter-prometheus`, the history of finished
//! tasks and the status; limits are raised where a bench needs it; there is no plugin unless a bench says so.
//! The subscriber reads and the recorder tidies up between the samples, in [`World::tidy`], outside of the timed part: in a
//! program both happen in a task and a thread of their own.

mod agents;
mod cycle;
mod drain;
mod execute;
mod registration;
mod world;

pub use agents::{capabilities, required, spec, unique_spec};
pub use cycle::{Cycle, run_on};
pub use drain::Drain;
pub use execute::{Echo, Execute};
pub use registration::register_deregister;
pub use world::{World, builder, config};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drive, runtime};

    #[test]
    fn the_contestants_of_ours_answer() {
        let rt = runtime();
        for unique in [false, true] {
            let spec = if unique { unique_spec } else { spec };
            let mut cycle = Some(rt.block_on(async {
                Cycle::with_agents(World::start(config(50, 50)).await, 50, spec).await
            }));
            let _ = run_on(&rt, &mut cycle, 3_000);
        }
        let op = rt.block_on(Execute::setup(50));
        for in_flight in [1, 256] {
            let _ = drive(&rt, 2_000, in_flight, &op);
        }
        let queue = rt.block_on(Drain::setup(50, 5_000));
        for _ in 0..2 {
            let timed = queue.clone();
            let _ = rt.block_on(async move { timed.submit_drain(5_000).await });
        }
        let _ = rt.block_on(register_deregister(50));
    }
}
