//! Any JSON is traces whose parents stand before their children, or a typed error.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use universal_orchestrator_investigation::Traces;

fuzz_target!(|text: &str| {
    let Ok(traces) = Traces::from_json(text, Path::new("fuzz")) else {
        return;
    };
    for trace in &traces.traces {
        for (place, span) in trace.spans.iter().enumerate() {
            assert!(span.parent.is_none_or(|parent| parent < place));
            assert!(span.end.is_none_or(|end| end >= span.start));
        }
    }
});
