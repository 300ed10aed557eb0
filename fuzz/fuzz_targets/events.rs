//! Any bytes are read as events, of both forms; what comes out names a node and a time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use universal_orchestrator_investigation::events::{read_events_csv, read_events_json};

fuzz_target!(|bytes: &[u8]| {
    for read in [read_events_csv, read_events_json] {
        for event in read("fuzzed", bytes).into_iter().flatten() {
            assert!(event.at.is_finite() && !event.node.is_empty());
        }
    }
});
