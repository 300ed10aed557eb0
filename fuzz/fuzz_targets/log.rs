//! Any bytes are read as a log, and every line is accounted for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use universal_orchestrator_investigation::logs::LogSummary;

fuzz_target!(|bytes: &[u8]| {
    let near = 1_795_293_219.0;
    let mut log = LogSummary::new("node", near);
    log.read("fuzzed", bytes).expect("a slice can be read");
    let lines: u64 = log.templates().iter().map(|known| known.lines).sum();
    assert_eq!(lines + log.lines_without_template(), log.lines());
    if let Some(changes) = log.changes(near, Some((near - 600.0, near + 600.0))) {
        assert!(changes.changes.iter().all(|change| change.surprise <= 1.0));
    }
});
