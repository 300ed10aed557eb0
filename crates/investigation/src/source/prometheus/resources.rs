//! Which metrics tell how far a resource is used up, by the names that the usual exporters and pools give them.
//!
//! node_exporter, postgres_exporter, PgBouncer's exporter, cAdvisor, HikariCP through Micrometer, `database/sql` of Go,
//! OpenTelemetry's semantic conventions for connection pools, and the process metrics of the Prometheus clients.

use std::collections::BTreeSet;

use super::answer::Labels;
use super::catalog::SERVICE;
use crate::telemetry::{Resource, Statistic};

/// A resource that is asked for.
pub(super) struct Known {
    pub(super) resource: Resource,
    pub(super) statistic: Statistic,
    /// The metric that must be there.
    pub(super) needs: &'static str,
    /// Labels of the node, the first that is there counts.
    labels: &'static [&'static str],
    /// Whether the node counts even if it answers no requests: a database, a machine.
    own_node: bool,
    /// In PromQL; `{L}` stands for the label and `{W}` for the length of an interval.
    query: &'static str,
}

const INSTANCE: &[&str] = &["nodename", "instance"];
const CONTAINER: &[&str] = &["container", "container_label_com_docker_compose_service"];

const fn pool(resource: Resource, needs: &'static str, query: &'static str) -> Known {
    Known {
        resource,
        statistic: Statistic::Average,
        needs,
        labels: SERVICE,
        own_node: false,
        query,
    }
}

const fn machine(resource: Resource, needs: &'static str, query: &'static str) -> Known {
    Known {
        labels: INSTANCE,
        own_node: true,
        ..pool(resource, needs, query)
    }
}

const fn database(resource: Resource, needs: &'static str, query: &'static str) -> Known {
    Known {
        own_node: true,
        ..pool(resource, needs, query)
    }
}

/// All of them; of one resource of one node the first that is there counts.
pub(super) const RESOURCES: &[Known] = &[
    machine(
        Resource::CpuUtilization,
        "node_cpu_seconds_total",
        "100 * (1 - avg by ({L}) (rate(node_cpu_seconds_total{mode=\"idle\"}[{W}])))",
    ),
    Known {
        labels: CONTAINER,
        ..pool(
            Resource::CpuUtilization,
            "container_spec_cpu_quota",
            "100 * sum by ({L}) (rate(container_cpu_usage_seconds_total[{W}])) / sum by ({L}) (container_spec_cpu_quota / container_spec_cpu_period)",
        )
    },
    machine(
        Resource::MemoryUtilization,
        "node_memory_MemAvailable_bytes",
        "100 * (1 - sum by ({L}) (node_memory_MemAvailable_bytes) / sum by ({L}) (node_memory_MemTotal_bytes))",
    ),
    pool(
        Resource::MemoryBytes,
        "process_resident_memory_bytes",
        "sum by ({L}) (process_resident_memory_bytes)",
    ),
    Known {
        statistic: Statistic::Maximum,
        ..machine(
            Resource::DiskUtilization,
            "node_filesystem_avail_bytes",
            "100 * max by ({L}) (1 - node_filesystem_avail_bytes{fstype!~\"tmpfs|ramfs|overlay|squashfs\"} / node_filesystem_size_bytes)",
        )
    },
    pool(
        Resource::ConnectionsInUse,
        "hikaricp_connections_active",
        "sum by ({L}) (hikaricp_connections_active)",
    ),
    pool(
        Resource::ConnectionsMax,
        "hikaricp_connections_max",
        "sum by ({L}) (hikaricp_connections_max)",
    ),
    pool(
        Resource::ConnectionWait,
        "hikaricp_connections_acquire_seconds_count",
        "sum by ({L}) (increase(hikaricp_connections_acquire_seconds_sum[{W}])) / sum by ({L}) (increase(hikaricp_connections_acquire_seconds_count[{W}]))",
    ),
    pool(
        Resource::QueueDepth,
        "hikaricp_connections_pending",
        "sum by ({L}) (hikaricp_connections_pending)",
    ),
    pool(
        Resource::ConnectionsInUse,
        "db_client_connections_usage",
        "sum by ({L}) (db_client_connections_usage{state=\"used\"})",
    ),
    pool(
        Resource::ConnectionsMax,
        "db_client_connections_max",
        "sum by ({L}) (db_client_connections_max)",
    ),
    pool(
        Resource::QueueDepth,
        "db_client_connections_pending_requests",
        "sum by ({L}) (db_client_connections_pending_requests)",
    ),
    pool(
        Resource::ConnectionsInUse,
        "go_sql_in_use_connections",
        "sum by ({L}) (go_sql_in_use_connections)",
    ),
    pool(
        Resource::ConnectionsMax,
        "go_sql_max_open_connections",
        "sum by ({L}) (go_sql_max_open_connections)",
    ),
    pool(
        Resource::ConnectionWait,
        "go_sql_wait_count_total",
        "sum by ({L}) (increase(go_sql_wait_duration_seconds_total[{W}])) / sum by ({L}) (increase(go_sql_wait_count_total[{W}]))",
    ),
    database(
        Resource::ConnectionsInUse,
        "pg_stat_activity_count",
        "sum by ({L}) (pg_stat_activity_count)",
    ),
    database(
        Resource::ConnectionsMax,
        "pg_settings_max_connections",
        "sum by ({L}) (pg_settings_max_connections)",
    ),
    database(
        Resource::RowsScanned,
        "pg_stat_database_tup_returned",
        "sum by ({L}) (increase(pg_stat_database_tup_returned[{W}]))",
    ),
    database(
        Resource::QueueDepth,
        "pgbouncer_pools_client_waiting_connections",
        "sum by ({L}) (pgbouncer_pools_client_waiting_connections)",
    ),
];

