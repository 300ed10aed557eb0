//! Any bytes are read as answers of Prometheus, Loki and Tempo.
#![no_main]

use libfuzzer_sys::fuzz_target;
use universal_orchestrator_investigation::source::prometheus::{Answer, Labels, QueryData, Targets};
use universal_orchestrator_investigation::source::tempo::{parse_tempo_search, parse_tempo_trace};

fuzz_target!(|bytes: &[u8]| {
    let _ = Answer::<QueryData>::parse(bytes);
    let _ = Answer::<Targets>::parse(bytes);
    let _ = Answer::<Vec<Labels>>::parse(bytes);
    let _ = parse_tempo_search(bytes);
    for span in parse_tempo_trace(bytes).into_iter().flatten() {
        assert!(span.seconds >= 0.0);
    }
});
