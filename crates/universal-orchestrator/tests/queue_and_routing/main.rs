//! Which task goes first, which agent gets it, and why one waits or is refused.

#![expect(
    clippy::disallowed_methods,
    reason = "a test is not the orchestrator: it spawns what calls it"
)]

#[path = "../common/mod.rs"]
mod common;

mod intake;
mod limits;
mod order;
mod routing;
mod waiting;

use common::*;
use universal_orchestrator::Task;

fn named(name: &str) -> Task {
    task("x").id(name).payload(name)
}
