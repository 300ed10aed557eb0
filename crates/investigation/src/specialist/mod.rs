//! Specialists: each reads one kind of series of every node and turns it into observations.

mod errors;
mod latency;
mod measure;
mod traffic;

pub(crate) use errors::observe_errors;
pub(crate) use latency::observe_latency;
pub(crate) use traffic::observe_traffic;
