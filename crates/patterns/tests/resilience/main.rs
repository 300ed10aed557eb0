//! Resilience around steps and strategies.

#[path = "../common/mod.rs"]
mod common;

mod breaker;
mod hedged;
mod provider;
mod retry;
mod routed;
mod table;
