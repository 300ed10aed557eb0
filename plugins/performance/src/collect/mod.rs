//! From hooks to figures: hooks write into batches, a background task takes the batches and keeps a window of them.

mod batch;
mod observations;
mod table;
mod window;

pub(crate) use batch::{Batch, Ended, Tally, empty_histogram};
pub(crate) use observations::{Dimension, Harvest, Observations};
pub(crate) use table::Table;
pub(crate) use window::{CapabilityFlow, SeriesKey, Slot, Windows};
