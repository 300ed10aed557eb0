//! The incidents that this repository recorded itself, in `examples/incidents`: every one can be read as it is.

use std::path::{Path, PathBuf};

use universal_orchestrator_investigation::{IncidentFiles, Signal};

const BYTES_MAX: u64 = 2_000_000;

/// Folders of incidents in one of the two sets.
fn recordings(set: &str) -> Vec<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/incidents");
    let entries = std::fs::read_dir(home.join(set)).expect("the set is there");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.join("truth.json").exists())
        .collect();
    folders.sort();
    folders
}

fn bytes(path: &Path) -> u64 {
    if path.is_file() {
        return path.metadata().expect("the file is there").len();
    }
    let entries = std::fs::read_dir(path).expect("the folder can be listed");
    entries
        .map(|entry| bytes(&entry.expect("the folder can be listed").path()))
        .sum()
}

fn json(folder: &Path, file: &str) -> serde_json::Value {
    let text = std::fs::read(folder.join(file)).expect("the file is there");
    serde_json::from_slice(&text).expect("the file is JSON")
}

#[test]
fn both_sets_have_the_same_ten() {
    let names = |set| -> Vec<_> {
        recordings(set)
            .iter()
            .filter_map(|folder| folder.file_name().map(ToOwned::to_owned))
            .collect()
    };
    assert_eq!(names(".").len(), 10);
    assert_eq!(names("."), names("second"));
}

#[test]
fn every_recording_is_whole() {
    for folder in [recordings("."), recordings("second")].concat() {
        let name = folder.display();
        let (truth, target) = (json(&folder, "truth.json"), json(&folder, "target.json"));
        let incident = IncidentFiles::in_folder(&folder)
            .read()
            .unwrap_or_else(|error| panic!("{error}"));
        let baseline = incident.baseline.as_ref().expect("it has a baseline");
        assert!(baseline.starts().len() >= 48, "{name}");
        if let Some(cause) = truth["node"].as_str() {
            assert!(
                incident.graph.nodes().any(|node| **node == *cause),
                "{name}"
            );
        }
        let rows = incident.telemetry.starts();
        let onset = truth["onset"].as_f64().expect("the onset is a number");
        let at = target["target"]["timestamp"]
            .as_f64()
            .expect("it says when");
        assert!(
            rows.len() >= 28 && rows[5] < at && (at..at + 5.0).contains(&onset),
            "{name}"
        );
        for node in incident.graph.nodes() {
            for signal in [
                Signal::LatencyAverage,
                Signal::Requests,
                Signal::Availability,
            ] {
                let series = incident.telemetry.series(node, signal);
                let present = series.map_or(0, |s| s.iter().filter(|v| v.is_finite()).count());
                // What fails on the way calls nothing further, so there are gaps below the cause.
                assert!(present * 4 > rows.len(), "{name}: {signal:?} of {node}");
            }
        }
        assert!(
            folder.join("logs/gateway.log").exists() || truth["node"].is_null(),
            "{name}"
        );
        assert!(
            bytes(&folder) < BYTES_MAX,
            "{name} has {} bytes",
            bytes(&folder)
        );
    }
}
