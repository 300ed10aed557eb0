//! What the plugin does, seen through the orchestrator.

mod breakers;
mod common;
mod limits;
mod recovery;
mod rules;
mod scaling;
mod section;
mod sleep;
mod sleep_limits;
