//! Small incidents for unit tests.

use crate::graph::CallGraph;
use crate::incident::{Incident, Target};
use crate::telemetry::{Signal, Telemetry};

/// A chain `front -> middle -> back` in which nothing happens.
pub(crate) fn calm_incident() -> Incident {
    let mut graph = CallGraph::new();
    graph.add_call("front", "middle");
    graph.add_call("middle", "back");
    let mut telemetry = Telemetry::over((0..5).map(|row| f64::from(row) * 300.0).collect());
    for (node, level) in [("front", 0.3), ("middle", 0.2), ("back", 0.1)] {
        telemetry.insert(node, Signal::LatencyAverage, vec![level; 5]);
        telemetry.insert(node, Signal::Availability, vec![100.0; 5]);
        telemetry.insert(node, Signal::Requests, vec![500.0; 5]);
    }
    Incident {
        target: Some(Target {
            node: "front".into(),
            signal: Signal::LatencyAverage,
            at: Some(450.0),
        }),
        telemetry,
        graph,
        ..Incident::default()
    }
}

/// The same, with seconds added to the latency of nodes in the third and fourth row.
pub(crate) fn slow_incident(slow: &[(&str, f64)]) -> Incident {
    let mut incident = calm_incident();
    for (node, seconds) in slow {
        let series = incident
            .telemetry
            .series(node, Signal::LatencyAverage)
            .expect("every node of the calm incident has a latency");
        let mut values = series.to_vec();
        values[2] += seconds;
        values[3] += seconds;
        incident
            .telemetry
            .insert(node, Signal::LatencyAverage, values);
    }
    incident
}
