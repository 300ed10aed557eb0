//! Strategies: what they find, in which order, at what cost, and when they end.

#![expect(clippy::panic, reason = "steps that panic are part of what is tested")]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

#[path = "../common/mod.rs"]
mod common;

mod adaptive;
mod budgets;
mod first_of;
mod map_reduce;
mod properties;
mod specialists;
mod table;
mod time;
mod waves;
