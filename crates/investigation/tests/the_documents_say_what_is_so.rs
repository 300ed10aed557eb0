//! `docs/investigation-inputs.md` lists every specialist of resources and every threshold with its default.

use universal_orchestrator_investigation::{ResourceKind, Thresholds};

const PAGE: &str = include_str!("../../../docs/investigation-inputs.md");

#[test]
fn every_specialist_of_resources_has_its_row() {
    for kind in ResourceKind::ALL {
        let row = format!("\n| `{kind}`");
        assert!(PAGE.contains(&row), "{kind}");
    }
}

#[test]
fn every_threshold_has_its_row_with_its_default() {
    let thresholds = serde_json::to_value(Thresholds::default()).unwrap();
    for (key, value) in thresholds.as_object().unwrap() {
        let row = format!("\n| `{key}` | {} |", value.as_f64().unwrap());
        assert!(PAGE.contains(&row), "{row}");
    }
}
