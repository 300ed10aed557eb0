//! An incident that is long enough to compare onsets.

use universal_orchestrator_investigation::{Incident, Signal, Target, Telemetry};

use super::graph;

pub(crate) const ROWS: usize = 24;
/// The first row of the symptom.
pub(crate) const ONSET: usize = 8;

/// `front` calls `early` and `late`; who is slower, from which row on, and by how many seconds.
pub(crate) fn incident(slow: &[(&str, usize, f64)]) -> Incident {
    let mut telemetry = Telemetry::over((0..ROWS).map(|row| row as f64 * 60.0).collect());
    for (place, (node, level)) in [("front", 0.4), ("early", 0.1), ("late", 0.1)]
        .into_iter()
        .enumerate()
    {
        let noise = |row: usize| 0.002 * (((row * 7 + place * 3) % 11) as f64 / 5.0 - 1.0);
        let added = |row: usize| -> f64 {
            let of_node = slow.iter().filter(|(name, _, _)| *name == node);
            of_node
                .filter(|(_, from, _)| row >= *from)
                .map(|(_, _, seconds)| seconds)
                .sum()
        };
        let values = (0..ROWS)
            .map(|row| level + noise(row) + added(row))
            .collect();
        telemetry.insert(node, Signal::LatencyAverage, values);
        telemetry.insert(node, Signal::Requests, vec![500.0; ROWS]);
    }
    Incident {
        target: Some(Target {
            node: "front".into(),
            signal: Signal::LatencyAverage,
            at: Some(ONSET as f64 * 60.0),
        }),
        telemetry,
        graph: graph(&[("front", "early"), ("front", "late")]),
        ..Incident::default()
    }
}
