//! Which metrics are known, by the names that the usual libraries give them.
//!
//! OpenTelemetry's semantic conventions for HTTP and RPC metrics, the Prometheus client libraries' customs, Micrometer,
//! grpc-prometheus, Istio's standard metrics, and Tempo's span metrics and service graphs.

/// A histogram or summary of how long requests take at the server: `_sum` and `_count` are asked for.
pub(super) struct Durations {
    /// The name without its suffix.
    pub(super) name: &'static str,
    /// What makes its unit a second.
    pub(super) to_seconds: f64,
    /// Labels of the service, the first that is there counts.
    pub(super) services: &'static [&'static str],
}

/// A counter of requests with a label that tells failures.
pub(super) struct Requests {
    /// The name.
    pub(super) name: &'static str,
    /// As in [`Durations`].
    pub(super) services: &'static [&'static str],
}

/// A counter of calls with both ends as labels.
pub(super) struct Calls {
    pub(super) name: &'static str,
    pub(super) callers: &'static [&'static str],
    pub(super) callees: &'static [&'static str],
    /// Whether the other end counts only if it is a service that is known: addresses of anything may stand there.
    pub(super) callee_known: bool,
}

/// Labels of a service, the most telling first. `exported_` is what a scrape makes of a label that it has itself.
pub(super) const SERVICE: &[&str] = &[
    "service",
    "service_name",
    "exported_service",
    "app",
    "application",
    "exported_job",
    "job",
];
const ISTIO: &[&str] = &["destination_workload"];

/// Histograms of durations, the most telling first.
pub(super) const DURATIONS: &[Durations] = &[
    seconds("http_server_request_duration_seconds"),
    seconds("http_request_duration_seconds"),
    seconds("http_server_requests_seconds"),
    seconds("http_server_duration_seconds"),
    milliseconds("http_server_duration_milliseconds"),
    seconds("grpc_server_handling_seconds"),
    seconds("rpc_server_duration_seconds"),
    milliseconds("rpc_server_duration_milliseconds"),
    seconds("request_duration_seconds"),
    Durations {
        name: "istio_request_duration_milliseconds",
        to_seconds: 1e-3,
        services: ISTIO,
    },
    seconds("traces_spanmetrics_latency"),
];

const fn seconds(name: &'static str) -> Durations {
    Durations {
        name,
        to_seconds: 1.0,
        services: SERVICE,
    }
}

const fn milliseconds(name: &'static str) -> Durations {
    Durations {
        name,
        to_seconds: 1e-3,
        services: SERVICE,
    }
}

/// Counters of requests. Where a service has none, the `_count` of its durations is taken if it has a label of failures.
pub(super) const REQUESTS: &[Requests] = &[
    counter("http_requests_total"),
    counter("http_server_requests_total"),
    counter("grpc_server_handled_total"),
    counter("requests_total"),
    Requests {
        name: "istio_requests_total",
        services: ISTIO,
    },
    counter("traces_spanmetrics_calls_total"),
];

const fn counter(name: &'static str) -> Requests {
    Requests {
        name,
        services: SERVICE,
    }
}

/// Labels that tell failures, and the values that do.
///
/// HTTP: the server's failures (5xx), not the client's. gRPC: the codes that grpc-go's documentation counts as the
/// server's, and Unavailable and ResourceExhausted. Span metrics: the status of the span.
pub(super) const FAILURES: &[(&str, &str)] = &[
    ("http_response_status_code", "5.."),
    ("http_status_code", "5.."),
    ("grpc_code", GRPC),
    ("rpc_grpc_status_code", "2|4|8|12|13|14|15"),
    ("response_code", "5..|0"),
    ("status_code", "5..|STATUS_CODE_ERROR"),
    ("code", "5.."),
    ("status", "5..|error"),
];

const GRPC: &str =
    "Unknown|DeadlineExceeded|ResourceExhausted|Unimplemented|Internal|Unavailable|DataLoss";

/// Counters of calls from one service to another.
pub(super) const CALLS: &[Calls] = &[
    Calls {
        name: "traces_service_graph_request_total",
        callers: &["client"],
        callees: &["server"],
        callee_known: false,
    },
    Calls {
        name: "istio_requests_total",
        callers: &["source_workload"],
        callees: &["destination_workload"],
        callee_known: false,
    },
    outgoing("http_client_request_duration_seconds_count"),
    outgoing("http_client_duration_milliseconds_count"),
    outgoing("http_client_requests_seconds_count"),
    outgoing("http_client_requests_total"),
    outgoing("rpc_client_duration_milliseconds_count"),
];

const fn outgoing(name: &'static str) -> Calls {
    Calls {
        name,
        callers: SERVICE,
        callees: &[
            "peer_service",
            "server_address",
            "net_peer_name",
            "client_name",
            "upstream",
            "target",
        ],
        callee_known: true,
    }
}

/// Every name that discovery asks for.
pub(super) fn names() -> Vec<String> {
    let durations = DURATIONS
        .iter()
        .map(|known| format!("{}_count", known.name));
    let requests = REQUESTS.iter().map(|known| known.name.to_owned());
    let calls = CALLS.iter().map(|known| known.name.to_owned());
    let mut names: Vec<String> = durations.chain(requests).chain(calls).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Every label that discovery tells series apart by.
pub(super) fn labels() -> Vec<&'static str> {
    let mut labels: Vec<&str> = SERVICE.iter().chain(ISTIO).copied().collect();
    labels.extend(FAILURES.iter().map(|(label, _)| *label));
    for calls in CALLS {
        labels.extend(calls.callers.iter().chain(calls.callees));
    }
    labels.sort_unstable();
    labels.dedup();
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::prometheus::resources::RESOURCES;

    #[test]
    fn the_documentation_lists_every_metric() {
        let text = include_str!("../../../../../docs/investigation-live.md");
        let listed = |name: &str| text.contains(&format!("`{name}`"));
        for name in DURATIONS.iter().map(|known| known.name) {
            assert!(listed(name), "{name}");
        }
        for name in REQUESTS.iter().map(|known| known.name) {
            assert!(listed(name), "{name}");
        }
        for name in CALLS.iter().map(|known| known.name) {
            assert!(listed(name), "{name}");
        }
        for name in RESOURCES.iter().map(|known| known.needs) {
            assert!(listed(name), "{name}");
        }
    }
}
