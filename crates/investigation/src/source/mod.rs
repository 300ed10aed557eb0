//! Live sources: servers and machines that are asked now.

pub mod host;
pub mod prometheus;
pub mod tempo;
