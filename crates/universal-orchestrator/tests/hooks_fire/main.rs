//! Every hook fires in a real flow, in the documented order; what it answers takes effect; what it does wrong does no harm.

#![expect(clippy::panic, reason = "plugins that panic are what is tested")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test is not the orchestrator: it spawns what calls it"
)]

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod guards;
mod misdeeds;
mod order;
mod plugins;
mod reach;
mod shapes;

use universal_orchestrator::plugin::Verdict;

fn no() -> Verdict {
    Verdict::veto("not_today", "come back tomorrow")
}
