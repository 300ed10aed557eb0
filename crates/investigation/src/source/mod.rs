//! Live sources: servers and machines that are asked now.

mod prometheus;
mod tempo;

pub use prometheus::*;
pub use tempo::{
    FoundTrace, SPANS_MAX, TempoError, TempoSpan, parse_tempo_search, parse_tempo_trace,
};
