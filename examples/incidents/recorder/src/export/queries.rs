//! Which question to Prometheus gives which column.
//!
//! Scrapes are a second apart, so six seconds hold six of them, which are five seconds apart from first to last.
//! `increase` stretches that to six seconds; five sixths of it is the difference itself.

use crate::role::HOST;

/// A column of each node that the answer tells of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    pub(super) metric: &'static str,
    pub(super) statistic: &'static str,
    /// The question, whose answer has a series for each node.
    pub(super) text: &'static str,
    pub(super) node: NodeName,
}

/// How a series of the answer names its node.
#[derive(Clone, Copy, Debug)]
pub(super) enum NodeName {
    /// By this label.
    Label(&'static str),
    /// Not at all: it is this one.
    Is(&'static str),
}

const PEER: NodeName = NodeName::Label("peer");
const NODE: NodeName = NodeName::Label("node");
const JOB: NodeName = NodeName::Label("job");
const DATABASE: NodeName = NodeName::Is("postgres");
const MACHINE: NodeName = NodeName::Is(HOST);

const fn ask(
    metric: &'static str,
    statistic: &'static str,
    node: NodeName,
    text: &'static str,
) -> Query {
    Query {
        metric,
        statistic,
        text,
        node,
    }
}

macro_rules! quantile {
    ($share:literal) => {
        concat!(
            "histogram_quantile(",
            $share,
            ", sum by (peer, le) (rate(client_request_duration_seconds_bucket[6s])))"
        )
    };
}

/// All columns. What callers saw of a node comes first.
pub(super) const QUERIES: &[Query] = &[
    ask(
        "latency",
        "Average",
        PEER,
        "sum by (peer) (increase(client_request_duration_seconds_sum[6s])) / sum by (peer) (increase(client_request_duration_seconds_count[6s]))",
    ),
    ask("latency", "p50", PEER, quantile!("0.5")),
    ask("latency", "p90", PEER, quantile!("0.9")),
    ask("latency", "p95", PEER, quantile!("0.95")),
    ask("latency", "p99", PEER, quantile!("0.99")),
    ask(
        "requests",
        "Sum",
        PEER,
        "round(sum by (peer) (increase(client_request_duration_seconds_count[6s])) * 5 / 6)",
    ),
    ask(
        "availability",
        "Average",
        PEER,
        "100 * (1 - sum by (peer) (increase(client_requests_failed_total[6s])) / sum by (peer) (increase(client_request_duration_seconds_count[6s])))",
    ),
    ask(
        "cpu_utilization",
        "Average",
        NODE,
        "100 * rate(container_cpu_usage_seconds_total[6s]) / container_cpu_limit_cores",
    ),
    ask(
        "memory_bytes",
        "Average",
        NODE,
        "avg_over_time(container_memory_bytes[5s])",
    ),
    ask(
        "memory_utilization",
        "Average",
        NODE,
        "100 * avg_over_time(container_memory_bytes[5s]) / container_memory_limit_bytes",
    ),
    ask(
        "disk_utilization",
        "Maximum",
        NODE,
        "100 * max by (node) (max_over_time(filesystem_used_bytes[5s]) / filesystem_size_bytes)",
    ),
    ask(
        "connections_in_use",
        "Average",
        JOB,
        "avg_over_time(db_pool_in_use[5s])",
    ),
    ask(
        "connections_in_use",
        "Maximum",
        JOB,
        "max_over_time(db_pool_in_use[5s])",
    ),
    ask(
        "connections_max",
        "Maximum",
        JOB,
        "max_over_time(db_pool_size[5s])",
    ),
    ask(
        "connection_wait",
        "Average",
        JOB,
        "increase(db_pool_wait_seconds_sum[6s]) / increase(db_pool_wait_seconds_count[6s])",
    ),
    ask(
        "queue_depth",
        "Maximum",
        JOB,
        "max_over_time(db_pool_waiting[5s])",
    ),
    ask(
        "connections_in_use",
        "Average",
        DATABASE,
        "avg_over_time(pg_connections[5s])",
    ),
    ask(
        "connections_in_use",
        "Maximum",
        DATABASE,
        "max_over_time(pg_connections[5s])",
    ),
    ask(
        "connections_max",
        "Maximum",
        DATABASE,
        "max_over_time(pg_connections_max[5s])",
    ),
    ask(
        "locks_waiting",
        "Maximum",
        DATABASE,
        "max_over_time(pg_sessions_waiting_for_lock[5s])",
    ),
    ask(
        "lock_wait",
        "Sum",
        DATABASE,
        "increase(pg_lock_wait_seconds_total[6s]) * 5 / 6",
    ),
    ask(
        "rows_scanned",
        "Sum",
        DATABASE,
        "round(increase(pg_rows_scanned_total[6s]) * 5 / 6)",
    ),
    ask(
        "cpu_utilization",
        "Average",
        MACHINE,
        "100 * rate(host_cpu_busy_seconds_total[6s]) / rate(host_cpu_seconds_total[6s])",
    ),
    ask(
        "memory_utilization",
        "Average",
        MACHINE,
        "100 * avg_over_time(host_memory_used_bytes[5s]) / host_memory_size_bytes",
    ),
];

impl Query {
    /// Whether series of this node belong to the incident: the providers outside show nothing of themselves.
    pub(super) fn takes(&self, node: &str) -> bool {
        match self.node {
            NodeName::Label("peer") => true,
            _ => !matches!(node, "card-network" | "mail-relay"),
        }
    }
}
