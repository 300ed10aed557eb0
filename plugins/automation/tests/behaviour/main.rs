//! What the plugin does, seen through the orchestrator.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these tests share panics where a test would"
)]

mod breakers;
mod common;
mod limits;
mod recovery;
mod rules;
mod scaling;
mod section;
mod sleep;
mod sleep_limits;
