//! Resilience around steps and strategies.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

#[path = "../common/mod.rs"]
mod common;

mod breaker;
mod hedged;
mod provider;
mod retry;
mod routed;
mod table;
