//! Specialists: each reads one kind of thing about nodes and turns it into observations, facts and unknowns.

mod agent;
mod desk;
mod errors;
mod events;
mod examine;
mod host;
mod latency;
mod logs;
mod measure;
mod reported;
mod resources;
mod saturation;
mod table;
mod trace;
mod traffic;

pub use table::{capability_of, specialists};

pub(crate) use agent::register;
pub(crate) use desk::{AssignmentId, CASES_MAX, Desk, OpenCase};
pub(crate) use examine::{Depth, Examine};
pub(crate) use table::{Expert, SPECIALISTS};
