//! Further series by the name of their metric: what a resource has used up.

use std::fmt;

/// What is read besides latency, requests and availability: the saturation of a resource.
///
/// The names are those of the columns of `metrics.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Resource {
    /// Processor time used, percent of what is allowed.
    CpuUtilization,
    /// Memory used, percent of what is allowed.
    MemoryUtilization,
    /// Memory used, bytes.
    MemoryBytes,
    /// Space used of the fullest file system, percent.
    DiskUtilization,
    /// Connections of the pool that are in use.
    ConnectionsInUse,
    /// Connections that the pool may have.
    ConnectionsMax,
    /// Time that a request waits for a connection, seconds.
    ConnectionWait,
    /// Time that was waited for locks in the interval, seconds.
    LockWait,
    /// Sessions that wait for a lock.
    LocksWaiting,
    /// Rows that the database read in the interval.
    RowsScanned,
    /// Entries that wait in a queue.
    QueueDepth,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::CpuUtilization,
        Self::MemoryUtilization,
        Self::MemoryBytes,
        Self::DiskUtilization,
        Self::ConnectionsInUse,
        Self::ConnectionsMax,
        Self::ConnectionWait,
        Self::LockWait,
        Self::LocksWaiting,
        Self::RowsScanned,
        Self::QueueDepth,
    ];

    /// The name of its metric.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuUtilization => "cpu_utilization",
            Self::MemoryUtilization => "memory_utilization",
            Self::MemoryBytes => "memory_bytes",
            Self::DiskUtilization => "disk_utilization",
            Self::ConnectionsInUse => "connections_in_use",
            Self::ConnectionsMax => "connections_max",
            Self::ConnectionWait => "connection_wait",
            Self::LockWait => "lock_wait",
            Self::LocksWaiting => "locks_waiting",
            Self::RowsScanned => "rows_scanned",
            Self::QueueDepth => "queue_depth",
        }
    }

    /// The metric of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|resource| resource.name() == name)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