/// A resource of some nodes.
pub(super) struct Used {
    pub(super) known: &'static Known,
    pub(super) label: &'static str,
    pub(super) nodes: BTreeSet<String>,
}

impl Used {
    pub(super) fn query(&self, over: &str) -> String {
        let query = self.known.query.replace("{L}", self.label);
        query.replace("{W}", over)
    }
}

/// The query that tells which of them are there.
pub(super) fn query(window: &str) -> String {
    let mut labels: Vec<&str> = [SERVICE, INSTANCE, CONTAINER].concat();
    labels.sort_unstable();
    let mut names: Vec<&str> = RESOURCES.iter().map(|known| known.needs).collect();
    names.sort_unstable();
    format!(
        "count by (__name__, {}) (last_over_time({{__name__=~\"{}\"}}[{window}]))",
        labels.join(", "),
        names.join("|"),
    )
}

/// Sorts the answer to [`query`]. Nodes that are no `services` count where they are nodes of their own.
pub(super) fn used(found: &[&Labels], services: &BTreeSet<&str>) -> Vec<Used> {
    let mut assigned: BTreeSet<(Resource, &str)> = BTreeSet::new();
    let mut all: Vec<Used> = Vec::new();
    for known in RESOURCES {
        let mut of_known: Vec<Used> = Vec::new();
        let mut nodes: BTreeSet<(Resource, &str)> = BTreeSet::new();
        for labels in found {
            if labels.get("__name__").map(String::as_str) != Some(known.needs) {
                continue;
            }
            let named = known.labels.iter().find_map(|label| {
                let node = labels.get(*label)?.as_str();
                (!node.is_empty()).then_some((*label, node))
            });
            let Some((label, node)) = named else { continue };
            let counts = known.own_node || services.contains(node);
            if !counts || assigned.contains(&(known.resource, node)) {
                continue;
            }
            nodes.insert((known.resource, node));
            match of_known.iter_mut().find(|used| used.label == label) {
                Some(used) => {
                    used.nodes.insert(node.to_owned());
                }
                None => of_known.push(Used {
                    known,
                    label,
                    nodes: [node.to_owned()].into(),
                }),
            }
        }
        assigned.extend(nodes);
        all.extend(of_known);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn machines_and_databases_are_nodes_and_other_processes_are_not() {
        let found = [
            labels(&[
                ("__name__", "node_cpu_seconds_total"),
                ("instance", "a:9100"),
            ]),
            labels(&[
                ("__name__", "process_resident_memory_bytes"),
                ("job", "shop"),
            ]),
            labels(&[
                ("__name__", "process_resident_memory_bytes"),
                ("job", "agent"),
            ]),
            labels(&[("__name__", "pg_stat_activity_count"), ("job", "postgres")]),
            labels(&[("__name__", "hikaricp_connections_active"), ("job", "shop")]),
            labels(&[("__name__", "go_sql_in_use_connections"), ("job", "shop")]),
        ];
        let found: Vec<&Labels> = found.iter().collect();
        let used = used(&found, &BTreeSet::from(["shop"]));
        let told: Vec<(Resource, &str, String)> = used
            .iter()
            .map(|used| {
                let nodes: Vec<&str> = used.nodes.iter().map(String::as_str).collect();
                (used.known.resource, used.known.needs, nodes.join(","))
            })
            .collect();
        let one = |resource, needs, nodes: &str| (resource, needs, nodes.to_owned());
        assert_eq!(
            told,
            [
                one(Resource::CpuUtilization, "node_cpu_seconds_total", "a:9100"),
                one(
                    Resource::MemoryBytes,
                    "process_resident_memory_bytes",
                    "shop"
                ),
                one(
                    Resource::ConnectionsInUse,
                    "hikaricp_connections_active",
                    "shop"
                ),
                one(
                    Resource::ConnectionsInUse,
                    "pg_stat_activity_count",
                    "postgres"
                ),
            ]
        );
        assert_eq!(
            used[0].query("60000ms"),
            "100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[60000ms])))"
        );
    }
}
