//! What follows from the figures: bottlenecks, trends, regressions.

mod baseline;
mod bottleneck;
mod load;
mod trend;

pub use baseline::{Baseline, BaselineError, Regression};
pub(crate) use bottleneck::{AgentPace, Evidence, find_bottlenecks};
pub use bottleneck::{Bottleneck, Limit};
pub(crate) use load::{CapabilityLoad, Loads};
pub(crate) use trend::History;
pub use trend::{Direction, Trend};
