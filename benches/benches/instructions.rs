//! Instructions per call, counted by callgrind: the same on a busy machine, so a change shows that wall time hides.
//!
//! `cargo install --locked --version 0.20.0 gungraun-runner`, then
//! `cargo bench -p universal-orchestrator-benches --features instructions --bench instructions`.
#![expect(
    missing_docs,
    unused_qualifications,
    reason = "gungraun's macros write both"
)]

use std::hint::black_box;

use gungraun::prelude::*;
use universal_orchestrator_benches::floors::InFlightMap;

/// Calls, so that one count is not that of the first call alone.
const CALLS: u64 = 1_000;

#[library_benchmark(setup = InFlightMap::with_tasks)]
#[bench::tasks_50(50)]
fn floor_map(map: InFlightMap) -> InFlightMap {
    for _ in 0..CALLS {
        black_box(map.insert_remove());
    }
    // Handed back, so that dropping the map is not counted.
    map
}

library_benchmark_group!(name = delegate_complete, benchmarks = floor_map);
main!(library_benchmark_groups = delegate_complete);
