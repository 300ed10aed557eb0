//! The Prometheus exporter: a recorder for all metrics of the orchestrator, and a listener for scrapers.

mod listener;
mod recorder;

pub(crate) use listener::{bind, serve};
pub(crate) use recorder::Exporter;
