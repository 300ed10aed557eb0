//! Agents come, change, fall silent and go; tasks end, time out, are cancelled, have children and are kept.

#![expect(
    clippy::disallowed_methods,
    reason = "a test is not the orchestrator: it spawns what calls it"
)]

#[path = "../common/mod.rs"]
mod common;

mod agents;
mod children;
mod ends;
mod kept;
mod shutdown;
mod told;

use common::*;
use universal_orchestrator::UniversalOrchestrator;

async fn assert_idle(o: &UniversalOrchestrator) {
    let status = o.status();
    assert_eq!((status.agents.busy, status.agents.zombies), (0, 0));
    assert_eq!(status.tasks.active, 0);
    check_conservation(o);
}
