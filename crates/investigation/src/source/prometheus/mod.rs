//! A Prometheus server, or one that answers as it does: Thanos, Mimir, VictoriaMetrics.

mod answer;
mod catalog;
mod client;
mod discover;
mod gather;
mod plan;
mod resources;
mod rows;

pub use answer::{
    Answer, AnswerError, Labels, LogEntry, Metadata, Point, QueryData, Sample, ScrapeTarget,
    Series, Stream, StringPoint, Targets,
};
pub use client::{ANSWER_BYTES_MAX, AskError, PrometheusClient};
pub use gather::{PrometheusError, PrometheusQuestion, gather_prometheus};
pub use rows::duration_of;
