//! Incidents for tests, in memory and as files.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub(crate) mod long;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_investigation::{
    CallGraph, Incident, InvestigationLimits, Investigator, Report, Signal, Target, Telemetry,
};
use universal_orchestrator_testkit::{quiet_config, test_orchestrator};

/// Rows of every incident here; the onset lies in the second.
pub(crate) const ROWS: usize = 5;

/// A shop: `front` calls `search` and `pay`, both call `store`; `balancer` is a second view of `search`.
pub(crate) const CALLS: [(&str, &str); 6] = [
    ("front", "search"),
    ("front", "pay"),
    ("front", "balancer"),
    ("search", "store"),
    ("pay", "store"),
    ("pay", "bank"),
];

/// Latency in seconds and requests of each node.
pub(crate) const USUAL: [(&str, f64, f64); 6] = [
    ("front", 0.100, 600.0),
    ("search", 0.020, 900.0),
    ("pay", 0.080, 150.0),
    ("balancer", 0.025, 100.0),
    ("store", 0.010, 1_100.0),
    ("bank", 0.040, 150.0),
];

pub(crate) fn graph(calls: &[(&str, &str)]) -> CallGraph {
    let mut graph = CallGraph::new();
    for (caller, callee) in calls {
        graph.add_call(caller, callee);
    }
    graph
}

/// Normal operation with a little regular noise.
pub(crate) fn calm(rows: usize) -> Telemetry {
    let mut telemetry = Telemetry::over((0..rows).map(|row| row as f64 * 300.0).collect());
    for (place, (node, latency, requests)) in USUAL.into_iter().enumerate() {
        let noise = |row: usize| ((row * 7 + place * 3) % 11) as f64 / 5.0 - 1.0;
        let latencies = (0..rows)
            .map(|row| latency * (1.0 + 0.03 * noise(row)))
            .collect();
        telemetry.insert(node, Signal::LatencyAverage, latencies);
        telemetry.insert(node, Signal::Availability, vec![100.0; rows]);
        let counts = (0..rows)
            .map(|row| (requests * (1.0 + 0.02 * noise(row + 4))).round())
            .collect();
        telemetry.insert(node, Signal::Requests, counts);
    }
    telemetry
}

pub(crate) fn incident(signal: Signal) -> Incident {
    Incident {
        target: Some(Target {
            node: "front".into(),
            signal,
            at: Some(450.0),
        }),
        telemetry: calm(ROWS),
        baseline: Some(calm(300)),
        graph: graph(&CALLS),
        ..Incident::default()
    }
}

/// Adds `seconds` to the third and fourth row of a node's latency.
pub(crate) fn slow(incident: &mut Incident, node: &str, seconds: f64) {
    change(incident, node, Signal::LatencyAverage, |value| {
        value + seconds
    });
}

/// Lets `percent` of a node's requests fail in the third and fourth row.
pub(crate) fn failing(incident: &mut Incident, node: &str, percent: f64) {
    change(incident, node, Signal::Availability, |value| {
        value - percent
    });
}

pub(crate) fn change(incident: &mut Incident, node: &str, signal: Signal, by: impl Fn(f64) -> f64) {
    let mut values = incident
        .telemetry
        .series(node, signal)
        .expect("the node has the series")
        .to_vec();
    values[2] = by(values[2]);
    values[3] = by(values[3]);
    incident.telemetry.insert(node, signal, values);
}

/// Slow search, as its callers and its second view see it.
pub(crate) fn slow_search() -> Incident {
    let mut incident = incident(Signal::LatencyAverage);
    slow(&mut incident, "search", 0.030);
    slow(&mut incident, "balancer", 0.080);
    slow(&mut incident, "front", 0.044);
    incident
}

pub(crate) async fn orchestrator() -> UniversalOrchestrator {
    test_orchestrator(quiet_config()).await
}

pub(crate) async fn report(incident: Incident) -> Report {
    let orchestrator = orchestrator().await;
    let investigator = Investigator::new(orchestrator.clone())
        .await
        .expect("the specialists register");
    let report = investigator
        .investigate(incident, &InvestigationLimits::default())
        .await;
    orchestrator.shutdown().await;
    report.expect("the investigation runs")
}

pub(crate) fn first(report: &Report) -> Option<&str> {
    report
        .root_cause
        .ranking
        .first()
        .map(|ranked| ranked.node.as_str())
}

/// Writes telemetry as a metrics file; `columns` gives the order of the columns.
pub(crate) fn write_metrics(
    file: &Path,
    telemetry: &Telemetry,
    columns: impl Fn(&mut Vec<(String, Signal)>),
) {
    let mut order: Vec<(String, Signal)> = Vec::new();
    for signal in [
        Signal::LatencyAverage,
        Signal::Requests,
        Signal::Availability,
    ] {
        for node in telemetry.nodes() {
            if telemetry.series(node, signal).is_some() {
                order.push((node.to_string(), signal));
            }
        }
    }
    columns(&mut order);
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let line = |first: &str, cell: &dyn Fn(&(String, Signal)) -> String| {
        order
            .iter()
            .fold(first.to_owned(), |line, column| line + "," + &cell(column))
            + "\n"
    };
    let mut text = line("microservice", &|(node, _)| quoted(node));
    text += &line("metric", &|(_, signal)| signal.metric().to_string());
    text += &line("statistic", &|(_, signal)| {
        if *signal == Signal::Requests {
            "Sum"
        } else {
            "Average"
        }
        .to_owned()
    });
    text += &line("unix_timestamp", &|_| String::new());
    for (row, start) in telemetry.starts().iter().enumerate() {
        text += &line(&format!("{start}"), &|(node, signal)| {
            let value = telemetry
                .series(node, *signal)
                .expect("the series is there")[row];
            if value.is_nan() {
                String::new()
            } else {
                format!("{value}")
            }
        });
    }
    fs::write(file, text).expect("the file can be written");
}

pub(crate) fn write_graph(file: &Path, graph: &CallGraph) {
    let nodes: Vec<String> = graph.nodes().map(ToString::to_string).collect();
    let mut text = String::new();
    for node in &nodes {
        let _ = write!(text, ",{node}");
    }
    text.push('\n');
    for caller in &nodes {
        text += caller;
        for callee in &nodes {
            let called = graph
                .calls()
                .any(|(a, b)| **a == *caller.as_str() && **b == *callee.as_str());
            text += if called { ",1.0" } else { ",0.0" };
        }
        text.push('\n');
    }
    fs::write(file, text).expect("the file can be written");
}

pub(crate) fn write_target(file: &Path, incident: &Incident) {
    let target = incident
        .target
        .as_ref()
        .expect("incidents here have a target");
    let text = format!(
        "{{\"target\": {{\"node\": {:?}, \"metric\": \"{}\", \"agg\": \"Average\", \"timestamp\": {}}}, \"root_cause\": 7}}",
        &*target.node,
        target.signal.metric(),
        target.at.expect("incidents here have a time"),
    );
    fs::write(file, text).expect("the file can be written");
}

/// Writes an incident's folder, with `normal.csv` beside its files.
pub(crate) fn write_incident(folder: &Path, incident: &Incident) {
    write_metrics(&folder.join("metrics.csv"), &incident.telemetry, |_| ());
    write_graph(&folder.join("graph.csv"), &incident.graph);
    write_target(&folder.join("target.json"), incident);
    if let Some(baseline) = &incident.baseline {
        write_metrics(&folder.join("normal.csv"), baseline, |_| ());
    }
}
