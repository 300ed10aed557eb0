//! The documents say what the code does.

use crate::metrics::NAMES;
use crate::refusal::Code;

const REFERENCE: &str = include_str!("../../../docs/plugins/security.md");

#[test]
fn every_code_and_every_metric_is_in_the_reference() {
    let codes = Code::ALL.iter().map(|code| code.as_str());
    for name in codes.chain(NAMES) {
        assert!(REFERENCE.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn every_event_and_every_kind_of_finding_is_in_the_reference() {
    use crate::audit::{Event, FindingKind};
    let kinds = [
        FindingKind::Changed,
        FindingKind::Removed,
        FindingKind::Inserted,
        FindingKind::Reordered,
        FindingKind::Truncated,
        FindingKind::AnchorChanged,
        FindingKind::AnchorMissing,
        FindingKind::FileMissing,
    ];
    let kinds = kinds.map(|kind| serde_json::to_value(kind).unwrap());
    let kinds = kinds.iter().filter_map(|kind| kind.as_str());
    let events = Event::ALL.iter().map(|event| event.as_str());
    for name in kinds.chain(events) {
        assert!(REFERENCE.contains(&format!("`{name}`")), "{name}");
    }
}
