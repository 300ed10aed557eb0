//! What a process is told to do wrong. Each is a mechanism of its own; no metric is written by hand.

use serde::{Deserialize, Serialize};

/// The fault that a process has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// None.
    #[default]
    None,
    /// Threads that compute without end.
    Hog {
        /// How many.
        threads: usize,
    },
    /// Memory that each request takes and never gives back, until the process may have no more and aborts.
    Leak {
        /// Bytes for each request.
        bytes: usize,
    },
    /// Connections that are taken from the pool and never come back.
    LeakConnections {
        /// How many are left to work with.
        left: usize,
    },
    /// A debug log that grows on the disk of the journal.
    FillDisk {
        /// Bytes each second.
        bytes_per_second: usize,
    },
    /// Some requests are answered late.
    Delay {
        /// Which part of them.
        share: f64,
        /// How late, in milliseconds.
        ms: u64,
    },
    /// Some requests are answered with status 500.
    Fail {
        /// Which part of them.
        share: f64,
    },
}
