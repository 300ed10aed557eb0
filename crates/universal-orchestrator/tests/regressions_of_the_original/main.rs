//! The defects of the original that were shown by running it: none of them may come back.

#![expect(
    clippy::disallowed_methods,
    reason = "a test is not the orchestrator: it spawns what calls it"
)]

#[path = "../common/mod.rs"]
mod common;

mod engine;
mod plugins;
