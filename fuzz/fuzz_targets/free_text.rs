//! Any text is read, and every place lies within it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use universal_orchestrator_investigation::{Place, Request};

fuzz_target!(|text: &str| {
    let Ok(request) = Request::from_text(text, 1_763_740_800.0) else {
        return;
    };
    let targets = request.targets.iter().map(|found| &found.place);
    let errors = request.errors.iter().map(|found| &found.place);
    let traces = request.trace_ids.iter().map(|found| &found.place);
    for place in targets.chain(errors).chain(traces) {
        if let Place::Text { start, end } = place {
            assert!(text.get(*start..*end).is_some());
        }
    }
});
