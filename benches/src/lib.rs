//! Support for the benches: how calls are driven and timed, the floors, the peers, the SLA table.
//!
//! `cargo bench -p universal-orchestrator-benches --features peers` runs the peers beside ours, so that every
//! comparison is a ratio from one run on one machine.

pub mod budget;
pub mod drive;
pub mod figures;
pub mod floors;
pub mod memory;
pub mod open_loop;
pub mod ours;
pub mod patterns;
pub mod peers;
pub mod sla;
pub mod targets;
pub mod workflow;

pub use drive::{RoundTrip, drive, runtime, runtime_with, settings, started_by_cargo_bench};
pub use memory::rss_bytes;
pub use open_loop::{Latencies, open_loop, peak_rate};
